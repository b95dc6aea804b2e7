"""Paying twice is impossible: whatever is lost, repeated, reordered, crashes or is set back, every
bill is paid once, to the token, and never more was signed than all bills together.

First the logic of both sides alone, many lives; then the services on a hub in memory.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from quire.base.errors import (
    ChainUnreachable,
    ChannelTooSmall,
    InsufficientFunds,
    NotFound,
    NotMined,
    PeerError,
)
from quire.base.waits import Waits
from quire.chain.hub import CHALLENGE_SECONDS
from quire.channels.claims import ClaimPolicy
from quire.formats.pay import decode_pay_request
from quire.sim.clock import SimClock
from quire.store.journal import Record
from quire.store.journal_memory import MemoryJournal
from support.channel_walk import Walk
from support.machine_kit import in_virtual_time
from support.pay_kit import KEYS, PAYEE, PAYER, TOKENS, Town, a_hub_world

LIVES, PARTS = 1200, 4
QUARTER = CHALLENGE_SECONDS // 4


@pytest.mark.parametrize("part", range(PARTS))
def test_in_every_life_of_a_channel_each_bill_is_paid_once(part):
    counts: Counter[str] = Counter()
    for seed in range(part, LIVES, PARTS):
        counts += Walk(seed).run()
    for what in ("crashes", "lost", "repeated", "reordered", "releases", "set back"):
        assert counts[what] > LIVES // PARTS // 10, counts


# ---- the services ----


@dataclass(frozen=True)
class Bill:
    """Something was delivered; it is paid, if nothing goes wrong."""

    series: int
    amount: int


@dataclass(frozen=True)
class Again:
    """A bill is paid that was paid, or not, before."""

    which: int


@dataclass(frozen=True)
class LoseMessages:
    requests: int
    answers: int


@dataclass(frozen=True)
class Repeat:
    """An old message comes once more."""

    which: int


@dataclass(frozen=True)
class CrashAt:
    """At the so-manieth write of one side from now on, before or after it is durable."""

    is_payer: bool
    write: int
    is_before: bool


@dataclass(frozen=True)
class SetBack:
    """The payer's journal is copied; with `is_back` the last copy comes back."""

    is_back: bool


@dataclass(frozen=True)
class LoseAnswer:
    """The next answer of the chain to this is lost; the transaction is not."""

    method: str


@dataclass(frozen=True)
class Pass:
    quarters: int


@dataclass(frozen=True)
class Close:
    pass


HAPPENINGS = st.one_of(
    st.builds(Bill, st.integers(0, 2), st.sampled_from([0, 1, 10, 300])),
    st.builds(Bill, st.integers(0, 2), st.sampled_from([1, 10])),
    st.builds(Again, st.integers(0, 8)),
    st.builds(LoseMessages, st.integers(0, 2), st.integers(0, 2)),
    st.builds(Repeat, st.integers(0, 30)),
    st.builds(CrashAt, st.booleans(), st.integers(1, 4), st.booleans()),
    st.builds(SetBack, st.booleans()),
    st.builds(LoseAnswer, st.sampled_from(["deposit", "allocate", "claim", "release"])),
    st.builds(Pass, st.integers(1, 5)),
    st.builds(Close),
)


class Teller:
    def __init__(self, clock: SimClock, log: Callable[[str], object] = str) -> None:
        self.log = log
        self.world = a_hub_world(tokens=2_000)
        self.town = Town(clock, self.world, claims=ClaimPolicy(threshold=40))
        self.owed: dict[str, int] = {}
        self.copies: list[MemoryJournal] = []
        self.died = asyncio.Event()

    async def tell(self, story: Sequence[object]) -> None:
        town = self.town
        async with town:
            town.claiming.start()
            for happening in story:
                self.log(f"{happening}: {town.payer.channel(PAYEE)} {town.payee.account(PAYER)}")
                task = asyncio.ensure_future(self.happen(happening))
                died = asyncio.ensure_future(self.died.wait())
                await asyncio.wait([task, died], return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    task.result()
                died.cancel()
                await asyncio.sleep(0.5)
                if self.died.is_set():
                    await self.rise()
                self.check()
            await self.be_well()

    async def happen(self, happening: object) -> None:
        town = self.town
        match happening:
            case Bill(series, amount):
                number = sum(key.startswith(f"{series}/") for key in self.owed)
                key = f"{series}/{number}"
                self.owed[key] = amount
                await town.payee.bill(PAYER, key, amount)
                await self.pay(key)
            case Again(which) if self.owed:
                await self.pay(list(self.owed)[which % len(self.owed)])
            case LoseMessages(requests, answers):
                town.wire.faults.requests, town.wire.faults.answers = requests, answers
            case Repeat(which) if town.wire.sent:
                message = town.wire.sent[which % len(town.wire.sent)]
                await town.wire.deliver(town.peer, message)
            case CrashAt(is_payer, write, is_before):
                journal = town.payer_journal if is_payer else town.payee_journal
                self.die_at(journal, write, is_before=is_before)
            case SetBack(False):
                self.copies.append(town.payer_journal.reopened())
            case SetBack(True) if self.copies:
                town.payer_journal = self.copies[-1].reopened()
                self.died.set()
            case LoseAnswer(method):
                hub = town.payee_hub if method == "claim" else town.payer_hub
                hub.faults.lose_answer(method, NotMined("the answer was lost"))
            case Pass(quarters):
                for _ in range(quarters):
                    town.pass_time(QUARTER)
                    await asyncio.sleep(1)
            case Close():
                with suppress(NotFound, ChainUnreachable):
                    await town.payer.close(PAYEE)

    async def pay(self, key: str) -> None:
        """As the machines of links do: fund when there is no room, else again another time."""
        amount, town = self.owed[key], self.town
        try:
            await town.payer.pay(key, town.peer, PAYEE, amount)
        except ChannelTooSmall:
            with suppress(InsufficientFunds, PeerError, ChannelTooSmall, NotMined):
                await town.payer.fund(PAYEE, max(1, amount))
                await town.payer.pay(key, town.peer, PAYEE, amount)
        except PeerError:
            return

    def die_at(self, journal: MemoryJournal, write: int, *, is_before: bool) -> None:
        left = write

        async def maybe(_: Sequence[Record]) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                self.died.set()
                await asyncio.Event().wait()  # nobody hears of it any more

        setattr(journal, "before" if is_before else "after", maybe)

    async def rise(self) -> None:
        """Every task ends where it is; both sides start on what is durable."""
        town, mine = self.town, asyncio.current_task()
        for _ in range(3):
            for task in asyncio.all_tasks():
                if task is not mine:
                    task.cancel()
            for _ in range(20):
                await asyncio.sleep(0)
        self.died = asyncio.Event()
        town.payer_journal = town.payer_journal.reopened()
        town.payee_journal = town.payee_journal.reopened()
        town.waits = Waits(town.clock)
        town.make_payer()
        town.make_payee()
        await town.payer.start()
        await town.payee.start()
        for key, amount in self.owed.items():  # as the machines of a provider do it again
            await town.payee.bill(PAYER, key, amount)
        town.claiming.start()

    def check(self) -> None:
        total, state = sum(self.owed.values()), self.world.state
        signed = [decode_pay_request(each).cumulative for each in self.town.wire.sent]
        assert max(signed, default=0) <= total
        assert self.town.payee.account(PAYER).received <= max(signed, default=0)
        tokens = sum(state.tokens.get(each, 0) for each in KEYS) + state.hub.owed
        assert tokens == 2_000 * len(KEYS)

    async def be_well(self) -> None:
        """No more trouble, and money: everything is paid."""
        town = self.town
        town.wire.faults.requests = town.wire.faults.answers = 0
        await self.rise()
        self.world.mint(PAYER, TOKENS)
        await asyncio.sleep(60)
        for key in self.owed:
            await self.pay(key)
        total = sum(self.owed.values())
        account, channel = town.payee.account(PAYER), town.payer.channel(PAYEE)
        assert (account.received, account.billed) == (total, total), channel
        assert channel is None or channel.promised == total
        with suppress(NotMined):
            await town.claiming.claim_all()
        assert await town.payee_hub.balance() == total
        assert [w for w in town.waits.of() if "challenge" not in str(w["reason"])] == []


@settings(max_examples=120)
@given(st.lists(HAPPENINGS, min_size=1, max_size=14))
def test_the_services_pay_each_bill_once_whatever_happens(story) -> None:
    in_virtual_time(lambda clock: Teller(clock, note).tell([Bill(0, 10), *story]))


@pytest.mark.parametrize("is_payer", [True, False])
@pytest.mark.parametrize("is_before", [True, False])
def test_a_crash_at_every_write_of_a_story(is_payer, is_before):
    for write in range(1, 9):
        story = [
            CrashAt(is_payer, write, is_before),
            *(Bill(number % 2, 10) for number in range(4)),
            Close(),
            Pass(5),
            Bill(0, 300),
            Again(1),
        ]
        in_virtual_time(lambda clock, story=story: Teller(clock).tell(story))
