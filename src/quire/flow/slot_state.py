"""One slot of a protected dataset on this node: why it is here, how far it is, and whether it is
what the manifest says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from quire.base.errors import BadManifest, InputError, QuireError
from quire.dataset.geometry import CELL_BYTES, Geometry
from quire.dataset.slot_tree import slot_root_cid
from quire.formats.cid import Cid
from quire.store.dataset import Dataset, RetentionRoot

ROOT_KIND = "slot"
ENDED = ("held", "failed", "cancelled")


@dataclass(slots=True)
class SlotJob:
    """The taking of one slot. `state` is a word of the picture in flow/slots.py."""

    cid: Cid
    slot: int
    started_at: float
    until: float | None  # unix seconds until which it is to be held; None: for ever
    state: str = "searching"
    dataset: Dataset | None = None
    hashed_blocks: int = 0
    error: QuireError | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED

    def note_end(self) -> None:
        """The task is over, perhaps without having begun."""
        if not self.has_ended:
            self.state = "cancelled"


@dataclass(frozen=True, slots=True)
class SlotState:
    """What this node has of a slot, and what it does about it.

    state  absent   nothing is being done, and not all blocks are here
           stored   all blocks are here, though the slot is not held for its own sake
           held     so it is; damaged: it should be, and blocks were lost
           or the state of the job that takes it
    verified_bytes, total_bytes  of the slot's blocks, without pads, which nobody stores
    """

    slot: int
    state: str
    is_held: bool
    verified_bytes: int
    total_bytes: int | None  # None while the manifest is not known
    reason: str
    error: QuireError | None = None


def check_slot(dataset: Dataset, slot: int) -> range:
    """The leaves of a slot. Raises InputError when the dataset has no such slot."""
    geometry = Geometry.of(dataset.manifest)
    if not 0 <= slot < geometry.slots:
        raise InputError(f"slot {slot} does not exist; the dataset has {geometry.slots}, from 0 on")
    return geometry.row_range(slot)


def held_slots(dataset: Dataset) -> list[int]:
    """Slots that are held by a root of their own, in order."""
    names = [root.name for root in dataset.roots if root.kind == ROOT_KIND]
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def is_kept_whole(dataset: Dataset) -> bool:
    """Whether anything but slots, and the manifest's own way here, keeps the dataset."""
    return any(
        not is_of_slot(root) and (root.kind, root.name) != ("cache", "exchange")
        for root in dataset.roots
    )


def is_of_slot(root: RetentionRoot) -> bool:
    """Whether it keeps a slot that is held, or one that is being taken."""
    return root.kind == ROOT_KIND or (root.kind == "cache" and root.name.startswith("slot "))


def unfinished_name(slot: int) -> str:
    """The root of kind "cache" that keeps what was got of a slot until it is held."""
    return f"slot {slot}"


def check_slot_root(dataset: Dataset, slot: int, root: bytes) -> None:
    """Raise BadManifest unless this is the root that a verifiable manifest says."""
    protection = dataset.manifest.protection
    verification = None if protection is None else protection.verification
    if verification is None:
        return
    if verification.cell_size != CELL_BYTES:
        raise BadManifest(
            f"the manifest {dataset.manifest_cid} has cells of {verification.cell_size} bytes; "
            f"only cells of {CELL_BYTES} can be proved"
        )
    if slot_root_cid(root) != verification.slot_roots[slot]:
        raise BadManifest(
            f"the blocks of slot {slot}, which are those of the tree, do not have the slot root "
            f"that the manifest {dataset.manifest_cid} says: the manifest is false"
        )
