"""Vouchers on their way to payees, and what payees show of those they hold.

A payee is asked what he holds once after each start, before anything new is promised: where this
node's journal was set back, he shows a voucher over more than it knows of, and the channel takes
that sum over. What he does not show is not believed: nobody can make a payer promise more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from quire.base.errors import ChannelTooSmall, PeerLied, PeerRefused, VoucherRefused
from quire.base.events import EventBus
from quire.chain.abi import id_text
from quire.chain.hub import Hub
from quire.chain.values import Address
from quire.channels.channel import Channel, ChannelEvent, Shown
from quire.channels.paying import Told
from quire.channels.voucher import (
    Voucher,
    domain_separator,
    introduction_digest,
    signer_of,
    voucher_digest,
)
from quire.formats.pay import PayAnswer
from quire.formats.replica_codes import Code
from quire.services.paying.voucher_line import VoucherLine

PAID = "SEND_MICROPAYMENT_FOR_CHUNK"  # the kind of event: a payee has taken a voucher

_PASSING = (Code.BUSY, Code.INTERNAL)
Place = tuple[str, Address]  # peer, payee: two peers may be paid for by one account


class Channels(Protocol):
    """What is used of the payer."""

    def channel(self, payee: Address) -> Channel | None: ...

    async def look(self, payee: Address) -> Channel: ...

    async def post(self, payee: Address, event: ChannelEvent) -> Channel: ...


class Handover:
    """Of one payer. In memory: what is forgotten with a stop is asked again."""

    def __init__(
        self,
        line: VoucherLine,
        hub: Hub,
        sign: Callable[[bytes], bytes],
        channels: Channels,
        events: EventBus,
    ) -> None:
        self._line = line
        self._payer = hub.account
        self._separator = domain_separator(hub.domain)
        self._sign = sign
        self._channels = channels
        self._events = events
        self._accepted: dict[Place, int] = {}
        self._locks: dict[Place, asyncio.Lock] = {}

    def accepted(self, peer: str, payee: Address) -> int | None:
        """What the payee is known to hold, since this start; None: he was not asked."""
        return self._accepted.get((peer, payee))

    def voucher(self, payee: Address, cumulative: int) -> Voucher:
        digest = voucher_digest(self._separator, self._payer, payee, cumulative)
        return Voucher(self._payer, payee, cumulative, self._sign(digest))

    def introduction(self, payee: Address, peer: str) -> bytes:
        """Of one of our own peers, to a payee."""
        return self._sign(introduction_digest(self._separator, self._payer, payee, peer))

    async def compare(self, peer: str, payee: Address, bill: str) -> Told:
        """Learn what the payee holds, by sending the newest voucher, and what he knows of a bill.

        Raises   PeerSilent, PeerGone, PeerRefused, PeerLied, VoucherRefused
        """
        place = (peer, payee)
        async with self._locks.setdefault(place, asyncio.Lock()):
            answer = await self._send(peer, payee, self._known(payee).promised, bill)
            if answer.code is Code.OVERDRAWN:
                self._accepted[place] = answer.accepted  # the promise looks whether there is room
            elif answer.code is not Code.OK:
                raise _refused(peer, self._known(payee).promised, bill, answer)
            return Told(answer.accepted, answer.billed, answer.is_billed)

    async def until(self, peer: str, payee: Address, bill: str, cumulative: int) -> None:
        """Hand over the newest voucher until the payee holds at least so much.

        Raises   PeerSilent, PeerGone, PeerRefused, PeerLied  call again
                 ChannelTooSmall  the hub has lost the deposit, or a close is pending
                 VoucherRefused
        """
        place = (peer, payee)
        async with self._locks.setdefault(place, asyncio.Lock()):
            accepted = self._accepted.get(place)
            if accepted is not None and accepted >= cumulative:
                return
            total = self._known(payee).promised
            answer = await self._send(peer, payee, total, bill)
            if answer.code is Code.OVERDRAWN:
                await self._check_deposit(payee, total)
                answer = await self._send(peer, payee, total, bill)
            if answer.code is not Code.OK:
                raise _refused(peer, total, bill, answer)
            self._events.publish(
                PAID,
                id_text(payee),
                f"{peer} has a voucher of {total} tokens since ever, for {bill}",
                bill=bill,
                sum=total,
                peer=peer,
            )

    def _known(self, payee: Address) -> Channel:
        return self._channels.channel(payee) or Channel(payee)

    async def _send(self, peer: str, payee: Address, total: int, bill: str) -> PayAnswer:
        voucher = self.voucher(payee, total)
        answer = await self._line.send(peer, voucher, bill)
        if answer.code in _PASSING:
            raise PeerRefused(f"{peer} does not take vouchers now: {answer.text}", peer=peer)
        if answer.accepted > total:
            await self._take_over(peer, voucher, answer)
        elif answer.code is Code.OK and answer.accepted < total:
            raise PeerLied(
                f"{peer} took a voucher of {total} tokens and says that it has {answer.accepted}",
                peer=peer,
            )
        if answer.code is Code.OK:
            self._accepted[peer, payee] = answer.accepted
        return answer

    async def _take_over(self, peer: str, sent: Voucher, answer: PayAnswer) -> None:
        """It shows a voucher over more than this node remembers: it was signed, so it counts."""
        shown = Voucher(sent.payer, sent.payee, answer.accepted, answer.signature)
        ours = signer_of(self._separator, sent)
        if ours is None or signer_of(self._separator, shown) != ours:
            raise VoucherRefused(
                f"{peer} says that it holds a voucher of {answer.accepted} tokens where "
                f"{sent.cumulative} were promised, and does not show it",
                peer=peer,
            )
        await self._channels.post(sent.payee, Shown(answer.accepted))
        self._events.publish(
            "channel.taken-over",
            id_text(sent.payee),
            f"{peer} shows a voucher of {answer.accepted} tokens; the journal knew of "
            f"{sent.cumulative}: it was set back, and the higher sum counts",
        )

    async def _check_deposit(self, payee: Address, total: int) -> None:
        """Raises ChannelTooSmall when the payee is right, by the hub."""
        channel = await self._channels.look(payee)
        if not channel.lacks(total):
            return
        why = "its close is pending" if channel.seen.close_at else "what was left went back"
        raise ChannelTooSmall(
            f"the channel to {id_text(payee)} has a deposit of {channel.seen.deposit} tokens for "
            f"{total} promised, {why}: top it up",
            room=0,
            needed=max(0, total - channel.seen.deposit),
        )


def _refused(peer: str, total: int, bill: str, answer: PayAnswer) -> VoucherRefused:
    return VoucherRefused(
        f"{peer} does not take a voucher of {total} tokens for {bill}: "
        f"{answer.text or answer.code.name}",
        code=answer.code.name,
    )
