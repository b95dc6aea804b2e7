"""What tests of the store need: a clock, a store in a directory, datasets as from a peer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.base.events import EventBus
from quire.formats.cid import tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.kernels.hashing import merkle_tree, range_proof, sha256_blocks
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.files import DirectoryDisk
from quire.store.meta import Meta, connect_file, connect_file_reader
from quire.store.store import Store

BLOCK = 4096
PIN = RetentionRoot("pin", "", None)


class TurnedClock:
    """A clock that a test turns."""

    def __init__(self, seconds: float = 1_000_000.0) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


class Inline(Executor):
    """Does the work at once, so that a crashed store has nothing left running."""

    def submit(self, work: Any, /, *values: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*values, **named))
        except BaseException as error:
            future.set_exception(error)
        return future


@asynccontextmanager
async def store_in(directory: Path, **options: Any) -> AsyncIterator[Store]:
    """A store with small packs and without ballast; `options` as for Store.open."""
    directory.mkdir(exist_ok=True)
    path = directory / "meta.sqlite"
    clock = options.pop("clock", None) or TurnedClock()
    disk = options.pop("disk", None) or DirectoryDisk(directory)
    settings: dict[str, Any] = {
        "quota_bytes": 1 << 30,
        "default_ttl": None,
        "pack_bytes_max": 1 << 20,
        "ballast_bytes": 0,
        "events": EventBus(clock),
        **options,
    }
    meta = Meta(lambda: connect_file(path), connect_reader=lambda: connect_file_reader(path))
    store = await Store.open(disk, meta, clock=clock, **settings)
    try:
        yield store
    finally:
        await store.close()
        close = getattr(disk, "close", None)
        if close is not None:
            close()


async def put(store: Store, data: bytes, block_size: int = BLOCK, **names: Any) -> Dataset:
    upload = store.begin_upload(block_size=block_size)
    await upload.write(data)
    return await upload.commit(**names)


async def get(store: Store, dataset: Dataset) -> bytes:
    data = await store.read_range(dataset.tree_root, 0, dataset.block_count)
    return data[: dataset.manifest.original_size]


@dataclass(frozen=True)
class Remote:
    """A dataset as another node has it."""

    data: bytes
    digests: bytes
    tree: bytes
    manifest: bytes

    @classmethod
    def of(cls, data: bytes) -> Remote:
        digests = sha256_blocks(data, BLOCK)
        tree = merkle_tree(digests)
        manifest = encode_manifest(Manifest(tree_cid(tree[-32:]), BLOCK, len(data)))
        padding = bytes(-len(data) % BLOCK)
        return cls(data + padding, digests, tree, manifest)

    @property
    def root(self) -> bytes:
        return self.tree[-32:]

    @property
    def count(self) -> int:
        return len(self.digests) // 32

    def proof(self, start: int, count: int) -> bytes:
        return range_proof(self.tree, self.count, start, count)

    def blocks(self, start: int, count: int) -> bytes:
        return self.data[start * BLOCK : (start + count) * BLOCK]

    def leaves(self, start: int, count: int) -> bytes:
        return self.digests[start * 32 : (start + count) * 32]

    async def give(self, store: Store, start: int, count: int) -> None:
        blocks, leaves = self.blocks(start, count), self.leaves(start, count)
        await store.put_range(self.root, start, blocks, leaves, self.proof(start, count))


async def assert_sound(store: Store) -> None:
    """Everything given back, everything agrees, every block matches."""
    await store.reclaimed()
    report = await store.verify()
    assert report.problems == []
    assert store.space().quota_reserved_bytes == 0
    assert report.block_bytes <= report.allocated_bytes <= report.block_bytes + 128 * 1024
