"""What runs on another machine: pure functions of what comes with each task.

A worker does one task at a time; `cancel` and `about` are answered meanwhile, in other threads.
Buffers arrive as views of shared memory and are not to be written to.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import quire
from quire.base.errors import Cancelled, QuireError
from quire.dataset.geometry import Geometry
from quire.dataset.proof_input import ProofInput
from quire.dataset.slot_tree import slot_layers
from quire.flow.coding import code
from quire.flow.prove import ProofWork
from quire.services.circuits import LoadedCircuit
from quire.services.workers.circuit_parcel import CircuitParcel, opened
from quire.store.disk import Buffer

KEPT_CIRCUITS = 4
ENDED_KEPT = 64  # cancellations that came before their task


@dataclass(frozen=True, slots=True)
class About:
    """A worker says who it is. `version`: of Quire, which must be the one of the node."""

    pid: int
    version: str

    @classmethod
    def this(cls) -> About:
        return cls(os.getpid(), quire.__version__)


class Worker:
    """`directory`: for files of circuits that this machine does not have."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory or Path(tempfile.gettempdir()) / f"quire-circuits-{os.getuid()}"
        self._circuits: dict[CircuitParcel, LoadedCircuit] = {}
        self._lock = threading.Lock()
        self._proofs: dict[int, ProofWork] = {}
        self._cancelled: dict[int, None] = {}

    def about(self) -> About:
        return About.this()

    def code(
        self, _task: int, rows: Sequence[Buffer], geometry: Geometry, columns: range
    ) -> object:
        """Parity, its digests and those of all rows, as in Columns; or the error."""
        try:
            made = code([memoryview(row) for row in rows], geometry, columns)
        except QuireError as error:
            return error
        return [pickle.PickleBuffer(part) for part in (made.parity, made.digests, made.slots)]

    def slot_layers(
        self, _task: int, digests: Sequence[Buffer], block_size: int, cell_size: int
    ) -> object:
        """The layers; or the error."""
        try:
            return [pickle.PickleBuffer(slot_layers(bytes(digests[0]), block_size, cell_size))]
        except QuireError as error:
            return error

    def prove(
        self,
        task: int,
        contents: Sequence[Buffer] | None,
        parcel: CircuitParcel,
        made: ProofInput,
        host: bytes | None,
    ) -> object:
        """The proof and its public inputs; or the error. `contents` as in `opened`."""
        try:
            work = self._circuit(parcel, contents).begin(made, host)
            with self._lock:
                self._proofs[task] = work
                is_cancelled = task in self._cancelled
            try:
                if is_cancelled:
                    raise Cancelled("the work was cancelled")
                return work.run()
            finally:
                with self._lock:
                    del self._proofs[task]
        except QuireError as error:
            return error

    def cancel(self, task: int) -> bool:
        """End a proof soon, or one that is to come; whether it was under way."""
        with self._lock:
            work = self._proofs.get(task)
            self._cancelled[task] = None
            while len(self._cancelled) > ENDED_KEPT:
                del self._cancelled[next(iter(self._cancelled))]
        if work is not None:
            work.cancel()
        return work is not None

    def _circuit(self, parcel: CircuitParcel, contents: Sequence[Buffer] | None) -> LoadedCircuit:
        known = self._circuits.get(parcel)
        if known is None:
            while len(self._circuits) >= KEPT_CIRCUITS:
                del self._circuits[next(iter(self._circuits))]
            known = self._circuits[parcel] = opened(parcel, contents, self._directory)
        return known
