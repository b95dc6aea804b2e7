"""Freed slots that waited long enough are opened by one node; no node is needed in particular."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from quire.base.errors import InsufficientFunds
from quire.base.events import EventBus
from quire.chain.abi import id_text
from quire.chain.events import SlotFreed
from quire.chain.memory.market import MemoryMarket
from quire.chain.terms import LazyRepair
from quire.chain.values import SlotState
from quire.services.market_feed import MarketFeed
from quire.services.repair_opener import RepairOpener
from quire.store.journal_memory import MemoryJournal
from support.period_kit import BLOCK_SECONDS, Bench, Host, run_bench

DELAY = 1200
LAZY = LazyRepair(max_delay=DELAY)
LATEST = DELAY // 4 + 3 * BLOCK_SECONDS  # after the delay: the longest turn, and a few blocks


@dataclass
class Opener:
    """A node of one account that opens freed slots."""

    bench: Bench
    market: MemoryMarket
    journal: MemoryJournal
    events: EventBus
    feed: MarketFeed | None = None
    service: RepairOpener | None = None

    @classmethod
    def of(cls, bench: Bench) -> Opener:
        market = bench.host().market
        return cls(bench, market, MemoryJournal(bench.clock), EventBus(bench.clock))

    async def start(self) -> None:
        self.journal = self.journal.reopened()
        self.feed = MarketFeed(self.market, self.journal, self.events, self.bench.clock)
        self.service = RepairOpener(self.market, self.feed, self.journal, self.events)
        await self.service.start()
        await self.feed.start()

    async def die(self) -> None:
        await self.service.stop()
        await self.feed.stop()

    @property
    def sent(self) -> list[int]:
        """Timestamps of the blocks with its transactions, refused ones too: they cost as well."""
        return [
            block.head.timestamp
            for block in self.bench.world.blocks_after(0)
            for transaction in block.transactions
            if transaction.sender == self.market.account
        ]

    def messages(self, kind: str) -> list[str]:
        return [event.message for event in self.events.history() if event.kind == kind]


async def lose(host: Host, slot: int) -> int:
    """Give up a slot; the chain's time of that."""
    receipt = await host.market.free_slot(host.slots[slot][0])
    return host.bench.world.block(receipt.block).head.timestamp


def opened(bench: Bench) -> list[int]:
    """Timestamp of each slot's opening."""
    return [
        block.head.timestamp
        for block in bench.world.blocks_after(0)
        for event in block.events
        if isinstance(event, SlotFreed)
    ]


async def seconds(bench: Bench, count: int) -> None:
    await bench.blocks(count // BLOCK_SECONDS)


@pytest.mark.parametrize("seed", range(5))
def test_of_several_nodes_exactly_one_pays(seed: int) -> None:
    async def story(bench: Bench) -> None:
        nodes = [Opener.of(bench) for _ in range(4)]
        for node in nodes:
            await node.start()
        host = bench.host()
        await bench.fill(host)
        lost_at = await lose(host, 1)
        await seconds(bench, DELAY + LATEST)
        [time] = opened(bench)
        assert lost_at + DELAY <= time <= lost_at + DELAY + LATEST
        await seconds(bench, DELAY)
        assert sum(len(node.sent) for node in nodes) == 1
        assert sum(node.service.opened for node in nodes) == 1
        [told] = [node for node in nodes if node.service.opened]
        assert told.messages("repair.opened")
        assert told.events.history()[-1].subject == id_text(bench.request_of(host))
        for node in nodes:
            assert node.service.waiting == []
            assert node.messages("repair.waiting") == [
                "a slot was lost; it opens after 20 min 00 s or earlier"
            ]

    run_bench(story, seed=seed, lazy_repair=LAZY)


def test_slots_that_open_because_more_are_lost_need_nobody() -> None:
    async def story(bench: Bench) -> None:
        node = Opener.of(bench)
        await node.start()
        host = bench.host()
        await bench.fill(host)
        await lose(host, 0)
        await bench.blocks(2)
        assert len(node.service.waiting) == 1
        await lose(host, 1)
        await bench.blocks(2)
        assert len(opened(bench)) == 2
        assert node.service.waiting == []
        await seconds(bench, DELAY + LATEST)
        assert node.sent == []

    run_bench(story, lazy_repair=LAZY)


def test_a_node_that_comes_late_and_knew_nothing_opens_them() -> None:
    async def story(bench: Bench) -> None:
        host = bench.host()
        await bench.fill(host)
        await lose(host, 2)
        await seconds(bench, 2 * DELAY)
        assert opened(bench) == []
        node = Opener.of(bench)
        await node.start()
        await seconds(bench, LATEST)
        assert len(opened(bench)) == 1
        assert len(node.sent) == 1

    run_bench(story, lazy_repair=LAZY)


@pytest.mark.parametrize("away", [60, DELAY + 600])
def test_a_restart_forgets_nothing(away: int) -> None:
    async def story(bench: Bench) -> None:
        node = Opener.of(bench)
        await node.start()
        host = bench.host()
        await bench.fill(host)
        lost_at = await lose(host, 2)
        await bench.blocks(2)
        await node.die()
        await seconds(bench, away)
        await node.start()
        await seconds(bench, max(0, DELAY - away) + LATEST)
        [time] = opened(bench)
        assert lost_at + DELAY <= time
        assert len(node.sent) == 1

    run_bench(story, lazy_repair=LAZY)


def test_what_was_lost_and_opened_while_it_was_away_is_known_too() -> None:
    async def story(bench: Bench) -> None:
        node = Opener.of(bench)
        await node.start()
        hosts = [bench.host(), bench.host()]
        for host in hosts:
            await bench.fill(host)
        await lose(hosts[0], 0)
        await bench.blocks(2)
        await node.die()
        await lose(hosts[0], 1)  # opens both
        await lose(hosts[1], 0)
        await node.start()
        await bench.blocks(2)
        assert node.service.waiting == [bench.request_of(hosts[1])]
        await seconds(bench, DELAY + LATEST)
        assert len(opened(bench)) == 3
        assert len(node.sent) == 1

    run_bench(story, lazy_repair=LAZY)


def test_without_gas_it_tries_again_and_says_so() -> None:
    async def story(bench: Bench) -> None:
        node = Opener.of(bench)
        await node.start()
        host = bench.host()
        await bench.fill(host)
        await lose(host, 0)
        node.market.faults.refuse("open_repair", InsufficientFunds("no gas"))
        await seconds(bench, DELAY + 2 * LATEST + DELAY // 4)
        assert len(opened(bench)) == 1
        assert node.messages("repair.failed") == ["freed slots could not be looked at: no gas"]

    run_bench(story, lazy_repair=LAZY)


def test_an_opening_that_a_reorganisation_took_is_made_again() -> None:
    async def story(bench: Bench) -> None:
        node = Opener.of(bench)
        await node.start()
        host = bench.host()
        await bench.fill(host)
        await lose(host, 0)
        while not opened(bench):
            await bench.blocks(1)
        bench.world.reorganise(2, loses_transactions=True)
        assert opened(bench) == []
        await seconds(bench, 2 * LATEST)
        assert len(opened(bench)) == 1
        assert node.service.opened == 2

    run_bench(story, lazy_repair=LAZY)


def test_a_request_that_is_over_is_let_go() -> None:
    async def story(bench: Bench) -> None:
        node = Opener.of(bench)
        await node.start()
        host = bench.host()
        await bench.fill(host, duration=900)
        await lose(host, 0)
        await seconds(bench, DELAY + LATEST)
        assert node.service.waiting == []
        assert SlotState.REPAIR not in bench.states(host)
        assert node.sent == []
        assert await node.journal.read("repair-waiting") == {}

    run_bench(story, lazy_repair=LAZY)
