"""Coded columns of a protected dataset, and what of them enters the index."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from quire.dataset.geometry import Geometry
from quire.store.disk import Buffer
from quire.store.marks import Marks
from quire.store.meta import Tables
from quire.store.segment import LeafBatch
from quire.store.shape import DIGEST_BYTES


@dataclass(frozen=True, slots=True)
class Columns:
    """Coded columns [first, first + count) of a protected dataset.

    Shapes  parity: m rows of `count` blocks, one after the other; digests: their SHA-256, 32 bytes
            each, in the same order; slots: the Poseidon2 digests of all k + m rows, `count` of 32
            bytes each
    """

    first: int
    count: int
    parity: Buffer
    digests: bytes
    slots: bytes


@dataclass(frozen=True, slots=True)
class WrittenColumns:
    """Columns whose parity is on its way to the disk, without it."""

    first: int
    count: int
    digests: bytes
    slots: bytes

    @classmethod
    def of(cls, columns: Columns) -> WrittenColumns:
        return cls(columns.first, columns.count, columns.digests, columns.slots)

    def digests_of(self, parity_row: int) -> bytes:
        return _part(self.digests, parity_row, self.count)

    def slot_digests_of(self, slot: int) -> bytes:
        return _part(self.slots, slot, self.count)


def enter(
    tables: Tables,
    ids: tuple[int, int],
    geometry: Geometry,
    batch: LeafBatch,
    written: Sequence[WrittenColumns],
) -> None:
    """Within a transaction: neighbouring columns become leaves of the tree, their slot digests are
    kept. `ids`: of the protection and of its tree; `batch`: the blocks of their parity."""
    protection_id, tree_id = ids
    first = written[0].first
    places = batch.record(tables.blocks, batch.digests)
    marks = Marks(tables, tree_id, geometry.total)
    for parity_row in range(geometry.m):
        digests = b"".join(each.digests_of(parity_row) for each in written)
        where = array("Q", (places[digest] for digest in cut(digests)))
        marks.add(geometry.index(geometry.k + parity_row, first), digests, where)
    marks.save()
    for slot in range(geometry.slots):
        digests = b"".join(each.slot_digests_of(slot) for each in written)
        tables.protections.add_digests(protection_id, slot, first, digests)


def cut(digests: bytes) -> list[bytes]:
    """Joined digests one by one."""
    return [digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES)]


def _part(joined: bytes, row: int, count: int) -> bytes:
    return joined[row * count * DIGEST_BYTES : (row + 1) * count * DIGEST_BYTES]
