"""Workers of one machine: threads of this process. Nothing is copied, and the kernels let the GIL
go and use all cores.

Proofs have threads of their own, so that neither coding nor the disk keeps them waiting.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from quire.base.waits import Waits
from quire.dataset.geometry import CELL_BYTES, Geometry
from quire.dataset.proof_input import ProofInput
from quire.dataset.slot_tree import slot_layers
from quire.flow.coding import code
from quire.flow.prove import Prover
from quire.flow.workers import WorkersLoad
from quire.services.workers.places import BATCH, PROOF, TREE, Places
from quire.store.columns import Columns
from quire.store.disk import Buffer

BATCHES_AT_ONCE = 2  # of a job: while one is coded, the next is read
TASKS_AT_ONCE = 4  # of all jobs, proofs aside
CORES_A_PROOF = 4  # a proof uses all cores; with more of them several are made side by side


class LocalWorkers:
    """`executor` for coding and trees, None: the loop's own; `proving` for proofs alone, with
    `proofs_at_once` threads, which end with the workers."""

    def __init__(
        self,
        waits: Waits,
        *,
        executor: Executor | None = None,
        proving: Executor | None = None,
        proofs_at_once: int = max(1, (os.cpu_count() or 1) // CORES_A_PROOF),
    ) -> None:
        self.batches_at_once = BATCHES_AT_ONCE
        self.proofs_at_once = proofs_at_once
        self.proving = proving or ThreadPoolExecutor(
            proofs_at_once, thread_name_prefix="quire-prove"
        )
        self._executor = executor
        self._coders: Places[None] = Places(waits)
        self._provers: Places[None] = Places(waits)
        for _ in range(TASKS_AT_ONCE):
            self._coders.give(None)
        for _ in range(proofs_at_once):
            self._provers.give(None)

    async def start(self) -> None:
        """Threads begin with the first task."""

    async def stop(self) -> None:
        self.proving.shutdown(wait=False)

    async def code(self, rows: Sequence[Buffer], geometry: Geometry, columns: range) -> Columns:
        await self._coders.take(BATCH, f"coding of columns from {columns.start} on")
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, code, rows, geometry, columns)
        finally:
            self._coders.give(None)

    async def slot_layers(
        self, digests: bytes, block_size: int, cell_size: int = CELL_BYTES
    ) -> Buffer:
        await self._coders.take(TREE, "the tree over a slot")
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, slot_layers, digests, block_size, cell_size
            )
        finally:
            self._coders.give(None)

    async def prove(
        self, prover: Prover, made: ProofInput, host: bytes | None
    ) -> tuple[bytes, tuple[bytes, ...]]:
        await self._provers.take(PROOF, f"a proof of slot {made.slot_index}")
        try:
            work = prover.begin(made, host)
            running = asyncio.get_running_loop().run_in_executor(self.proving, work.run)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                work.cancel()
                await asyncio.wait([running])  # its place is free when the thread is
                if not running.cancelled():
                    running.exception()  # seen: nobody waits for it
                raise
        finally:
            self._provers.give(None)

    def load(self) -> WorkersLoad:
        """A worker is what one task runs on."""
        workers = TASKS_AT_ONCE + self.proofs_at_once
        free = self._coders.free_count + self._provers.free_count
        queued = self._coders.queued_count + self._provers.queued_count
        return WorkersLoad(workers, workers - free, queued, workers - free + queued)
