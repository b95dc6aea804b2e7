"""The rebuilding of slots as the API shows it, and what can be rebuilt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from quire.base.errors import InputError, QuireError
from quire.dataset.geometry import Geometry
from quire.flow.assemble import check_decodable
from quire.flow.slot_state import check_slot
from quire.formats.cid import Cid
from quire.net.exchange.estimate import RateMeter
from quire.store.dataset import Dataset

ENDED = ("complete", "failed", "cancelled")


@dataclass(slots=True)
class RebuildJob:
    """The rebuilding of some slots of one dataset. `state` is a word of the picture in
    flow/rebuild.py."""

    cid: Cid
    slots: tuple[int, ...]
    started_at: float  # unix seconds
    meter: RateMeter
    until: float | None = None  # unix seconds until which they are to be held; None: for ever
    spare: tuple[int, ...] = ()  # of the slots: computed for others, held for a short time
    state: str = "searching"
    reason: str = "looking for the manifest"
    dataset: Dataset | None = None
    total_blocks: int | None = None  # of the slots, without pads
    done_blocks: int = 0  # of them, those that are checked and durable, from before too
    read_blocks: int = 0  # of other rows, for this job
    remote_blocks: int = 0  # of them, those that came from other nodes
    written_blocks: int = 0
    error: QuireError | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    @property
    def verified_bytes(self) -> int:
        return self.done_blocks * self._block_size

    @property
    def total_bytes(self) -> int | None:
        return None if self.total_blocks is None else self.total_blocks * self._block_size

    @property
    def _block_size(self) -> int:
        return 0 if self.dataset is None else self.dataset.manifest.block_size

    def note_end(self) -> None:
        """The task is over, perhaps without having begun."""
        if not self.has_ended:
            self.state, self.reason = "cancelled", "stopped on request"


def check_rebuild(dataset: Dataset, slots: Sequence[int]) -> None:
    """Raise InputError unless these slots can follow from the others."""
    check_decodable(dataset)
    for slot in slots:
        check_slot(dataset, slot)
    m = Geometry.of(dataset.manifest).m
    if len(slots) > m:
        raise InputError(
            f"{len(slots)} slots cannot be rebuilt together: the dataset survives the loss of {m}"
        )
