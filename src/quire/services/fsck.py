"""Checks everything that the store holds, and repairs what can be repaired, on request.

    index -> blocks -> network -> done
    (counters, files)  (every block is read from the medium)  (what was lost is asked from others)

Works on a node that runs, and without a network on a data directory that no node uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from quire.base.clock import Clock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.base.units import MIB
from quire.services.repair import Repairer
from quire.store.scan import Wound
from quire.store.slot_files import SlotFiles
from quire.store.store import Store

STEP_BYTES = 16 * MIB


@dataclass(frozen=True, slots=True)
class Lost:
    """What a dataset lacks: bytes [start, stop) of it."""

    cid: str
    filename: str | None
    byte_ranges: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class FsckReport:
    """`state`: index, blocks, network, done, failed, cancelled. The texts are for people."""

    started_at: float  # unix seconds
    state: str = "index"
    read_bytes: int = 0
    total_bytes: int = 0
    index_problems: list[str] = field(default_factory=list)
    index_left: list[str] = field(default_factory=list)  # that could not be put right
    damaged_blocks: int = 0  # found now
    damaged: list[Lost] = field(default_factory=list)  # before other nodes were asked
    lost: list[Lost] = field(default_factory=list)  # still damaged at the end
    repaired_blocks: int = 0  # that came back
    dropped_slot_trees: int = 0  # that were damaged; they are made anew when they are needed
    error: str = ""

    @property
    def has_ended(self) -> bool:
        return self.state in ("done", "failed", "cancelled")

    @property
    def is_good(self) -> bool:
        """Everything is whole now."""
        return self.state == "done" and not self.lost and not self.index_left


class Fsck:
    """At most one check at a time; the last report stays readable. Without a repairer nothing is
    asked from the network."""

    def __init__(
        self,
        store: Store,
        repairer: Repairer | None,
        clock: Clock,
        events: EventBus,
        slot_files: SlotFiles | None = None,
    ) -> None:
        self._store = store
        self._slot_files = slot_files
        self._repairer = repairer
        self._clock = clock
        self._events = events
        self._task: asyncio.Task[None] | None = None
        self.report: FsckReport | None = None

    def start(self) -> FsckReport:
        """Begin, or join the check that is under way."""
        if self.report is None or self.report.has_ended:
            self.report = FsckReport(self._clock.now())
            self._task = asyncio.get_running_loop().create_task(self._run(self.report))
        return self.report

    async def wait(self) -> None:
        """Until the check that is under way has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def cancel(self) -> None:
        """Stop; what was repaired stays repaired."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self, report: FsckReport) -> None:
        try:
            await self._check(report)
            report.state = "done"
        except QuireError as error:
            report.state, report.error = "failed", error.message
        except asyncio.CancelledError:
            report.state = "cancelled"
            raise
        finally:
            self._events.publish("fsck.ended", "", f"check of the store: {report.state}")

    async def _check(self, report: FsckReport) -> None:
        found = await self._store.verify(read_blocks=False)
        if not found.is_good:  # writers may have been at work: look again while they wait
            mended = await self._store.mend()
            report.index_problems, report.index_left = mended.problems, mended.left
        report.total_bytes = await self._store.present_bytes()
        report.state = "blocks"
        position: int | None = 0
        while position is not None:
            step = await self._store.scan(position, STEP_BYTES)
            report.read_bytes += step.read_bytes
            report.total_bytes = max(report.total_bytes, report.read_bytes)
            report.damaged_blocks += step.lost_leaves
            position = step.position
        if self._slot_files is not None:
            report.dropped_slot_trees = await self._slot_files.drop_damaged()
        wounds = await self._store.wounds()
        report.damaged = _in_bytes(wounds)
        if wounds and self._repairer is not None:
            report.state = "network"
            await self._repairer.repair()
            await self._store.flush()
        left = await self._store.wounds()
        report.lost = _in_bytes(left)
        report.repaired_blocks = _count(wounds) - _count(left)


def _in_bytes(wounds: list[Wound]) -> list[Lost]:
    return [
        Lost(
            str(wound.dataset.manifest_cid),
            wound.dataset.manifest.filename,
            tuple(wound.byte_ranges()),
        )
        for wound in wounds
    ]


def _count(wounds: list[Wound]) -> int:
    return sum(wound.leaves.count() for wound in wounds)


def in_words(report: FsckReport, size_of: Callable[[float], str]) -> list[str]:
    """The plain list: what was damaged, repaired, lost."""
    lines = [f"checked {size_of(report.read_bytes)} of blocks: {report.state}"]
    if report.error:
        lines.append(f"the check broke off: {report.error}")
    lines += [f"index, put right: {text}" for text in report.index_problems]
    lines += [f"index, NOT put right: {text}" for text in report.index_left]
    if report.damaged_blocks:
        lines.append(f"damaged: {report.damaged_blocks} blocks were unreadable or wrong")
    if report.dropped_slot_trees:
        lines.append(
            f"slot trees: {report.dropped_slot_trees} were damaged and deleted; they are made anew "
            "from the blocks when they are needed"
        )
    if report.repaired_blocks:
        lines.append(
            f"repaired: {report.repaired_blocks} blocks came back, from other nodes or rows"
        )
    for lost in report.lost:
        ranges = ", ".join(f"{start} to {stop - 1}" for start, stop in lost.byte_ranges)
        where = ranges or "padding only"
        lines.append(f"lost: {lost.cid} {lost.filename or ''}: bytes {where}".replace(" :", ":"))
    if report.is_good:
        lines.append("everything that this node holds is whole")
    return lines
