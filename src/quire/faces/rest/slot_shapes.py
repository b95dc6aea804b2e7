"""The JSON shape of one slot on this node."""

from __future__ import annotations

from typing import Any

from quire.faces.rest.shape import Shape
from quire.flow.slot_state import SlotState
from quire.formats.cid import Cid


class SlotStatus(Shape, frozen=True):
    """What this node has of a slot. `state`: absent, stored (the blocks are here, kept for another
    reason), held, damaged, or that of the job that takes it: searching, listing, fetching, hashing,
    failed, cancelled. Bytes are those of its blocks without padding, null until it is known."""

    cid: str
    slot: int
    state: str
    held: bool
    verified_bytes: int
    total_bytes: int | None
    reason: str
    error: dict[str, Any] | None = None


def slot_status(cid: Cid, found: SlotState) -> SlotStatus:
    return SlotStatus(
        cid=str(cid),
        slot=found.slot,
        state=found.state,
        held=found.is_held,
        verified_bytes=found.verified_bytes,
        total_bytes=found.total_bytes,
        reason=found.reason,
        error=None if found.error is None else found.error.as_dict(),
    )
