"""One simulated computer: a disk and the database beside it, which lose power together.

Every change of the disk and every commit of the database is a *step*. Power can be cut before any
step, also in the middle of a job that runs off the loop: at that instant the image is taken that
the next start will find. The program that was running is not stopped by an exception, which it
could catch; it goes on with a disk that no longer matters, and the world silences it.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from quire.sim.disk import SimDisk
from quire.sim.executor import Pace


@dataclass(frozen=True, slots=True)
class Image:
    """What survived: the disk as found, and the database as last committed."""

    disk: SimDisk
    database: bytes | None  # None: never committed


class Machine:
    """A computer from its start until power or the process goes."""

    def __init__(
        self, image: Image, rng: random.Random, on_fault: Callable[[str], None] | None = None
    ) -> None:
        self.disk = image.disk
        self.steps = 0
        self.pace = Pace()
        self._rng = rng
        self._database = image.database
        self._image: Image | None = None
        self._cut_at: int | None = None
        self._on_cut: Callable[[], None] | None = None
        self._connections: list[sqlite3.Connection] = []
        self._on_fault = on_fault
        self.disk.connect(self._step, self._fault)

    @classmethod
    def blank(
        cls,
        rng: random.Random,
        *,
        capacity_bytes: int,
        on_fault: Callable[[str], None] | None = None,
    ) -> Machine:
        """A new computer with an empty disk."""
        return cls(Image(SimDisk(rng, capacity_bytes=capacity_bytes), None), rng, on_fault)

    # ---- the database ----

    def connect(self) -> sqlite3.Connection:
        """A connection to the database as it survived the last crash."""
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        if self._database is not None:
            connection.deserialize(self._database)
        connection.execute("PRAGMA temp_store=MEMORY")
        self._connections.append(connection)
        return connection

    def committed(self, connection: sqlite3.Connection) -> None:
        """Called after each transaction: from here on it survives."""
        self._step("commit")
        self._database = connection.serialize()

    # ---- power ----

    def cut_power_at(self, step: int, on_cut: Callable[[], None]) -> None:
        """Cut the power just before the step with this number; `on_cut` is called right then."""
        self._cut_at = step
        self._on_cut = on_cut

    def never_cut(self) -> None:
        """Call `cut_power_at` off."""
        self._cut_at = None

    def cut(self, *, loses_power: bool) -> Image:
        """The image of this instant, or the one taken earlier; from here on nothing survives."""
        if self._image is None:
            self._image = Image(self.disk.crash(loses_power=loses_power), self._database)
        return self._image

    def close(self) -> None:
        """Close connections that the program left open when it was cut off."""
        for connection in self._connections:
            connection.close()

    def _fault(self, kind: str) -> None:
        if self._on_fault is not None and self._image is None:
            self._on_fault(kind)

    def _step(self, _operation: str) -> None:
        self.steps += 1
        if self.steps == self._cut_at and self._image is None and self._on_cut is not None:
            self.cut(loses_power=True)
            self._on_cut()
