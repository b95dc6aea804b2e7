"""What this node holds is announced, renewed, tried again, and withdrawn."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import PeerSilent
from quire.base.events import EventBus
from quire.base.ranges import RangeSet
from quire.base.rng import seeded_rng
from quire.formats.cid import Cid, manifest_cid
from quire.net.discovery import Announcer
from quire.net.discovery.schedule import AnnounceSchedule, AnnounceTiming
from quire.net.memory import MemoryTransport
from quire.net.transport import ProviderRecord
from support.exchange_nodes import soon, until
from support.memory_store import MemoryStore, random_bytes
from support.networks import make_network, make_transport

CIDS = [manifest_cid(bytes([n])) for n in range(30)]
TIMING = AnnounceTiming(retry_first_seconds=0.02, attempt_seconds=0.2)


def test_a_key_is_due_at_once_then_before_its_record_ages() -> None:
    schedule = AnnounceSchedule(AnnounceTiming(), seeded_rng(1))
    schedule.add(CIDS[0], 100.0)
    schedule.add(CIDS[0], 200.0)
    entry = schedule.take(100.0)
    assert entry is not None
    assert schedule.take(100.0) is None
    assert schedule.next_at() is None
    schedule.published(entry, 3, 101.0)
    due = schedule.next_at()
    assert due is not None
    assert 101.0 + 0.9 * 1800 <= due <= 101.0 + 1800
    assert schedule.take(due - 1) is None
    assert schedule.take(due) is entry


def test_failures_are_retried_later_and_later_up_to_a_limit() -> None:
    schedule = AnnounceSchedule(AnnounceTiming(), seeded_rng(1))
    schedule.add(CIDS[0], 0.0)
    now, pauses = 0.0, []
    for _ in range(12):
        entry = schedule.take(now)
        assert entry is not None
        schedule.failed(entry, "nobody", now)
        due = schedule.next_at()
        assert due is not None
        pauses.append(due - now)
        now = due
    assert 3.75 <= pauses[0] <= 6.25
    assert 225 <= min(pauses[-3:]) <= max(pauses[-3:]) <= 375


def test_what_failed_is_hurried_when_peers_come() -> None:
    schedule = AnnounceSchedule(AnnounceTiming(), seeded_rng(1))
    schedule.add(CIDS[0], 0.0)
    entry = schedule.take(0.0)
    assert entry is not None
    schedule.failed(entry, "nobody", 0.0)
    schedule.hurry(1.0)
    assert schedule.take(1.0) is entry


def test_what_was_published_is_due_again_when_our_addresses_change() -> None:
    schedule = AnnounceSchedule(AnnounceTiming(), seeded_rng(1))
    schedule.add(CIDS[0], 0.0)
    schedule.add(CIDS[1], 0.0)
    entry = schedule.take(0.0)
    assert entry is not None
    schedule.published(entry, 3, 0.0)
    under_way = schedule.take(0.0)
    assert under_way is not None
    assert schedule.take(1.0) is None
    schedule.renew(1.0)
    assert schedule.take(1.0) is entry
    assert schedule.take(1.0) is None


def test_a_removed_key_is_never_due() -> None:
    schedule = AnnounceSchedule(AnnounceTiming(), seeded_rng(1))
    schedule.add(CIDS[0], 0.0)
    schedule.add(CIDS[1], 0.0)
    under_way = schedule.take(0.0)
    assert under_way is not None
    for cid in CIDS[:2]:
        schedule.remove(cid)
    schedule.published(under_way, 1, 1.0)
    assert schedule.next_at() is None
    assert schedule.take(1e9) is None


class Pair:
    """A node with an announcer, and another that looks for what it announces."""

    def __init__(self) -> None:
        network = make_network()
        self.node, self.other = make_transport(network, "node"), make_transport(network, "other")
        self.events = EventBus(SystemClock())
        self.announcer = Announcer(
            self.node, SystemClock(), seeded_rng(1), self.events, timing=TIMING
        )
        self.store = MemoryStore()

    async def __aenter__(self) -> Pair:
        await self.node.start()
        await self.other.start()
        await self.announcer.start()
        self.announcer.follow(self.store)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.announcer.stop()
        await self.node.stop(soon())
        await self.other.stop(soon())

    async def connect(self) -> None:
        await self.other.dial(self.node.peer_id, self.node.listen_addresses(), soon())

    async def found(self, cid: Cid) -> list[str]:
        records: list[ProviderRecord] = []
        await self.other.find_providers(cid.encode(), soon(), records.append)
        return [record.peer for record in records]


async def test_a_dataset_is_announced_by_manifest_and_tree() -> None:
    async with Pair() as pair:
        await pair.connect()
        dataset = pair.store.add(random_bytes(1000))
        pair.announcer.announce_dataset(dataset, pair.store)
        await until(lambda: pair.announcer.status().published == 2)
        for cid in (dataset.manifest_cid, dataset.manifest.tree_cid):
            assert await pair.found(cid) == ["peer-node"]
        items = pair.announcer.status().items
        assert [(item.state, item.peers) for item in items] == [("published", 1)] * 2


async def test_a_tree_without_blocks_is_announced_only_when_it_has_some() -> None:
    async with Pair() as pair:
        await pair.connect()
        dataset = pair.store.add(random_bytes(200_000), present=RangeSet())
        await until(lambda: pair.announcer.status().published == 1)
        assert await pair.found(dataset.manifest.tree_cid) == []
        pair.store.hold(dataset.tree_root, 1, 2)
        pair.announcer.announce_dataset(dataset, pair.store)
        await until(lambda: pair.announcer.status().published == 2)
        assert await pair.found(dataset.manifest.tree_cid) == ["peer-node"]


async def test_a_lonely_node_announces_as_soon_as_it_has_a_peer() -> None:
    async with Pair() as pair:
        pair.announcer.announce(CIDS[0])
        await until(lambda: pair.announcer.status().failed == 1)
        assert "no other node" in pair.announcer.status().items[0].problem
        await pair.connect()
        await until(lambda: pair.announcer.status().published == 1)
        assert await pair.found(CIDS[0]) == ["peer-node"]


async def test_what_is_withdrawn_is_not_announced_again() -> None:
    async with Pair() as pair:
        await pair.connect()
        dataset = pair.store.add(random_bytes(1000))
        pair.announcer.announce_dataset(dataset, pair.store)
        await until(lambda: pair.announcer.status().published == 2)
        pair.store.lose(dataset.tree_root, 0, 1)
        pair.announcer.withdraw_dataset(dataset, pair.store)
        kinds = lambda: [event.kind for event in pair.events.history()]  # noqa: E731
        await until(lambda: kinds().count("announce.withdrawn") == 2)
        assert pair.announcer.status().items == ()
        records: list[ProviderRecord] = []
        await pair.node.find_providers(CIDS[0].encode(), soon(), records.append)
        assert records == []


async def test_a_tree_that_another_dataset_keeps_stays_announced() -> None:
    async with Pair() as pair:
        await pair.connect()
        dataset = pair.store.add(random_bytes(1000))
        pair.announcer.announce_dataset(dataset, pair.store)
        pair.announcer.withdraw_dataset(dataset, pair.store)
        assert [item.cid for item in pair.announcer.status().items] == [dataset.manifest.tree_cid]


async def test_publications_are_bounded_and_slow_ones_time_out() -> None:
    class Slow(MemoryTransport):
        running = most = 0

        async def provide(self, key: bytes, deadline: float) -> int:
            Slow.running += 1
            Slow.most = max(Slow.most, Slow.running)
            try:
                await asyncio.sleep(0.01 if key != CIDS[0].encode() else 3600)
            finally:
                Slow.running -= 1
            if key == CIDS[1].encode():
                raise PeerSilent("nobody answered")
            return 1

    node = Slow(make_network(), "peer-slow", "/memory/slow")
    announcer = Announcer(
        node,
        SystemClock(),
        seeded_rng(1),
        EventBus(SystemClock()),
        timing=AnnounceTiming(attempt_seconds=0.1),
    )
    await announcer.start()
    for cid in CIDS:
        announcer.announce(cid)
    assert announcer.status().queued == len(CIDS)
    await until(lambda: announcer.status().queued == 0)
    status = announcer.status()
    assert (status.published, status.failed) == (len(CIDS) - 2, 2)
    problems = {item.cid: item.problem for item in status.items if item.state == "failed"}
    assert "no answer within" in problems[CIDS[0]]
    assert problems[CIDS[1]] == "nobody answered"
    assert Slow.most == 10
    await announcer.stop()


def test_keys_of_earlier_runs_take_turns_at_a_steady_rate():
    timing = AnnounceTiming(background_rate=2.0, background_burst=5.0, cycle_seconds=1e9)
    schedule = AnnounceSchedule(timing, seeded_rng(1))
    for number in range(40):
        schedule.add(manifest_cid(b"%d" % number), 0.0, is_new=False)
    taken, now = [], 0.0
    while (due := schedule.next_at()) is not None and len(taken) < 40:
        now = max(now, due)
        entry = schedule.take(now)
        assert entry is not None
        taken.append(now)
    assert taken[:5] == [0.0] * 5
    steps = [later - earlier for earlier, later in pairwise(taken[4:])]
    assert steps == pytest.approx([0.5] * 35, abs=1e-5)


def test_a_new_key_does_not_wait_behind_those_of_earlier_runs():
    timing = AnnounceTiming(background_rate=0.001, background_burst=1.0)
    schedule = AnnounceSchedule(timing, seeded_rng(1))
    for cid in CIDS[:2]:
        schedule.add(cid, 0.0, is_new=False)
    assert schedule.take(0.0) is not None
    assert schedule.take(0.0) is None
    fresh = schedule.add(manifest_cid(b"fresh"), 1.0)
    assert schedule.next_at() == 1.0
    assert schedule.take(1.0) is fresh


def test_however_many_keys_there_are_each_has_its_turn_within_a_cycle():
    timing = AnnounceTiming(background_rate=1.0, background_burst=1.0, cycle_seconds=10.0)
    schedule = AnnounceSchedule(timing, seeded_rng(1))
    for number in range(50):
        schedule.add(manifest_cid(b"%d" % number), 0.0, is_new=False)
    count = sum(schedule.take(step / 50) is not None for step in range(501))
    assert count == 50
