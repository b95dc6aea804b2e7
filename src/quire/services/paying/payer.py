"""The payer's side: what this node promises to its payees. Implements `channels.port.Payments`.

pay ─► bill known? ─► compare with the payee (once after each start) ─► promise, durable
    ─► the newest voucher is sent until the payee has the bill's sum
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import (
    Busy,
    ChannelTooSmall,
    InsufficientFunds,
    NotFound,
    NotMined,
    QuireError,
    Refused,
    VoucherRefused,
)
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import id_text
from quire.chain.hub import Hub, HubChannel
from quire.chain.values import Address
from quire.channels.bills import Bills
from quire.channels.channel import (
    At,
    Bill,
    Channel,
    ChannelEffect,
    ChannelEvent,
    Close,
    Finish,
    Fund,
    Promise,
    Seen,
)
from quire.channels.channel_machine import TOP_UP_SECONDS, ChannelMachine, bill_of
from quire.channels.channel_record import decode_bill, encode_bill
from quire.channels.paying import Compare, HandOver, Told, next_step
from quire.channels.topup import TopUpPolicy
from quire.services.machines import Machines
from quire.services.paying.channel_effects import ChannelEffects
from quire.services.paying.handover import Handover
from quire.services.paying.hub_look import HubLook
from quire.services.paying.voucher_line import VoucherLine
from quire.store.journal import Journal, Note, Record

FUNDS = "FUNDS"  # the kind of event that says that money is missing


@dataclass(frozen=True, slots=True)
class PayerPorts:
    """What paying stands on. `sign`: a digest, 32 bytes, with the account's key, 65 bytes; `peer`:
    of this node."""

    hub: Hub
    journal: Journal
    line: VoucherLine
    sign: Callable[[bytes], bytes]
    peer: str


class Payer:
    """All channels of one account to others."""

    def __init__(
        self,
        ports: PayerPorts,
        *,
        clock: Clock,
        events: EventBus,
        waits: Waits,
        policy: TopUpPolicy | None = None,
    ) -> None:
        hub = ports.hub
        self._hub = hub
        self._journal = ports.journal
        self._events = events
        self._policy = policy or TopUpPolicy()
        self._look = HubLook(hub)
        self._bills = Bills()
        place = place_of(hub)
        self._filed_bills = f"bill {place}"
        self._effects = ChannelEffects(hub, self._look, self._channel)
        self._machine = ChannelMachine()
        self.machines: Machines[Channel, ChannelEvent, ChannelEffect] = Machines(
            self._machine,
            ports.journal,
            self._perform,
            clock=clock,
            chain=hub.clock,
            events=events,
            waits=waits,
            place=place,
            alongside=self._alongside,
        )
        self._peer = ports.peer
        self._handover = Handover(ports.line, hub, ports.sign, self, events)
        self._locks: dict[Address, asyncio.Lock] = {}
        self._promises: dict[asyncio.Task[Bill], None] = {}
        self._failures: dict[Address, QuireError] = {}  # of the last act at the hub
        self._waiting: dict[asyncio.Future[None], Address] = {}
        self._unlisten = self.machines.listen(self._changed)

    # ---- life ----

    async def start(self) -> None:
        """Go on with every channel. Raises StoreCorrupt."""
        for data in (await self._journal.read(self._filed_bills)).values():
            self._bills.add(decode_bill(data))
        await self.machines.start()

    async def stop(self) -> None:
        """What was promised stays in the journal; what is under way at the hub goes on with the
        next start."""
        self._unlisten()
        while self._promises:
            await asyncio.wait(list(self._promises))
        await self.machines.stop()
        await self._effects.stop()
        await self._look.stop()
        for waiting in list(self._waiting):
            waiting.cancel()

    # ---- the port ----

    @property
    def payer(self) -> Address:
        return self._hub.account

    async def room(self, payee: Address) -> int:
        return max(0, (await self.look(payee)).room)

    async def fund(self, payee: Address, at_least: int, wish: int = 0) -> None:
        await self._fund(payee, at_least, max(wish, self._policy.wish(at_least)))

    async def top_up(self, payee: Address, room: int) -> None:
        """Have exactly so much room, or what there is already. Raises as `fund`."""
        await self._fund(payee, room, room)

    async def _fund(self, payee: Address, at_least: int, wish: int) -> None:
        channel = await self.look(payee)
        if channel.room >= at_least:
            return
        if channel.at in (At.CLOSING, At.RELEASING):
            raise Busy(
                f"the channel to {id_text(payee)} is {channel.at.value}; it can be topped up as "
                "soon as the hub has done that"
            )
        self._failures.pop(payee, None)
        await self.machines.post(id_text(payee), Fund(at_least, wish))
        await self._until_topped_up(payee, at_least)
        channel = self._channel(payee)
        if channel.room < at_least:
            raise self._failures.get(payee) or NotMined(
                f"the channel to {id_text(payee)} has room for {channel.room} tokens, not "
                f"{at_least}: {channel.trouble or 'its top-up is not in a block'}"
            )

    async def pay(self, bill: str, peer: str, payee: Address, amount: int) -> int:
        known = self._bills.get(bill)
        if known is None:
            promise = asyncio.get_running_loop().create_task(
                self._promise(bill, peer, payee, amount), name="promise a bill"
            )
            self._promises[promise] = None
            promise.add_done_callback(self._promised)
            known = await asyncio.shield(promise)  # whoever asked may go; what is promised stays
        if known.payee != payee:
            raise VoucherRefused(
                f"the bill {bill} was promised to {id_text(known.payee)}, not to {id_text(payee)}"
            )
        await self._handover.until(peer, payee, bill, known.sum)
        return known.sum

    async def introduction(self, payee: Address) -> bytes:
        return self._handover.introduction(payee, self._peer)

    async def forget(self, bill_prefix: str) -> None:
        gone = self._bills.forget(bill_prefix)
        if gone:
            await self._journal.write([Record(self._filed_bills, key, None) for key in gone])

    # ---- channels ----

    async def close(self, payee: Address) -> Channel:
        """Ask for what is left; it comes back after the challenge.

        Raises   NotFound  there is no channel
                 ChainUnreachable
        """
        await self._existing(payee)
        return await self.machines.post(id_text(payee), Close())

    async def release(self, payee: Address) -> Channel:
        """Take what is left, now that the challenge is over; that is also done by itself.

        Raises   NotFound, ChainUnreachable
                 Refused  the challenge is not over
        """
        channel = await self._existing(payee)
        left = channel.seen.close_at - self._hub.clock.now()
        if channel.at is not At.CHALLENGE or left > 0:
            when = f"in {left:.0f} s" if channel.at is At.CHALLENGE else "a day after its close"
            raise Refused(
                f"what is left in the channel to {id_text(payee)} can be had {when}; it is "
                f"{channel.at.value}"
            )
        return await self.machines.post(id_text(payee), Finish())

    def channels(self) -> list[Channel]:
        """All that this node knows of, oldest first, as it knows them."""
        return list(self.machines.states().values())

    def channel(self, payee: Address) -> Channel | None:
        return self.machines.state(id_text(payee))

    def words(self, channel: Channel) -> str:
        return self._machine.words(channel)

    def bills(self, payee: Address) -> list[Bill]:
        return self._bills.of(payee)

    def next_deadline(self, payee: Address) -> tuple[str, float] | None:
        """What is waited for, and unix seconds of the chain or of this machine."""
        return self.machines.next_deadline(id_text(payee))

    def trouble(self, payee: Address) -> str:
        """Why something is tried again, or the last act at the hub came to nothing."""
        error = self.machines.trouble(id_text(payee))
        return self._channel(payee).trouble if error is None else error.message

    async def history(self, payee: Address) -> list[Note]:
        return await self.machines.history(id_text(payee))

    async def look(self, payee: Address) -> Channel:
        """The channel as the hub has it now. Raises ChainUnreachable, DiskFull, Busy."""
        seen = await self._look.channel(self.payer, payee)
        return await self.post(payee, Seen(seen))

    async def post(self, payee: Address, event: ChannelEvent) -> Channel:
        """Hand an event to a channel, made if there is none; its state after it, durable."""
        key = id_text(payee)
        if self.machines.state(key) is None:
            await self.machines.begin(key, Channel(payee))
        return await self.machines.post(key, event)

    # ---- promising ----

    async def _promise(self, bill: str, peer: str, payee: Address, amount: int) -> Bill:
        async with self._locks.setdefault(payee, asyncio.Lock()):
            known = self._bills.get(bill)
            if known is not None:
                return known
            if self.machines.state(id_text(payee)) is None:
                await self.look(payee)
            told: Told | None = None
            while True:
                accepted = self._handover.accepted(peer, payee)
                behind = self._bills.unpaid_before(bill, payee, accepted or 0)
                channel = self._channel(payee)
                step = next_step(bill, amount, None, behind, channel, accepted=accepted, told=told)
                match step:
                    case Compare():
                        told = await self._handover.compare(peer, payee, bill)
                    case HandOver() if behind is not None:
                        await self._handover.until(peer, payee, behind.key, behind.sum)
                    case Promise():
                        channel = await self.post(payee, step)
                        promised = self._bills.get(bill)
                        if promised is None:
                            raise too_small(channel, step.amount - step.covered)
                        return promised

    def _promised(self, task: asyncio.Task[Bill]) -> None:
        del self._promises[task]
        if not task.cancelled():
            task.exception()  # seen: who asked may be gone

    def _alongside(self, _key: str, before: Channel | None, channel: Channel) -> Sequence[Record]:
        bill = bill_of(before, channel)
        if bill is None:
            return ()
        return (Record(self._filed_bills, bill.key, encode_bill(bill)),)

    # ---- the hub ----

    async def _perform(self, channel: Channel, effect: ChannelEffect) -> Seen:
        try:
            return Seen(await self._effects.perform(channel, effect))
        except QuireError as error:
            self._failures[channel.payee] = error
            if isinstance(error, InsufficientFunds):
                self._events.publish(
                    FUNDS,
                    id_text(channel.payee),
                    f"{error.message}; what is paid through it waits for that",
                    **error.facts,
                )
            raise

    async def _existing(self, payee: Address) -> Channel:
        channel = await self.look(payee)
        if channel.seen == HubChannel():
            raise NotFound(f"this account has no channel to {id_text(payee)}: quire channels")
        return channel

    def _channel(self, payee: Address) -> Channel:
        return self.machines.state(id_text(payee)) or Channel(payee)

    async def _until_topped_up(self, payee: Address, at_least: int) -> None:
        """Until there is room, or the top-up has ended otherwise."""
        try:
            async with asyncio.timeout(2 * TOP_UP_SECONDS):  # the machine gives up before
                while (channel := self._channel(payee)).at is At.TOPPING_UP:
                    if channel.room >= at_least:
                        return
                    await self._next_change(payee)
        except TimeoutError:
            return

    async def _next_change(self, payee: Address) -> None:
        changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[changed] = payee
        try:
            await changed
        finally:
            self._waiting.pop(changed, None)

    def _changed(self, _key: str, before: Channel | None, channel: Channel) -> None:
        bill = bill_of(before, channel)
        if bill is not None:
            self._bills.add(bill)
        for waiting, payee in list(self._waiting.items()):
            if payee == channel.payee and not waiting.done():
                waiting.set_result(None)


def too_small(channel: Channel, amount: int) -> ChannelTooSmall:
    room = max(0, channel.room)
    return ChannelTooSmall(
        f"the channel to {id_text(channel.payee)} has room for {room} tokens (smallest unit) and "
        f"the bill is {amount}: top it up with {amount - room} or more",
        room=room,
        needed=amount,
    )


def place_of(hub: Hub) -> str:
    """Where the sums of a journal mean something."""
    return f"{hub.domain.chain_id} {id_text(hub.domain.contract)} {id_text(hub.account)}"
