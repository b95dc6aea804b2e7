"""What proofs are asked of: one dataset, the cells that were drawn of it, and all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from quire.dataset.circuit import CircuitParameters
from quire.dataset.geometry import Geometry
from quire.dataset.proof_input import ProofInput
from quire.flow.prove import ProofAsk, gather, verification_of
from quire.store.dataset import Dataset
from support.prove_kit import ENTROPY, HOST, SMALL, protected_in


@cache
def evidence(
    slot: int = 0, entropy: bytes = ENTROPY, circuit: CircuitParameters = SMALL
) -> tuple[ProofAsk, ProofInput]:
    """What is asked of a dataset, and the cells and paths for it. Made in a thread, as a loop may
    be running in this."""
    found: list[tuple[ProofAsk, ProofInput]] = []

    async def make(directory: Path) -> None:
        async with protected_in(directory) as held:
            host = HOST if circuit.binds_host else None
            ask = ProofAsk.of(held.dataset, slot, entropy, host, circuit)
            found.append((ask, await gather(held.ports, ask, circuit)))

    _in_thread(make)
    return found[0]


@cache
def every_cell() -> tuple[bytes, ...]:
    """All cells of slot 0 of that dataset."""
    found: list[bytes] = []

    async def make(directory: Path) -> None:
        async with protected_in(directory) as held:
            size = verification_of(held.dataset.manifest).cell_size
            rows = _rows(held.dataset)
            blocks = [await held.store.read_range(held.dataset.tree_root, at, 1) for at in rows]
            found.extend(b[at : at + size] for b in blocks for at in range(0, len(b), size))

    _in_thread(make)
    return tuple(found)


def _rows(dataset: Dataset) -> range:
    geometry = Geometry.of(dataset.manifest)
    rows = geometry.row_range(0)
    return range(rows.start, rows.start + geometry.stored_blocks(0))


def _in_thread(make: Callable[[Path], Coroutine[Any, Any, None]]) -> None:
    def work() -> None:
        with TemporaryDirectory(prefix="quire-evidence-") as directory:
            asyncio.run(make(Path(directory)))

    thread = Thread(target=work)
    thread.start()
    thread.join()
