"""What of the store is cache, how often it is asked for, and what of it goes when it is too much.

A dataset is cached when it came from the network: it has a root of kind "cache", and none of an
upload, a request or a slot. Its blocks go, region by region, when nothing else keeps it: no pin, no
name, nobody reading or fetching it. With its last block it loses its root, and the next collection
takes the manifest.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.base.units import MIB, format_size
from quire.formats.cid import Cid
from quire.store.cache_policy import CachePolicy
from quire.store.dataset import Dataset, Space, TreeState
from quire.store.port import Listener

REGION_BYTES = 16 * MIB
VISIT_SECONDS = 600.0  # one reader of a region in this time asked for it once
SPARED_SECONDS = 10.0  # after it was asked for
REFRESH_SECONDS = 300.0  # until it is looked again why datasets are kept
HEADROOM_SHARE = 0.02  # of the quota: left for what is being written
VISITS_MAX = 50_000
# Of what this node has published, or keeps by contract.
OWN_KINDS = ("lease", "request", "slot", "job")

Region: TypeAlias = tuple[bytes, int]  # tree root, number


class ShelfStore(Protocol):
    """What is used of the store."""

    async def datasets(self) -> list[Dataset]: ...

    async def dataset(self, manifest_cid: Cid) -> Dataset | None: ...

    def tree(self, root: bytes) -> TreeState | None: ...

    def is_held(self, root: bytes) -> bool: ...

    async def shed(
        self, root: bytes, start: int, count: int, *, spares_held: bool = False
    ) -> int: ...

    async def release(self, manifest_cid: Cid, kind: str, name: str) -> bool: ...

    def space(self) -> Space: ...

    def on_change(self, listener: Listener) -> Callable[[], None]: ...


@dataclass(slots=True)
class _Tree:
    """Why the datasets of a tree are kept: kinds of roots by manifest CID."""

    region_blocks: int
    regions: int
    kinds: dict[Cid, frozenset[str]] = field(default_factory=dict)
    is_complete: bool = False  # and measured since

    @property
    def is_cached(self) -> bool:
        return all(
            "cache" in kinds and kinds.isdisjoint(OWN_KINDS) for kinds in self.kinds.values()
        )

    @property
    def may_go(self) -> bool:
        return all(kinds <= {"cache"} for kinds in self.kinds.values())


class Shelf:
    """`size_bytes`: of what nothing else keeps, at most; 0: as much as the quota and its time
    allow, and nothing is evicted."""

    def __init__(
        self,
        store: ShelfStore,
        clock: Clock,
        events: EventBus,
        *,
        size_bytes: int = 0,
        region_bytes: int = REGION_BYTES,
    ) -> None:
        self.size_bytes = size_bytes
        self.evicted_bytes = 0
        self._store = store
        self._clock = clock
        self._events = events
        self._region_bytes = region_bytes
        self.policy: CachePolicy[Region] = CachePolicy(size_bytes)
        self._trees: dict[bytes, _Tree] = {}
        self._visits: OrderedDict[tuple[str, Region], float] = OrderedDict()
        self._asked_at: dict[Region, float] = {}
        self._refreshed_at = 0.0
        self._doubted: dict[bytes, None] = {}
        self._unlisten: Callable[[], None] = _nothing

    async def start(self) -> None:
        """Look through the store. Raises StoreCorrupt."""
        self._unlisten = self._store.on_change(self._changed)
        await self._refresh()

    def stop(self) -> None:
        self._unlisten()
        self._unlisten = _nothing

    @property
    def cached_bytes(self) -> int:
        """Of what may go."""
        return self.policy.used_bytes

    def is_cached(self, root: bytes) -> bool:
        """Whether a tree came from the network, and is not kept by contract."""
        tree = self._trees.get(root)
        return tree is not None and tree.is_cached

    def doubt(self, root: bytes) -> None:
        """Somebody is refused for a price: look soon whether a tree is still cache."""
        self._doubted[root] = None

    def may_go(self, root: bytes) -> bool:
        """Whether nothing but the cache keeps a tree, as far as was looked."""
        tree = self._trees.get(root)
        return tree is not None and tree.may_go

    def asked(self, who: str, root: bytes, start: int, count: int) -> None:
        """Somebody was given blocks of a tree, or reads them here."""
        tree, now = self._trees.get(root), self._clock.monotonic()
        if tree is None or not tree.may_go:
            return
        stop = start + max(1, count)
        for number in range(start // tree.region_blocks, -(-stop // tree.region_blocks)):
            region = (root, number)
            self._asked_at[region] = now
            last = self._visits.pop((who, region), None)
            if last is None or now - last > VISIT_SECONDS:
                last = now
                self.policy.asked(region)
            self._visits[who, region] = last
        while len(self._visits) > VISITS_MAX:
            self._visits.popitem(last=False)

    async def look(self) -> int:
        """Measure what has grown and evict what is too much; bytes. Raises DiskFull."""
        now = self._clock.monotonic()
        if now - self._refreshed_at > REFRESH_SECONDS:
            await self._refresh()
        doubted, self._doubted = self._doubted, {}
        for root in doubted:
            await self._look_why_kept(root)
        if not self.size_bytes:
            return 0
        for root, tree in self._trees.items():
            if tree.may_go and not tree.is_complete:
                self._measure(root, tree)
        self.policy.capacity_bytes = self._capacity()
        evicted = 0
        for region in self.policy.evict(self._is_spared):
            evicted += await self._give_up(region)
        self._asked_at = {r: at for r, at in self._asked_at.items() if now - at < SPARED_SECONDS}
        self.evicted_bytes += evicted
        return evicted

    # ---- what is here ----

    async def _refresh(self) -> None:
        datasets = await self._store.datasets()
        here = {dataset.tree_root: None for dataset in datasets}
        for root in [root for root in self._trees if root not in here]:
            self._forget(root)
        for dataset in datasets:
            self._take(dataset)
        self._refreshed_at = self._clock.monotonic()

    def _changed(self, kind: str, dataset: Dataset) -> None:
        if kind != "deleted":
            self._take(dataset)
            return
        tree = self._trees.get(dataset.tree_root)
        if tree is not None:
            tree.kinds.pop(dataset.manifest_cid, None)
            if not tree.kinds:
                self._forget(dataset.tree_root)

    def _take(self, dataset: Dataset) -> None:
        """Note why a dataset is kept, as of now."""
        root, now = dataset.tree_root, self._clock.now()
        tree = self._trees.get(root)
        if tree is None:
            blocks = max(1, self._region_bytes // dataset.manifest.block_size)
            regions = -(-dataset.block_count // blocks)
            tree = self._trees[root] = _Tree(blocks, regions)
        lasting = (r.kind for r in dataset.roots if r.expires_at is None or r.expires_at > now)
        tree.kinds[dataset.manifest_cid] = frozenset(lasting)
        tree.is_complete = False
        if not tree.may_go:
            self._drop_regions(root, tree)

    def _measure(self, root: bytes, tree: _Tree) -> None:
        state = self._store.tree(root)
        if state is None:
            self._drop_regions(root, tree)
            return
        blocks, step = state.blocks, tree.region_blocks
        for number in range(tree.regions):
            count = blocks.within(number * step, (number + 1) * step).count()
            if count:
                self.policy.add((root, number), count * state.block_size)
            else:
                self.policy.remove((root, number))
        tree.is_complete = state.present.covers(0, state.leaf_count)

    def _drop_regions(self, root: bytes, tree: _Tree) -> None:
        for number in range(tree.regions):
            self.policy.remove((root, number))

    def _forget(self, root: bytes) -> None:
        self._drop_regions(root, self._trees.pop(root))

    # ---- what goes ----

    def _capacity(self) -> int:
        """What is set, and no more than the quota leaves beside everything else."""
        space = self._store.space()
        others = max(0, space.quota_used_bytes - self.policy.used_bytes)
        headroom = int(HEADROOM_SHARE * space.quota_max_bytes)
        room = space.quota_max_bytes - space.quota_reserved_bytes - others - headroom
        return max(0, min(self.size_bytes, room))

    def _is_spared(self, region: Region) -> bool:
        asked_at = self._asked_at.get(region)
        is_fresh = asked_at is not None and self._clock.monotonic() - asked_at < SPARED_SECONDS
        return is_fresh or self._store.is_held(region[0])

    async def _give_up(self, region: Region) -> int:
        """The blocks of a region, if still nothing else keeps them; bytes."""
        root, number = region
        tree, state = self._trees.get(root), self._store.tree(root)
        if tree is None or state is None or not await self._may_still_go(root, tree):
            return 0
        start = number * tree.region_blocks
        count = min(tree.region_blocks, state.leaf_count - start)
        shed = await self._store.shed(root, start, count, spares_held=True)
        tree.is_complete = False
        size = shed * state.block_size
        if shed:
            self._events.publish(
                "cache.evicted",
                str(next(iter(tree.kinds), "")),
                f"{format_size(size)} of it made room in the cache; others were asked for more",
                bytes=size,
            )
        await self._end_if_empty(root, tree)
        return size

    async def _look_why_kept(self, root: bytes) -> None:
        tree = self._trees.get(root)
        for cid in [] if tree is None else list(tree.kinds):
            dataset = await self._store.dataset(cid)
            if dataset is not None:
                self._take(dataset)

    async def _may_still_go(self, root: bytes, tree: _Tree) -> bool:
        await self._look_why_kept(root)
        return bool(tree.kinds) and tree.may_go and not self._store.is_held(root)

    async def _end_if_empty(self, root: bytes, tree: _Tree) -> None:
        """Nothing of a dataset is here: its manifest need not be either."""
        state = self._store.tree(root)
        if state is None or state.blocks or self._store.is_held(root):
            return
        for cid in list(tree.kinds):
            dataset = await self._store.dataset(cid)
            for each in () if dataset is None else dataset.roots:
                if each.kind == "cache":
                    await self._store.release(cid, each.kind, each.name)


def _nothing() -> None:
    """Until the store is listened to."""
