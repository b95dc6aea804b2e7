"""What a worker on another machine is, seen from here, and where such workers come from.

The adapter of an engine implements `Cluster`; `remote.py` does the rest: turns, retries, workers
that come and go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from quire.base.errors import EnvironmentProblem


class WorkerDied(Exception):
    """A worker ended, or cannot be reached any more. Whoever wanted something of it asks another.
    Never leaves the adapters of Workers."""


class FarWorker(Protocol):
    """A process somewhere that has a `worker.Worker`."""

    async def call(self, method: str, *values: object) -> object:
        """Call it; what came from `Cluster.share` arrives as what was shared.

        Raises WorkerDied, and what the method raises."""

    def dismiss(self) -> None:
        """End the process, whatever it does. Harmless when it has ended."""


class Cluster(Protocol):
    """An engine that starts processes on machines and carries bytes to them."""

    @property
    def name(self) -> str:
        """For messages: which engine, and where."""

    async def connect(self) -> None:
        """Raises EnvironmentProblem."""

    async def disconnect(self) -> None:
        """Let go of it and of every worker. Harmless when it was never reached."""

    async def machines(self) -> dict[str, int]:
        """Cores for work by machine. Raises ClusterGone when it cannot be asked."""

    async def hire(self, machine: str, cores: int) -> FarWorker:
        """Start a worker that uses so many cores. Raises WorkerDied when it does not start."""

    async def share(self, values: Sequence[object]) -> object:
        """Put values where every worker can read them, once for all; they stay for as long as
        the result is kept. Buffers among them are not copied again on the machine of the reader.

        Raises ClusterGone"""


class ClusterGone(EnvironmentProblem):
    """The engine does not answer."""

    code, retry = "cluster-gone", True
