"""What of a real store is cache, and what of it goes when there is too much."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quire.base.events import EventBus
from quire.formats.cid import manifest_cid
from quire.services.caching.shelf import SPARED_SECONDS, VISIT_SECONDS, Shelf
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.store import Store
from support.memory_store import random_bytes
from support.store_kit import BLOCK, PIN, Remote, TurnedClock, put, store_in

REGION = 16 * BLOCK
CACHE = RetentionRoot("cache", "fetch", None)


class Cached:
    """A store, its shelf, and a clock that the test turns."""

    def __init__(self, store: Store, clock: TurnedClock, events: EventBus, size: int) -> None:
        self.store, self.clock, self.events = store, clock, events
        self.shelf = Shelf(store, clock, events, size_bytes=size, region_bytes=REGION)

    async def fetch(self, regions: int, seed: int, root: RetentionRoot = CACHE) -> Dataset:
        """A dataset as it comes from the network, and the cache looks at it."""
        remote = Remote.of(random_bytes(regions * REGION, seed))
        dataset = await self.store.put_manifest(remote.manifest, root)
        await remote.give(self.store, 0, remote.count)
        await self.store.flush()
        await self.look()
        return dataset

    async def look(self) -> int:
        self.clock.seconds += SPARED_SECONDS
        return await self.shelf.look()

    def held(self, dataset: Dataset) -> list[int]:
        """Regions of which all blocks are here."""
        tree = self.store.tree(dataset.tree_root)
        count = dataset.block_count // 16
        return [n for n in range(count) if tree and tree.present.covers(16 * n, 16 * n + 16)]

    def read(self, dataset: Dataset, region: int, who: str = "peer") -> None:
        self.shelf.asked(who, dataset.tree_root, 16 * region, 16)


@asynccontextmanager
async def cached(path: Path, size: int, quota: int = 1 << 30) -> AsyncIterator[Cached]:
    clock = TurnedClock()
    events = EventBus(clock)
    async with store_in(path, clock=clock, events=events, quota_bytes=quota) as store:
        it = Cached(store, clock, events, size)
        await it.shelf.start()
        yield it
        it.shelf.stop()


async def test_what_is_asked_for_stays_and_what_passed_by_goes(tmp_path: Path) -> None:
    async with cached(tmp_path, 8 * REGION) as it:
        popular = await it.fetch(4, 1)
        for who in ("one", "two"):
            for region in range(4):
                it.read(popular, region, who)
        passing = [await it.fetch(3, seed) for seed in range(2, 8)]
        assert it.held(popular) == [0, 1, 2, 3]
        assert it.shelf.cached_bytes <= 8 * REGION
        assert it.held(passing[0]) == []
        assert it.shelf.evicted_bytes >= 10 * REGION
        told = [event for event in it.events.history() if event.kind == "cache.evicted"]
        assert told[0].subject == str(passing[0].manifest_cid)


async def test_a_dataset_without_blocks_loses_its_manifest_with_the_next_collection(
    tmp_path: Path,
) -> None:
    async with cached(tmp_path, 2 * REGION) as it:
        first = await it.fetch(2, 1)
        await it.fetch(2, 2)
        await it.fetch(2, 3)
        assert it.held(first) == []
        await it.store.collect()
        assert await it.store.dataset(first.manifest_cid) is None


@pytest.mark.parametrize("kind", ["pin", "name", "lease", "request", "slot"])
async def test_what_something_else_keeps_is_never_touched(tmp_path: Path, kind: str) -> None:
    async with cached(tmp_path, 2 * REGION) as it:
        kept = await it.fetch(4, 1, RetentionRoot(kind, "reason", None))
        await it.store.retain(kept.manifest_cid, CACHE)
        for seed in range(2, 8):
            await it.fetch(2, seed)
        assert it.held(kept) == [0, 1, 2, 3]
        assert it.shelf.cached_bytes <= 2 * REGION


async def test_what_is_pinned_in_the_last_moment_is_kept(tmp_path: Path) -> None:
    async with cached(tmp_path, 8 * REGION) as it:
        dataset = await it.fetch(4, 1)
        await it.store.retain(dataset.manifest_cid, PIN)  # nobody tells the shelf
        it.shelf.size_bytes = REGION
        assert await it.look() == 0
        assert it.held(dataset) == [0, 1, 2, 3]


async def test_what_is_being_read_or_was_just_asked_for_is_spared(tmp_path: Path) -> None:
    async with cached(tmp_path, 8 * REGION) as it:
        dataset = await it.fetch(4, 1)
        it.shelf.size_bytes = REGION
        with it.store.holding(dataset.tree_root):
            assert await it.look() == 0
        it.clock.seconds += SPARED_SECONDS
        it.read(dataset, 2)
        it.clock.seconds += SPARED_SECONDS / 2
        assert await it.shelf.look() == 3 * REGION
        assert it.held(dataset) == [2]


async def test_the_quota_bounds_the_cache_beside_what_is_kept(tmp_path: Path) -> None:
    async with cached(tmp_path, 1 << 30, quota=40 * REGION) as it:
        await it.fetch(10, 1)
        await put(it.store, random_bytes(24 * REGION, 2))
        await it.look()
        await it.fetch(5, 3)
        await it.look()
        await it.store.reclaimed()
        space = it.store.space()
        assert space.quota_used_bytes <= 40 * REGION
        assert it.shelf.cached_bytes < 16 * REGION


async def test_without_a_limit_nothing_goes(tmp_path: Path) -> None:
    async with cached(tmp_path, 0) as it:
        datasets = [await it.fetch(2, seed) for seed in range(1, 4)]
        assert all(it.held(each) == [0, 1] for each in datasets)
        assert all(it.shelf.is_cached(each.tree_root) for each in datasets)


async def test_one_reader_who_goes_on_reading_counts_once(tmp_path: Path) -> None:
    async with cached(tmp_path, 8 * REGION) as it:
        dataset = await it.fetch(1, 1)
        policy = it.shelf.policy
        for _ in range(16):
            it.read(dataset, 0)
        assert policy.count((dataset.tree_root, 0)) == 1
        it.clock.seconds += VISIT_SECONDS + 1
        it.read(dataset, 0)
        it.read(dataset, 0, "another")
        assert policy.count((dataset.tree_root, 0)) == 3


async def test_what_this_node_has_published_is_not_cache(tmp_path: Path) -> None:
    async with cached(tmp_path, 8 * REGION) as it:
        own = await put(it.store, random_bytes(REGION, 1))
        fetched = await it.fetch(1, 2)
        await it.store.retain(fetched.manifest_cid, PIN)
        contract = await it.fetch(1, 3, RetentionRoot("slot", "0xaa/1", None))
        assert not it.shelf.is_cached(own.tree_root)
        assert not it.shelf.is_cached(contract.tree_root)
        assert not it.shelf.is_cached(manifest_cid(b"unknown").digest)
        assert it.shelf.is_cached(fetched.tree_root)


async def test_a_contract_that_begins_makes_a_dataset_free(tmp_path: Path) -> None:
    async with cached(tmp_path, 0) as it:
        fetched = await it.fetch(1, 2)
        request = RetentionRoot("request", "0xaa", None)
        await it.store.retain(fetched.manifest_cid, request)  # nobody tells the shelf
        it.shelf.doubt(fetched.tree_root)
        await it.look()
        assert not it.shelf.is_cached(fetched.tree_root)


async def test_a_shelf_that_starts_anew_finds_what_is_cached(tmp_path: Path) -> None:
    async with cached(tmp_path, 8 * REGION) as it:
        dataset = await it.fetch(4, 1)
        it.shelf.stop()
        again = Shelf(it.store, it.clock, it.events, size_bytes=2 * REGION, region_bytes=REGION)
        await again.start()
        assert again.is_cached(dataset.tree_root)
        it.clock.seconds += SPARED_SECONDS
        assert await again.look() == 2 * REGION
        again.stop()


async def test_a_deleted_dataset_leaves_the_shelf(tmp_path: Path) -> None:
    async with cached(tmp_path, 8 * REGION) as it:
        dataset = await it.fetch(4, 1)
        assert it.shelf.cached_bytes == 4 * REGION
        await it.store.delete(dataset.manifest_cid)
        assert it.shelf.cached_bytes == 0
        assert not it.shelf.is_cached(dataset.tree_root)
