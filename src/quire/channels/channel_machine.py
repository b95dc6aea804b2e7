"""Where an event leads a payment channel, and what is to be done at the hub then.

What was promised never falls, so a new bill is always signed with a higher sum than any before. A
promise and its bill are one record (`bill_of`), durable before the voucher is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire.base.machine import Deadline, Failed, TimedOut
from quire.base.units import format_time
from quire.chain.hub import HubChannel
from quire.channels.channel import (
    At,
    Bill,
    Channel,
    ChannelEffect,
    ChannelEvent,
    Close,
    Finish,
    Fund,
    Look,
    Promise,
    Release,
    RequestClose,
    Seen,
    Shown,
    TopUp,
)
from quire.channels.channel_record import decode_channel, encode_channel
from quire.channels.voucher import MAX_CUMULATIVE

TOP_UP_SECONDS = 600.0  # to get a top-up into a block; point.md 6.5
CLOSE_SECONDS = 3600.0  # between two attempts to close or to release

_Next = tuple[Channel, Sequence[ChannelEffect]]


class ChannelMachine:
    """Implements `Machine`."""

    kind = "channel"

    def step(self, state: Channel, event: ChannelEvent | TimedOut | Failed) -> _Next:
        match event:
            case Promise():
                return _promise(state, event), []
            case Shown():
                return _taken_over(state, event.sum), []
            case Seen():
                return _seen(state, event.channel), []
            case Fund():
                return _fund(state, event)
            case Close() if state.at is At.OPEN:
                return replace(state, at=At.CLOSING, trouble=""), [RequestClose()]
            case Finish() if state.at is At.CHALLENGE:
                return replace(state, at=At.RELEASING, trouble=""), [Release()]
            case TimedOut():
                return _timed_out(state)
            case Failed():
                return _failed(state, event)
        return state, []

    def resume(self, state: Channel) -> Sequence[ChannelEffect]:
        match state.at:
            case At.TOPPING_UP:
                return [TopUp()]
            case At.CLOSING:
                return [RequestClose()]
            case At.RELEASING:
                return [Release()]
        return [Look()]

    def name(self, state: Channel) -> str:
        return state.at.value

    def words(self, state: Channel) -> str:
        return words_of(state)

    def deadline(self, state: Channel) -> Deadline | None:
        match state.at:
            case At.TOPPING_UP:
                return Deadline("its top-up is to be in a block", after_seconds=TOP_UP_SECONDS)
            case At.CLOSING:
                return Deadline("the hub is to know that it closes", after_seconds=CLOSE_SECONDS)
            case At.CHALLENGE:
                reason = "the payee may still claim what vouchers promise him"
                return Deadline(reason, chain_time=float(state.seen.close_at))
            case At.RELEASING:
                return Deadline("what is left is to come back", after_seconds=CLOSE_SECONDS)
        return None

    def has_ended(self, state: Channel) -> bool:
        """Never: what was promised must not be forgotten."""
        return False

    def encode(self, state: Channel) -> bytes:
        return encode_channel(state)

    def decode(self, data: bytes) -> Channel:
        return decode_channel(data)


def bill_of(before: Channel | None, state: Channel) -> Bill | None:
    """The bill that a step has promised; to be written together with the channel."""
    if before is not None and before.newest == state.newest:
        return None
    return state.newest


def words_of(state: Channel) -> str:
    """For people; amounts in the smallest unit of the token."""
    seen = state.seen
    sums = f"{state.promised} of {seen.deposit} tokens are promised"
    match state.at:
        case At.OPEN if state.trouble:
            return f"{sums}; {state.trouble}"
        case At.OPEN:
            return sums
        case At.TOPPING_UP:
            return f"{sums}; the deposit is being raised to {state.want}, at least {state.least}"
        case At.CLOSING:
            return f"{sums}; what is left is being asked back"
        case At.CHALLENGE:
            return f"{sums}; the payee may claim until {format_time(seen.close_at)}"
        case At.RELEASING:
            return f"{sums}; what is left is being taken back"
        case At.RELEASED:
            left = state.promised - seen.claimed
            later = f"; {left} tokens promised were not claimed" if left > 0 else ""
            return f"what was left is back, {seen.claimed} tokens were paid{later}"


def _promise(state: Channel, event: Promise) -> Channel:
    more = event.amount - event.covered
    total, left = state.promised + more, state.taken_over - event.covered
    if event.covered < 0 or more < 0 or left < 0 or more > max(0, state.room):
        return state
    if total > MAX_CUMULATIVE:
        return state
    bill = Bill(event.bill, state.payee, event.amount, total)
    return replace(state, promised=total, taken_over=left, newest=bill)


def _taken_over(state: Channel, total: int) -> Channel:
    """Never sign less than what is known to be signed."""
    more = total - state.promised
    if more <= 0:
        return state
    return replace(state, promised=total, taken_over=state.taken_over + more)


def _seen(state: Channel, seen: HubChannel) -> Channel:
    is_same_close = seen.close_at == state.seen.close_at
    state = replace(_taken_over(state, seen.claimed), seen=seen)
    is_closing = bool(seen.close_at)
    match state.at:
        case At.TOPPING_UP if is_closing or seen.deposit < state.least:
            return state
        case At.TOPPING_UP:
            return replace(state, at=At.OPEN, least=0, want=0, trouble="")
        case At.CLOSING if not is_closing:
            return state
        case At.RELEASING if is_closing and is_same_close:
            return state
        case At.CHALLENGE | At.RELEASING | At.RELEASED if not is_closing and not seen.free:
            return replace(state, at=At.RELEASED)
    return replace(state, at=At.CHALLENGE if is_closing else At.OPEN)


def _fund(state: Channel, event: Fund) -> _Next:
    """A top-up ends a close; one that is under way grows."""
    if state.at in (At.CLOSING, At.RELEASING) or event.least <= state.room:
        return state, []
    least = max(state.least, state.promised + event.least)
    want = max(state.want, state.promised + event.wish, least)
    if (least, want) == (state.least, state.want):
        return state, []
    return replace(state, at=At.TOPPING_UP, least=least, want=want, trouble=""), [TopUp()]


def _timed_out(state: Channel) -> _Next:
    match state.at:
        case At.TOPPING_UP:
            trouble = "the top-up came into no block in time"
            return replace(state, at=At.OPEN, least=0, want=0, trouble=trouble), [Look()]
        case At.CLOSING:
            return state, [RequestClose()]
        case At.CHALLENGE:
            return replace(state, at=At.RELEASING, trouble=""), [Release()]
        case At.RELEASING:
            return state, [Release()]
    return state, []


def _failed(state: Channel, event: Failed) -> _Next:
    if isinstance(event.effect, Look) or state.at in (At.OPEN, At.CHALLENGE, At.RELEASED):
        return state, []
    trouble = event.error.message
    return replace(state, at=At.OPEN, least=0, want=0, trouble=trouble), [Look()]
