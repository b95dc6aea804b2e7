"""Stage 5, inside: a stored dataset becomes a protected one with all its slot trees.

    read -> code -> hash -> write      columns, a few batches of them on their way at a time
    adopt                              the dataset's own blocks become leaves of the new tree
    slot trees -> verify root          one file a slot
    publish                            the verifiable dataset is there

What is durable of it stays when it is cancelled or fails, and the next run goes on behind it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from quire.base.errors import BlockMissing
from quire.base.spans import span
from quire.dataset.protected import protected_manifest, verifiable_manifest
from quire.dataset.slot_tree import NODE_BYTES
from quire.flow.coding import batches, read_rows
from quire.flow.workers import Workers
from quire.formats.manifest import encode_manifest
from quire.kernels import poseidon2
from quire.store.columns import Columns
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.disk import Buffer
from quire.store.port import BlockStore
from quire.store.protected_tree import ProtectedTree

T = TypeVar("T")

REFETCHES_MAX = 3  # of blocks that went bad, for one batch


class SlotTrees(Protocol):
    """Where slot trees are kept (store.slot_files.SlotFiles)."""

    async def write(self, tree_root: bytes, slot: int, layers: Buffer) -> None:
        """Keep all layers of the tree over a slot, durably."""

    async def remove(self, tree_root: bytes, slot: int) -> bool:
        """Delete the tree of a slot; False when there was none."""


@dataclass(frozen=True, slots=True)
class EncodePorts:
    """What encoding stands on. `refetch` gets blocks back that are not here; it raises when nobody
    has them."""

    store: BlockStore
    slots: SlotTrees
    refetch: Callable[[], Awaitable[None]]
    workers: Workers
    note: Callable[[str, int], None]  # what is being done, in words; columns that are durable


async def encode(
    ports: EncodePorts, source: Dataset, tree: ProtectedTree, keep: RetentionRoot
) -> Dataset:
    """Protect `source` into `tree` from where it stands; the verifiable dataset.

    Raises   BlockMissing   blocks of the source are not here, and nobody has them
             DiskFull, UnknownProtection, Busy
    """
    with span("protect.code", columns=tree.geometry.steps - tree.steps):
        await _code_all(ports, source, tree)
    ports.note("the dataset's blocks are being taken over", tree.steps)
    with span("protect.adopt"):
        await _with_refetch(ports, lambda: tree.adopt(source.tree_root))
    root = await tree.root()
    with span("protect.slots"):
        slot_roots = await _build_slots(ports, tree, root)
    geometry = tree.geometry
    loop = asyncio.get_running_loop()
    layers = await loop.run_in_executor(None, poseidon2.tree, b"".join(slot_roots))
    protected = protected_manifest(source.manifest, geometry.k, geometry.m, root)
    manifest = verifiable_manifest(protected, slot_roots, layers[-NODE_BYTES:])
    return await tree.publish(encode_manifest(manifest), root, keep)


async def _code_all(ports: EncodePorts, source: Dataset, tree: ProtectedTree) -> None:
    """Every column that is not durable yet, in order, with some on their way at a time."""
    loop = asyncio.get_running_loop()
    flying: deque[asyncio.Task[Columns]] = deque()

    async def put() -> None:
        await asyncio.wait([flying[0]])
        columns = flying.popleft().result()
        await tree.put(columns)
        stop = columns.first + columns.count
        ports.note(f"column {stop} of {tree.geometry.steps} is coded", tree.steps)

    try:
        for columns in batches(tree.geometry, tree.steps):
            while len(flying) >= ports.workers.batches_at_once:
                await put()
            task = loop.create_task(_code(ports, source, tree, columns), name="code")
            task.add_done_callback(_see)
            flying.append(task)
        while flying:
            await put()
    finally:
        for task in flying:
            task.cancel()
        if flying:
            await asyncio.wait(flying)
    await tree.finish()


def _see(task: asyncio.Task[Columns]) -> None:
    """What it failed with counts only when its turn comes."""
    if not task.cancelled():
        task.exception()


async def _code(
    ports: EncodePorts, source: Dataset, tree: ProtectedTree, columns: range
) -> Columns:
    geometry = tree.geometry

    async def read() -> list[bytes]:
        return await read_rows(ports.store, source.tree_root, geometry, columns)

    rows = await _with_refetch(ports, read)
    return await ports.workers.code(rows, geometry, columns)


async def _with_refetch(ports: EncodePorts, work: Callable[[], Awaitable[T]]) -> T:
    """Do the work; when blocks turn out not to be here, get them and try again."""
    for _ in range(REFETCHES_MAX):
        try:
            return await work()
        except BlockMissing:
            await ports.refetch()
    return await work()


async def _build_slots(ports: EncodePorts, tree: ProtectedTree, root: bytes) -> list[bytes]:
    """Write the tree over each slot; their roots, in order."""
    geometry = tree.geometry
    roots = []
    for slot in range(geometry.slots):
        ports.note(f"the tree of slot {slot} of {geometry.slots} is being built", tree.steps)
        digests = await tree.slot_digests(slot)
        layers = await ports.workers.slot_layers(digests, geometry.block_size)
        await ports.slots.write(root, slot, layers)
        roots.append(bytes(layers[-NODE_BYTES:]))
    return roots
