"""What tests of protected datasets need: slot trees in memory, jobs over a store, an oracle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.dataset.geometry import Geometry
from quire.flow import coding
from quire.flow.protect import Protections, ProtectPorts
from quire.flow.workers import Workers
from quire.formats.cid import Cid
from quire.kernels import erasure, poseidon2
from quire.kernels.hashing import merkle_root, sha256_blocks
from quire.services.workers.local import LocalWorkers
from quire.store import protected_tree
from quire.store.shape import EMPTY_DIGEST
from quire.store.store import Store
from support.store_kit import BLOCK, TurnedClock


class MemorySlots:
    """Slot trees by (tree root, slot)."""

    def __init__(self) -> None:
        self.trees: dict[tuple[bytes, int], bytes] = {}

    async def write(self, tree_root: bytes, slot: int, layers: Any) -> None:
        self.trees[tree_root, slot] = bytes(layers)

    async def remove(self, tree_root: bytes, slot: int) -> bool:
        return self.trees.pop((tree_root, slot), None) is not None


async def nobody(_: Cid) -> None:
    """No network: what is missing stays so."""


def protections(
    store: Store,
    *,
    slots: MemorySlots | None = None,
    clock: Any = None,
    events: EventBus | None = None,
    complete: Callable[[Cid], Awaitable[object]] = nobody,
    lifetime_seconds: float = 3600.0,
    workers: Workers | None = None,
) -> Protections:
    clock = clock or TurnedClock()
    ports = ProtectPorts(
        store=store,
        slots=slots or MemorySlots(),
        complete=complete,
        events=events or EventBus(clock),
        clock=clock,
        workers=workers or LocalWorkers(Waits(clock)),
    )
    return Protections(ports, lifetime_seconds=lifetime_seconds)


def det(size: int) -> bytes:
    """Byte i is (31 i + 17 (i >> 8)) & 255 (vectors/README.md)."""
    rows = [bytes((31 * i + 17 * page) & 255 for i in range(256)) for page in range(256)]
    return b"".join(rows[page & 255] for page in range(-(-size // 256)))[:size]


def expected(data: bytes, k: int, m: int, block_size: int) -> tuple[bytes, list[bytes]]:
    """(tree root, roots of the slots) of the protected data, made all at once."""
    geometry = Geometry(-(-len(data) // block_size), k, m, block_size)
    whole = data.ljust(geometry.rounded * block_size, b"\0")
    row_bytes = geometry.steps * block_size
    rows = [whole[at : at + row_bytes] for at in range(0, len(whole), row_bytes)]
    parity = erasure.encode(rows, m)
    leaves = sha256_blocks(data, block_size)
    leaves += EMPTY_DIGEST * (geometry.rounded - geometry.original_blocks)
    leaves += b"".join(sha256_blocks(row, block_size) for row in parity)
    pad = poseidon2.zero_block_digest(block_size) * (geometry.slot_blocks - geometry.steps)
    roots = [
        poseidon2.root(poseidon2.block_digests(row, block_size) + pad) for row in (*rows, *parity)
    ]
    return merkle_root(leaves), roots


def make_steps_small(monkeypatch: Any) -> None:
    """Batches of two columns of 4 + 2 rows, of which two enter the index together."""
    monkeypatch.setattr(coding, "BATCH_BYTES", 12 * BLOCK)
    monkeypatch.setattr(protected_tree, "STEP_BYTES", 24 * BLOCK)
    monkeypatch.setattr(protected_tree, "STEP_BYTES_A_ROW", BLOCK)


class Stopping:
    """Stops a job after so many columns, as the end of a node would."""

    def __init__(self, monkeypatch: Any, columns: int) -> None:
        self.coded: list[int] = []
        self.reached = asyncio.Event()
        self.limit = columns
        whole, loop = coding.code, asyncio.get_running_loop()

        def code(rows: Any, geometry: Any, columns: range) -> Any:
            self.coded.extend(columns)
            if len(self.coded) > self.limit:
                loop.call_soon_threadsafe(self.reached.set)
            return whole(rows, geometry, columns)

        monkeypatch.setattr("quire.services.workers.local.code", code)


def spoil_now(directory: Path, block: int) -> None:
    """Turn bytes of the so-manieth block on the disk."""
    path = min(directory.glob("pack-*"))
    with path.open("r+b") as file:
        file.seek(block * BLOCK + 11)
        byte = file.read(1)
        file.seek(block * BLOCK + 11)
        file.write(bytes((byte[0] ^ 0xFF,)))


async def spoil(directory: Path, block: int) -> None:
    await asyncio.get_running_loop().run_in_executor(None, spoil_now, directory, block)
