"""Small stand-ins for store, exchange and announcer, for tests of flow and faces."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace

from quire.base.clock import SystemClock
from quire.base.errors import BlockMissing, DeadlineExceeded, QuotaExceeded
from quire.base.events import EventBus
from quire.base.ranges import RangeSet
from quire.formats.cid import Cid, manifest_cid, tree_cid
from quire.formats.manifest import Manifest, decode_manifest, encode_manifest
from quire.formats.merkle import EMPTY_TREE_ROOT
from quire.kernels.hashing import merkle_root, sha256_blocks
from quire.store.dataset import Dataset, Holding, RetentionRoot, Space, TreeState


def make_dataset(data: bytes, block_size: int = 65536, **names: str) -> tuple[Dataset, bytes]:
    """A complete dataset over `data`, and its padded blocks."""
    digests = sha256_blocks(data, block_size) if data else b""
    manifest = Manifest(
        tree_cid(merkle_root(digests) if digests else EMPTY_TREE_ROOT),
        block_size,
        len(data),
        names.get("filename"),
        names.get("mimetype"),
    )
    encoded = encode_manifest(manifest)
    blocks = data + bytes(-len(data) % block_size)
    dataset = Dataset(
        manifest_cid(encoded), manifest, encoded, 1000.0, (RetentionRoot("cache", "", None),),
        manifest.block_count,
    )  # fmt: skip
    return dataset, blocks


class FakeUpload:
    def __init__(self, store: FakeStore, block_size: int) -> None:
        self._store, self._block_size = store, block_size
        self._data = bytearray()
        self.was_aborted = False

    @property
    def received_bytes(self) -> int:
        return len(self._data)

    async def write(self, data: bytes) -> None:
        if len(self._data) + len(data) > self._store.quota:
            raise QuotaExceeded("the quota is full")
        self._store.writes.append(len(data))
        self._data += data
        await asyncio.sleep(0)

    async def commit(self, *, filename=None, mimetype=None, root=None) -> Dataset:
        names = {"filename": filename, "mimetype": mimetype}
        dataset, blocks = make_dataset(bytes(self._data), self._block_size, **names)
        self._store.add(dataset, blocks)
        return dataset

    async def abort(self) -> None:
        self.was_aborted = True


class FakeStore:
    """The store's contract over dicts."""

    def __init__(self, quota: int = 1 << 30) -> None:
        self.quota = quota
        self.writes: list[int] = []
        self.uploads: list[FakeUpload] = []
        self.bad: set[int] = set()  # blocks that turn out corrupt when read
        self.reads = 0
        self._datasets: dict[bytes, Dataset] = {}
        self._blocks: dict[bytes, bytes] = {}
        self._present: dict[bytes, RangeSet] = {}
        self._listeners: list[Callable[[str, Dataset], None]] = []

    def begin_upload(self, *, block_size=65536, expected_bytes=None) -> FakeUpload:
        if expected_bytes is not None and expected_bytes > self.quota:
            raise QuotaExceeded("the quota is full")
        self.uploads.append(FakeUpload(self, block_size))
        return self.uploads[-1]

    def add(self, dataset: Dataset, blocks: bytes, present: RangeSet | None = None) -> None:
        """Register a dataset with the given blocks present (all by default)."""
        root = dataset.tree_root
        self._blocks[root] = blocks
        self._present[root] = RangeSet([(0, dataset.block_count)]) if present is None else present
        self._datasets[dataset.manifest_cid.encode()] = dataset
        self._tell("complete" if self._now(dataset).is_complete else "added", dataset)

    def arrive(self, root: bytes, start: int, count: int) -> None:
        """Blocks come from the network."""
        self._present[root].add(start, start + count)
        self.bad -= set(range(start, start + count))
        for dataset in self._datasets.values():
            if dataset.tree_root == root and self._now(dataset).is_complete:
                self._tell("complete", dataset)

    def _tell(self, kind: str, dataset: Dataset) -> None:
        for listener in list(self._listeners):
            listener(kind, self._now(dataset))

    def _now(self, dataset: Dataset) -> Dataset:
        count = self._present[dataset.tree_root].count()
        return dataclasses.replace(dataset, present_count=count)

    def tree(self, root: bytes) -> TreeState | None:
        if root not in self._present:
            return None
        return TreeState(root, len(self._blocks[root]) // 65536, 65536, self._present[root].copy())

    def holding(self, root: bytes) -> AbstractContextManager[None]:
        return nullcontext()

    async def holdings(self) -> list[Holding]:
        return [
            Holding(d.manifest_cid, d.manifest.tree_cid, bool(self._present[d.tree_root]))
            for d in await self.datasets()
        ]

    async def read_range(self, root: bytes, start: int, count: int) -> bytes:
        self.reads += 1
        missing = self.bad.intersection(range(start, start + count))
        for block in missing:
            self._present[root].remove(block, block + 1)
        if not self._present[root].covers(start, start + count):
            raise BlockMissing("blocks are missing")
        size = self._size(root)
        return self._blocks[root][start * size : (start + count) * size]

    def _size(self, root: bytes) -> int:
        return next(d.manifest.block_size for d in self._datasets.values() if d.tree_root == root)

    async def read_block(self, cid: Cid) -> bytes:
        for root, blocks in self._blocks.items():
            size = self._size(root)
            digests = sha256_blocks(blocks, size)
            for index in range(len(digests) // 32):
                if digests[index * 32 : index * 32 + 32] == cid.digest:
                    return blocks[index * size : (index + 1) * size]
        raise BlockMissing("no such block")

    async def put_manifest(self, data: bytes, root: RetentionRoot) -> Dataset:
        return Dataset(manifest_cid(data), decode_manifest(data), data, 0.0, (root,), 0)

    async def dataset(self, cid: Cid) -> Dataset | None:
        found = self._datasets.get(cid.encode())
        return None if found is None else self._now(found)

    async def datasets(self) -> list[Dataset]:
        return [self._now(d) for d in self._datasets.values()]

    async def delete(self, cid: Cid) -> bool:
        dataset = self._datasets.pop(cid.encode(), None)
        if dataset is None:
            return False
        self._tell("deleted", dataset)
        if all(d.tree_root != dataset.tree_root for d in self._datasets.values()):
            del self._blocks[dataset.tree_root], self._present[dataset.tree_root]
        return True

    def on_change(self, listener: Callable[[str, Dataset], None]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def retain(self, cid: Cid, root: RetentionRoot) -> None:
        dataset = self._datasets[cid.encode()]
        self._datasets[cid.encode()] = dataclasses.replace(dataset, roots=(*dataset.roots, root))

    async def collect(self) -> int:
        return 0

    def space(self) -> Space:
        used = sum(len(b) for b in self._blocks.values())
        used += sum(len(d.manifest_bytes) for d in self._datasets.values())
        blocks = sum(len(b) // self._size(r) for r, b in self._blocks.items())
        return Space(blocks + len(self._datasets), self.quota, used, 0)

    async def close(self) -> None:
        pass


class FakeExchange:
    """Gives what was put into `world`, `step_blocks` at a time; silent about everything else."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.world: dict[bytes, tuple[Dataset, bytes]] = {}
        self.ensured: list[tuple[int, int]] = []
        self.limit_blocks: int | None = None  # how many blocks an `ensure` can get before its end
        self.jobs: list[FakeJob] = []

    async def start(self) -> None: ...
    async def stop(self) -> None: ...

    async def fetch_manifest(self, cid: Cid, deadline: float) -> Dataset:
        if cid.encode() not in self.world:
            raise DeadlineExceeded(f"nobody who has {cid} answered in time")
        dataset, blocks = self.world[cid.encode()]
        self._store.add(dataset, blocks, RangeSet())
        return dataclasses.replace(dataset, present_count=0)

    async def ensure(self, dataset: Dataset, start: int, count: int, deadline: float) -> None:
        self.ensured.append((start, count))
        await asyncio.sleep(0)
        have = self._store.tree(dataset.tree_root).present
        missing = RangeSet([(start, start + count)]).minus(have)
        left = self.limit_blocks if self.limit_blocks is not None else count
        for low, high in missing:
            take = min(left, high - low)
            self._store.arrive(dataset.tree_root, low, take)
            left -= take
        if RangeSet([(start, start + count)]).minus(self._store.tree(dataset.tree_root).present):
            raise DeadlineExceeded("the blocks did not come in time")

    def fetch(self, dataset: Dataset) -> FakeJob:
        self.jobs.append(FakeJob(self._store, dataset))
        return self.jobs[-1]


class FakeJob:
    """Waits until a test calls `finish`, `stall` or `gain`."""

    def __init__(self, store: FakeStore, dataset: Dataset) -> None:
        self._store, self._dataset = store, dataset
        self._done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.verified = 0
        self.was_cancelled = False
        self.waits = 0

    def finish(self) -> None:
        self._store.arrive(self._dataset.tree_root, 0, self._dataset.block_count)
        self._done.set_result("")

    async def wait(self, deadline: float | None) -> None:
        self.waits += 1
        await asyncio.shield(self._done)

    def progress(self) -> SimpleNamespace:
        total = self._dataset.block_count * self._dataset.manifest.block_size
        return SimpleNamespace(
            verified_bytes=max(0, self.verified), total_bytes=total, rate_bytes_per_second=1e6,
            eta_seconds=1.0, peers={"16Uiu2HAfake": 5}, reason="asking 1 peer",
        )  # fmt: skip

    def cancel(self) -> None:
        self.was_cancelled = True


def make_ground() -> tuple[SystemClock, EventBus]:
    clock = SystemClock()
    return clock, EventBus(clock)
