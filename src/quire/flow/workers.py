"""The port of heavy work: coding, slot trees and proofs, on this machine or on many.

    protecting, proving -> task -> a worker that is free -> result
                            `- none is: waits for its turn, with a reason -'

A task is a pure function of bytes and parameters: where it runs changes nothing of the result, and
a task whose worker died is begun again elsewhere. Adapters are in `services/workers/`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from quire.dataset.geometry import CELL_BYTES, Geometry
from quire.dataset.proof_input import ProofInput
from quire.flow.prove import Prover
from quire.store.columns import Columns
from quire.store.disk import Buffer


@dataclass(frozen=True, slots=True)
class WorkersLoad:
    """How much there is to do. `wanted`: workers with which no task would wait, the hint for who
    starts or ends machines; `retries`, `died`: since the start."""

    workers: int
    busy: int
    queued: int
    wanted: int
    retries: int = 0
    died: int = 0


class Workers(Protocol):
    """What does the heavy work of a node. Whoever is cancelled while he waits for a task cancels
    the task, wherever it runs.

    Every task raises   InputError   as the function that it runs
                        Busy         no worker was free for long
                        WorkersLost  the workers died that tried it, or there are none
    """

    @property
    def batches_at_once(self) -> int:
        """Batches of columns that one job had best have under way at a time."""

    @property
    def proofs_at_once(self) -> int:
        """Proofs that can be made side by side."""

    async def start(self) -> None:
        """Be ready for tasks. Raises EnvironmentProblem."""

    async def stop(self) -> None:
        """Cancel every task and let the workers go."""

    async def code(self, rows: Sequence[Buffer], geometry: Geometry, columns: range) -> Columns:
        """`flow.coding.code`: the data rows of these columns, coded and hashed."""

    async def slot_layers(
        self, digests: bytes, block_size: int, cell_size: int = CELL_BYTES
    ) -> Buffer:
        """`dataset.slot_tree.slot_layers`: the tree over a slot."""

    async def prove(
        self, prover: Prover, made: ProofInput, host: bytes | None
    ) -> tuple[bytes, tuple[bytes, ...]]:
        """`ProofWork.run` of what the prover begins. It may raise IntegrityError too."""

    def load(self) -> WorkersLoad:
        """How it stands now."""
