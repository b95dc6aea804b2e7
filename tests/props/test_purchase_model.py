"""Purchases against the market in memory: whatever crashes, is lost or taken back, each is paid
once, comes to an end, and what its hosts did not earn comes back.

A story is a list of happenings, told in virtual time; afterwards chain and node are well again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import given, note, settings
from hypothesis import strategies as st

from quire.base.errors import ChainUnreachable, NotMined
from quire.chain.abi import slot_id
from quire.chain.memory.world import FIRST_BLOCK
from quire.chain.values import RequestState, SlotState
from quire.market.purchase import At
from quire.sim.clock import SimClock
from quire.store.journal import Record
from support.machine_kit import in_virtual_time
from support.memory_world import CLIENT, TOKENS, a_world
from support.purchase_kit import Shop

LOST = (NotMined("the answer was lost"), ChainUnreachable("the answer was lost"))


@dataclass(frozen=True)
class Buy:
    """`crash_at`: the process dies at its so-manieth write from now on, before or after it."""

    crash_at: int | None = None
    is_before: bool = True


@dataclass(frozen=True)
class Fill:
    which: int
    slots: tuple[int, ...]


@dataclass(frozen=True)
class GiveUp:
    which: int
    slots: tuple[int, ...]


@dataclass(frozen=True)
class Pass:
    seconds: int
    blocks: int


@dataclass(frozen=True)
class Crash:
    """At once, or at the so-manieth write from now on."""

    at_write: int | None = None
    is_before: bool = True


@dataclass(frozen=True)
class Lose:
    """The next answer of the chain to this is lost; the transaction is not."""

    method: str
    problem: int


@dataclass(frozen=True)
class Unreachable:
    seconds: int


@dataclass(frozen=True)
class TakeBack:
    depth: int
    loses: bool


SLOTS = st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True).map(tuple)
WRITES = st.one_of(st.none(), st.integers(1, 4))
HAPPENINGS = st.one_of(
    st.builds(Buy, WRITES, st.booleans()),
    st.builds(Fill, st.integers(0, 3), SLOTS),
    st.builds(Fill, st.integers(0, 3), st.just((0, 1, 2))),
    st.builds(GiveUp, st.integers(0, 3), SLOTS),
    st.builds(Pass, st.sampled_from([1, 300, 590, 600, 601, 3_000, 3_600]), st.integers(1, 3)),
    st.builds(Crash, WRITES, st.booleans()),
    st.builds(Lose, st.sampled_from(["request_storage", "withdraw"]), st.integers(0, 1)),
    st.builds(Unreachable, st.sampled_from([5, 700])),
    st.builds(TakeBack, st.integers(1, 3), st.booleans()),
)


class Teller:
    def __init__(self, clock: SimClock, log: Callable[[str], object] = str) -> None:
        self.log = log
        self.shop = Shop(clock, a_world())
        self.bought: list[str] = []
        self.died: asyncio.Event | None = None

    async def tell(self, story: Sequence[object]) -> None:
        await self.shop.start()
        for happening in story:
            self.log(f"{happening}: {[(p.at.value, p.is_withdrawn) for p in self.purchases()]}")
            await self.happen(happening)
            await self.rise()
        await self.be_well()

    def purchases(self):
        return self.shop.purchases.all()

    async def happen(self, happening: object) -> None:
        shop = self.shop
        match happening:
            case Buy(at_write, is_before):
                self.die_at(at_write, is_before=is_before)
                buying = asyncio.ensure_future(shop.buy())
                await asyncio.wait([buying], timeout=1)
                if buying.done() and not buying.cancelled() and buying.exception() is None:
                    self.bought.append(buying.result())
            case Fill(which, slots) if self.key(which):
                await shop.fill(self.key(which), *slots)
            case GiveUp(which, slots) if self.key(which):
                await shop.give_up(self.key(which), *slots)
            case Pass(seconds, blocks):
                await shop.pass_time(seconds, blocks=blocks)
            case Crash(at_write, is_before):
                self.die_at(at_write, is_before=is_before)
                if at_write is None:
                    await shop.crash()
                    await shop.start()
            case Lose(method, problem):
                shop.client.faults.lose_answer(method, LOST[problem])
            case Unreachable(seconds):
                shop.client.faults.is_unreachable = True
                await shop.pass_time(seconds)
                shop.client.faults.is_unreachable = False
            case TakeBack(depth, loses):
                depth = min(depth, shop.world.head.number - FIRST_BLOCK)
                if depth:
                    shop.world.reorganise(depth, loses_transactions=loses)
                await shop.settle()

    def key(self, which: int) -> str:
        """Of a request that the chain knows; empty when there is none."""
        known = ["0x" + each.hex() for each in self.shop.world.state.requests]
        return known[which % len(known)] if known else ""

    def die_at(self, write: int | None, *, is_before: bool) -> None:
        if write is None:
            return
        left, died = write, asyncio.Event()
        self.died = died

        async def maybe(_: Sequence[Record]) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                died.set()
                await asyncio.Event().wait()  # nobody hears of it any more

        setattr(self.shop.journal, "before" if is_before else "after", maybe)

    async def rise(self) -> None:
        """Start again after a death at a write."""
        await self.shop.settle()
        if self.died is not None and self.died.is_set():
            await self.shop.crash()
            await self.shop.start()
            self.died = None

    async def be_well(self) -> None:
        """No crash is left to come, and the chain goes on until everything has ended."""
        shop = self.shop
        await shop.crash()
        await shop.start()
        await shop.pass_time(60)
        await shop.until_ended()
        await shop.pass_time(60)
        self.check()
        await shop.stop()

    def check(self) -> None:
        shop, state = self.shop, self.shop.world.state
        assert {key for key in self.bought} <= {  # noqa: C416 - as sets
            "0x" + purchase.request_id.hex() for purchase in self.purchases()
        }
        ledger = shop.world.moment(CLIENT)
        owed = 0
        for request_id, record in state.requests.items():
            purchase = shop.purchases.find(request_id)
            assert purchase is not None, "a request was paid for and forgotten"
            assert purchase.is_withdrawn, purchase
            assert record.is_withdrawn
            owed += self.earned(request_id, ledger.request_state(request_id))
        for purchase in self.purchases():
            assert purchase.request_id in state.requests or purchase.at is At.ERRORED
        assert shop.store.roots == {}
        assert shop.waits.of() == []
        assert TOKENS - state.tokens[CLIENT] == owed

    def earned(self, request_id: bytes, ended: RequestState) -> int:
        """What the hosts of a request get for the time that they held its slots."""
        record = self.shop.world.state.requests[request_id]
        if ended is RequestState.FAILED:
            return 0
        until = record.expires_at if ended is RequestState.CANCELLED else record.ends_at
        price = record.request.ask.price_per_slot_per_second
        slots = [
            slot
            for index in range(record.request.ask.slots)
            if (slot := self.shop.world.state.slots.get(slot_id(request_id, index))) is not None
        ]
        held = [slot for slot in slots if slot.state in (SlotState.FILLED, SlotState.PAID)]
        return sum(max(0, until - slot.since) * price for slot in held)


@settings(max_examples=200)
@given(st.lists(HAPPENINGS, min_size=1, max_size=14))
def test_every_purchase_is_paid_once_ends_and_gets_back_what_is_left(story) -> None:
    in_virtual_time(lambda clock: Teller(clock, note).tell([Buy(), *story]))


def test_a_crash_at_every_write_of_a_whole_story() -> None:
    """The same story, with a crash at its first, second, third... write, before and after it."""
    tried = 0
    for is_before in (True, False):
        for at in range(1, 12):
            story = [
                Crash(at, is_before),
                Buy(),
                Fill(0, (0, 1, 2)),
                Pass(3_000, 1),
                Pass(700, 2),
                Pass(60, 1),
            ]
            in_virtual_time(lambda clock, story=story: Teller(clock).tell(story))
            tried += 1
    assert tried == 22
