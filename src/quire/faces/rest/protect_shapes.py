"""The JSON shapes of protected datasets: the job that makes one, and its slots."""

from __future__ import annotations

from typing import Any

from quire.base.ranges import RangeSet
from quire.dataset.geometry import Geometry
from quire.faces.rest.shape import Shape
from quire.flow.protect_job import ProtectJob
from quire.store.dataset import Dataset


class SlotBody(Shape, frozen=True):
    """One slot. `presentBlocks` of `blocks` are here; pads are not counted. `tree`: whether its
    slot tree is here, without which a proof takes longer."""

    index: int
    kind: str  # data or parity
    root: str
    first_block: int
    blocks: int
    present_blocks: int
    tree: bool


class SlotsBody(Shape, frozen=True):
    """A verifiable dataset and its slots. `slotSize`: padded, as a storage request names it."""

    cid: str
    tree_cid: str
    verify_root: str
    slot_roots: list[str]
    k: int
    m: int
    original_tree_cid: str
    original_size: int
    block_size: int
    cell_size: int
    slot_size: int
    steps: int
    slots: list[SlotBody]


class ProtectResult(Shape, frozen=True):
    """What came of a job. `cid`: of the verifiable manifest."""

    cid: str
    tree_cid: str
    verify_root: str
    slot_roots: list[str]


class ProtectStatus(Shape, frozen=True):
    """A job that protects a dataset. `state`: waiting, fetching, coding, complete, failed,
    cancelled, interrupted. `resumedBytes`: what an earlier job had done."""

    cid: str
    k: int
    m: int
    state: str
    verified_bytes: int
    total_bytes: int
    resumed_bytes: int
    started_at: float
    reason: str
    result: ProtectResult | None = None
    error: dict[str, Any] | None = None


class ProtectList(Shape, frozen=True):
    jobs: list[ProtectStatus]


def protect_status(job: ProtectJob) -> ProtectStatus:
    return ProtectStatus(
        cid=str(job.cid),
        k=job.k,
        m=job.m,
        state=job.state,
        verified_bytes=job.verified_bytes,
        total_bytes=job.size,
        resumed_bytes=job.resumed_bytes,
        started_at=job.started_at,
        reason=job.reason,
        result=None if job.result is None else _result(job.result),
        error=None if job.error is None else job.error.as_dict(),
    )


def slots_body(dataset: Dataset, present: RangeSet, trees: frozenset[int]) -> SlotsBody:
    """`present`: the leaves that are here; `trees`: slots whose slot tree is here."""
    geometry = Geometry.of(dataset.manifest)
    protection = dataset.manifest.protection
    assert protection is not None
    assert protection.verification is not None
    found = _result(dataset)
    return SlotsBody(
        cid=found.cid,
        tree_cid=found.tree_cid,
        verify_root=found.verify_root,
        slot_roots=found.slot_roots,
        k=geometry.k,
        m=geometry.m,
        original_tree_cid=str(protection.original_tree_cid),
        original_size=protection.original_dataset_size,
        block_size=geometry.block_size,
        cell_size=protection.verification.cell_size,
        slot_size=geometry.slot_size,
        steps=geometry.steps,
        slots=[
            SlotBody(
                index=slot,
                kind="data" if slot < geometry.k else "parity",
                root=root,
                first_block=geometry.row_range(slot).start,
                blocks=geometry.stored_blocks(slot),
                present_blocks=_present(geometry, slot, present),
                tree=slot in trees,
            )
            for slot, root in enumerate(found.slot_roots)
        ],
    )


def _present(geometry: Geometry, slot: int, present: RangeSet) -> int:
    start = geometry.row_range(slot).start
    return present.within(start, start + geometry.stored_blocks(slot)).count()


def _result(dataset: Dataset) -> ProtectResult:
    protection = dataset.manifest.protection
    assert protection is not None
    assert protection.verification is not None
    return ProtectResult(
        cid=str(dataset.manifest_cid),
        tree_cid=str(dataset.manifest.tree_cid),
        verify_root=str(protection.verification.verify_root),
        slot_roots=[str(root) for root in protection.verification.slot_roots],
    )
