"""Readers do not wait for a peer that stalls: in virtual time, so that every delay is exact."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest

from quire.base.errors import DeadlineExceeded
from quire.flow.assemble import Assembler
from quire.flow.download import Downloads
from quire.net.exchange.estimate import PeerEstimate
from quire.net.exchange.limits import ExchangeLimits
from quire.net.memory import MemoryNetwork
from quire.net.memory_channel import Link, SteadyLink
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run
from quire.store.dataset import Dataset
from support.exchange_nodes import Node, World
from support.memory_store import random_bytes

KIB, MIB = 1 << 10, 1 << 20
RTT = 0.02
RATE = 25e6
LIMITS = ExchangeLimits()
NEVER = 1e6


class StallingLink(SteadyLink):
    """Carries so many bytes of data, and nothing more from then on until `wakes_at`."""

    def __init__(self, carried_bytes: float, wakes_at: float = NEVER) -> None:
        super().__init__(RTT / 2, RATE)
        self._left = carried_bytes
        self._wakes_at = wakes_at

    def delay(self, size_bytes: int, now: float) -> float:
        self._left -= size_bytes if size_bytes > KIB else 0  # what is asked and told is not data
        usual = super().delay(size_bytes, now)
        return usual if self._left >= 0 else max(usual, self._wakes_at - now)


class Readers:
    """A reader, and peers that all have the same dataset; some stall after so many bytes."""

    def __init__(self, world: World, host: Node, dataset: Dataset, data: bytes) -> None:
        self.world = world
        self.host = host
        self.dataset = dataset
        self.data = data

    @property
    def wasted_bytes(self) -> int:
        return sum(each.wasted_bytes for each in self.host.exchange.ledger.all().values())

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def ensure(self, start: int, count: int) -> float:
        """Seconds until the blocks are readable."""
        began = self.now()
        await self.host.exchange.ensure(self.dataset, start, count, began + 60)
        return self.now() - began


def simulate(
    peers: dict[str, Callable[[], Link]],
    test: Callable[[Readers], Awaitable[None]],
    size_bytes: int = 32 * MIB,
    limits: ExchangeLimits = LIMITS,
) -> None:
    """Run a test on a loop of virtual time; `peers` gives the link from each peer to the reader."""
    loop = SimLoop(random.Random(1))
    clock = SimClock(loop)

    def link(sender: str, receiver: str) -> Link:
        made = peers.get(sender.removeprefix("peer-"))
        return made() if made is not None else SteadyLink(RTT / 2, RATE)

    async def main() -> None:
        world = World(MemoryNetwork(clock, link), clock)
        host = await world.node("host", limits)
        data = random_bytes(size_bytes)
        for name in peers:
            node = await world.node(name)
            dataset = node.store.add(data)
            await world.connect(host, node)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, loop.time() + 10)
        await test(Readers(world, host, got, data))
        await world.stop()

    run(loop, main())
    assert not loop.failures


def steady() -> Link:
    return SteadyLink(RTT / 2, RATE)


@pytest.mark.parametrize("others", [1, 3])
def test_the_first_bytes_come_soon_though_one_peer_stalls_from_the_start(others: int) -> None:
    """Unknown speed: late after two round trips and half a second, then a second peer's turn."""
    peers: dict[str, Callable[[], Link]] = {"stalled": lambda: StallingLink(0)}
    peers |= {f"good-{i}": steady for i in range(others)}

    async def test(it: Readers) -> None:
        seconds = await it.ensure(0, 16)
        assert seconds < LIMITS.late_first_seconds + 2 * RTT + 0.3
        assert it.wasted_bytes == 0

    simulate(peers, test)


def test_without_hedging_the_same_reader_would_wait_for_the_timeout() -> None:
    """What the test above proves is not true by itself."""
    peers: dict[str, Callable[[], Link]] = {"stalled": lambda: StallingLink(0), "good": steady}

    async def test(it: Readers) -> None:
        with pytest.raises(DeadlineExceeded):
            await it.host.exchange.ensure(it.dataset, 0, 16, it.now() + 20)

    simulate(peers, test, limits=ExchangeLimits(hedge_bytes=0, hedge_share=0.0))


def test_a_peer_that_stalls_in_the_middle_costs_a_reader_one_short_wait() -> None:
    peers: dict[str, Callable[[], Link]] = {
        "stalls": lambda: StallingLink(6 * MIB),
        "good": steady,
        "other": steady,
    }

    async def test(it: Readers) -> None:
        host, clock = it.host, SimClock(it_loop())
        assembler = Assembler(host.store, host.exchange, clock, host.events, host.waits)
        downloads = Downloads(host.store, assembler, clock)
        got, gaps, before = bytearray(), [], it.now()
        async with aclosing(downloads.read(it.dataset)) as chunks:
            async for chunk in chunks:
                got += chunk
                gaps.append(it.now() - before)
                before = it.now()
        assert bytes(got) == it.data
        assert max(gaps) < 1.0
        assert "fetch.peer-late" in it.host.kinds()
        assert "peer.banned" not in it.host.kinds()
        account = it.host.exchange.ledger.of("peer-stalls")
        assert account.timeouts == 0
        assert account.received_bytes > 0

    simulate(peers, test)


@pytest.mark.parametrize("stalled", [1, 2])
def test_a_fetch_of_everything_ends_soon_though_peers_stall_with_many_pieces(stalled: int) -> None:
    peers: dict[str, Callable[[], Link]] = {"good": steady, "other": steady}
    peers |= {f"stalls-{i}": lambda: StallingLink(4 * MIB) for i in range(stalled)}

    async def test(it: Readers) -> None:
        began = it.now()
        await it.host.exchange.fetch(it.dataset).wait(began + 60)
        assert it.host.store.content(it.dataset) == it.data
        at_full_rate = len(it.data) / (2 * RATE)
        assert it.now() - began < at_full_rate + 1.5
        assert it.wasted_bytes <= LIMITS.hedge_bytes + LIMITS.hedge_share * len(it.data)

    simulate(peers, test, size_bytes=64 * MIB)


def it_loop() -> SimLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimLoop)
    return loop


def test_what_a_late_peer_sends_after_all_is_counted_and_bounded() -> None:
    """It wakes up, sends what it was asked for, and is used again later without blame."""
    wakes_at = 1000.0 + 4.0
    peers: dict[str, Callable[[], Link]] = {
        "sleepy": lambda: StallingLink(2 * MIB, wakes_at),
        "good": steady,
        "other": steady,
    }

    async def test(it: Readers) -> None:
        blocks = it.dataset.block_count
        for start in range(0, blocks, 32):
            await it.ensure(start, 32)
            await asyncio.sleep(0.1)
        await asyncio.sleep(5.0)
        window = LIMITS.peer_window_max
        assert 0 < it.wasted_bytes <= window
        assert it.host.exchange.status()["bytesInFlight"] == 0
        assert "peer.banned" not in it.host.kinds()

    simulate(peers, test, size_bytes=64 * MIB)


def test_bytes_in_flight_stay_within_the_budget_while_reads_are_hedged() -> None:
    limits = ExchangeLimits(bytes_in_flight=4 * MIB)
    peers: dict[str, Callable[[], Link]] = {
        "stalls": lambda: StallingLink(2 * MIB),
        "good": steady,
        "other": steady,
    }

    async def test(it: Readers) -> None:
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                used = it.host.exchange.status()["bytesInFlight"]
                assert isinstance(used, int)
                most = max(most, used)
                await asyncio.sleep(0.005)

        watching = asyncio.ensure_future(watch())
        assert await it.ensure(0, it.dataset.block_count) < 8.0
        watching.cancel()
        assert MIB < most <= limits.bytes_in_flight

    simulate(peers, test, limits=limits)


def test_peers_that_keep_their_pace_are_never_asked_twice() -> None:
    """Jitter within what a peer usually does is not late."""
    rng = random.Random(3)

    class Uneven(SteadyLink):
        def delay(self, size_bytes: int, now: float) -> float:
            return super().delay(size_bytes, now) + rng.random() * RTT

    peers: dict[str, Callable[[], Link]] = {
        "a": lambda: Uneven(RTT / 2, RATE),
        "b": lambda: Uneven(RTT / 2, RATE / 4),
        "c": lambda: Uneven(RTT, RATE),
    }

    async def test(it: Readers) -> None:
        for start in range(0, it.dataset.block_count, 64):
            await it.ensure(start, 64)
        assert it.wasted_bytes <= len(it.data) // 20
        assert "fetch.peer-late" not in it.host.kinds()

    simulate(peers, test)


def test_a_peer_is_late_only_beyond_its_own_habits() -> None:
    estimate = PeerEstimate(LIMITS)
    assert estimate.late_seconds(MIB) == LIMITS.late_first_seconds
    for step in range(20):
        estimate.delivered(MIB, step, step + 0.1, 0.1)
    steady_seconds = estimate.late_seconds(MIB)
    assert steady_seconds == pytest.approx(0.1 + LIMITS.late_min_seconds, rel=0.05)
    for step in range(20, 40):
        estimate.delivered(MIB, step, step + 0.1, 0.4)
    assert estimate.late_seconds(MIB) > steady_seconds + 1.0
