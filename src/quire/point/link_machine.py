"""The machine of a link: its steps, its deadlines, and what is said of it.

    link_setup.py    from CREATED to SIGNED          link_moves.py    enter, try again, end
    link_upkeep.py   audits, bills, renewal          link_record.py   its bytes in the journal

Source   point.md 6.5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quire.base.machine import Deadline, Failed, TimedOut
from quire.base.units import format_size, format_time
from quire.chain.hub import HubDomain
from quire.chain.values import Address
from quire.point.link import (
    ENDS,
    At,
    LinkState,
    Upkeep,
)
from quire.point.link_effects import (
    LinkEffect,
)
from quire.point.link_events import (
    Closed,
    Extend,
    LinkEvent,
    Release,
)
from quire.point.link_moves import Step, end, work
from quire.point.link_record import decode_link, encode_link
from quire.point.link_setup import set_up
from quire.point.link_upkeep import keep_up, wake_at

PAUSED_SECONDS = 60.0  # between two looks into an empty wallet
CLOSE_SECONDS = 60.0

# How long a state may last without progress, in seconds while the node runs.
SECONDS = {
    At.CREATED: 60.0,
    At.AGREED: 600.0,
    At.ESTABLISH_PAYMENT_CHANNEL: 600.0,
    At.ENCRYPTING: 600.0,
    At.ENCRYPTED: 600.0,
    At.SENDING_SEGMENT_MAP: 300.0,
    At.SENDING_DATA: 120.0,
    At.DATA_RECEIVED: 600.0,
    At.ASKING_FOR_SIGNATURE: 600.0,
    At.PAYING: 3600.0,
}

_WORDS = {
    At.CREATED: "asking the provider to keep it",
    At.AGREED: "the provider agreed; looking whether the payment channel has room",
    At.ESTABLISH_PAYMENT_CHANNEL: "putting tokens into the payment channel",
    At.ENCRYPTING: "sealing the blocks for this provider",
    At.ENCRYPTED: "sealed; waiting for a place among the links that send",
    At.SENDING_SEGMENT_MAP: "sending the hashes of the blocks",
    At.DATA_RECEIVED: "the provider has every block",
    At.ASKING_FOR_SIGNATURE: "asking for the receipt",
    At.PAYING: "the receipt is right; paying the first bill",
    At.RENEWING: "asking for a further term",
    At.FAILED: "it failed",
    At.LOST: "the provider lost it",
    At.EXPIRED: "its term is over",
    At.RELEASED: "given up by its owner",
}


class LinkMachine:
    """Implements `base.machine.Machine`. `client` pays, through the hub of `domain`."""

    kind = "link"

    def __init__(self, client: Address, domain: HubDomain) -> None:
        self._client = client
        self._domain = domain

    def step(self, state: LinkState, event: LinkEvent | TimedOut | Failed) -> Step:
        if state.at in ENDS:
            return _ended(state, event)
        if isinstance(event, Release):
            return end(state, At.RELEASED, "given up by its owner", state.outcome)
        if isinstance(event, Extend):
            state = replace(
                state,
                wanted_until=max(state.wanted_until, event.wanted_until),
                is_autorenewed=state.is_autorenewed or event.is_autorenewed,
            )
        part = keep_up if state.is_held else set_up
        return part(state, event, self._client, self._domain)

    def resume(self, state: LinkState) -> Sequence[LinkEffect]:
        return work(state)

    def name(self, state: LinkState) -> str:
        return state.at.value

    def words(self, state: LinkState) -> str:
        if state.why:
            return (
                f"{state.why} (closing)" if state.at in ENDS and not state.is_closed else state.why
            )
        match state.at:
            case At.SENDING_DATA:
                blocks = f"{state.acked_count} of {state.order.blocks} blocks"
                return f"sending: the provider has {blocks}"
            case At.DATA_RECEIVED if state.must_audit:
                return "the provider says that it has the blocks already; it is audited"
            case At.SIGNED:
                size = format_size(state.order.sealed_bytes)
                return f"{size} kept until {format_time(state.expires_at)}{_beside(state)}"
            case At.RENEWING if state.renewal is not None and state.renewal.is_signed:
                return "the further term is signed; paying its first bill"
        return _WORDS[state.at]

    def deadline(self, state: LinkState) -> Deadline | None:
        if self.has_ended(state):
            return None
        reason = self.words(state)
        if state.at in ENDS:
            return Deadline(reason, after_seconds=CLOSE_SECONDS)
        if state.is_held:
            return Deadline(reason, chain_time=wake_at(state), mark=state.look_at)
        seconds = PAUSED_SECONDS if state.is_paused else SECONDS[state.at]
        return Deadline(reason, None, seconds, mark=state.acked_count, while_running=True)

    def has_ended(self, state: LinkState) -> bool:
        return state.at in ENDS and state.is_closed

    def encode(self, state: LinkState) -> bytes:
        return encode_link(state)

    def decode(self, data: bytes) -> LinkState:
        return decode_link(data)


def _ended(state: LinkState, event: LinkEvent | TimedOut | Failed) -> Step:
    """Closing is tried once; what the provider was not told it learns from its own deadlines."""
    if isinstance(event, Closed | TimedOut | Failed) and not state.is_closed:
        return replace(state, is_closed=True), ()
    return state, ()


def _beside(state: LinkState) -> str:
    match state.upkeep:
        case Upkeep.AUDITING:
            return ", being audited"
        case Upkeep.PAYING | Upkeep.FUNDING:
            return ", a bill is being paid"
    return ""
