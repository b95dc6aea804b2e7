"""One stretch of blocks on its way to the disk: hashed, deduplicated, written."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from quire.kernels.hashing import sha256_blocks
from quire.store.blocks import BlockTable
from quire.store.disk import Buffer
from quire.store.extents import Extent, merge
from quire.store.packs import Packs
from quire.store.pins import Pins
from quire.store.shape import DIGEST_BYTES


@dataclass(frozen=True, slots=True)
class Segment:
    """Blocks that are on the disk, though not yet durable nor in the index.

    places  one per block; 0 when the block is elsewhere: earlier in the same write, or `pinned`
    """

    digests: tuple[bytes, ...]
    places: array[int]
    extent: Extent | None  # None when no block was new
    pinned: tuple[bytes, ...]  # blocks of the index that this one counts on


@dataclass(frozen=True, slots=True)
class SegmentWriter:
    """Writes segments. Blocking; may run in several threads at once."""

    packs: Packs
    pins: Pins
    blocks: BlockTable

    def hash_and_write(
        self, data: Buffer, block_size: int, is_written: Callable[[bytes], bool]
    ) -> Segment:
        """Hash the blocks, a short last one padded with zeros, and write those that are new."""
        return self.write(data, sha256_blocks(data, block_size), block_size, is_written)

    def write(
        self, data: Buffer, joined: bytes, block_size: int, is_written: Callable[[bytes], bool]
    ) -> Segment:
        """Write the blocks that are neither in the index nor written before.

        joined      their digests
        is_written  whether the same upload has written the block already
        Raises      DiskFull
        """
        digests = tuple(
            joined[at : at + DIGEST_BYTES] for at in range(0, len(joined), DIGEST_BYTES)
        )
        first = {digest: at for at, digest in reversed(list(enumerate(digests)))}
        fresh = [digest for digest in first if not is_written(digest)]
        claimed = self.pins.pin(fresh)
        try:
            known = self.blocks.known(claimed)
        except BaseException:
            self.pins.unpin(claimed)
            raise
        if len(known) < len(claimed):
            self.pins.unpin([digest for digest in claimed if digest not in known])
        new = sorted(first[digest] for digest in fresh if digest not in known)
        places = array("Q", bytes(8 * len(digests)))
        try:
            extent = self._write_blocks(memoryview(data).cast("B"), block_size, new, places)
        except BaseException:
            self.pins.unpin(known)
            raise
        return Segment(digests, places, extent, tuple(known))

    def _write_blocks(
        self, view: memoryview, block_size: int, new: Sequence[int], places: array[int]
    ) -> Extent | None:
        """Write the blocks with these indexes one after the other; notes their places."""
        if not new:
            return None
        length = len(new) * block_size
        if new[-1] - new[0] + 1 == len(new):
            parts: list[Buffer] = [view[new[0] * block_size : (new[-1] + 1) * block_size]]
        else:
            parts = [view[at * block_size : (at + 1) * block_size] for at in new]
        padding = length - sum(len(part) for part in parts)
        if padding:
            parts.append(bytes(padding))
        extent = self.packs.write(parts, length)
        for position, at in enumerate(new):
            places[at] = extent.place + position * block_size
        return extent


class LeafBatch:
    """Segments, in order, that enter the index together."""

    def __init__(self, block_size: int) -> None:
        self.block_size = block_size
        self.digests: list[bytes] = []
        self.extents: list[Extent] = []
        self.pinned: list[bytes] = []
        self._places: dict[bytes, int] = {}  # 0: the block is in the index
        self._spare: list[int] = []

    def __contains__(self, digest: object) -> bool:
        return digest in self._places

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def packs(self) -> frozenset[int]:
        return frozenset(extent.pack for extent in self.extents)

    def add(self, segment: Segment) -> None:
        """Append the leaves of a segment."""
        for digest, place in zip(segment.digests, segment.places, strict=True):
            if self._places.setdefault(digest, place) != place and place:
                self._spare.append(place)  # two segments wrote the same block at the same time
        self.digests.extend(segment.digests)
        if segment.extent is not None:
            self.extents.append(segment.extent)
        self.pinned.extend(segment.pinned)

    def record(self, blocks: BlockTable, accepted: Sequence[bytes]) -> Mapping[bytes, int]:
        """Within a transaction: put blocks and extents into the index.

        accepted  digest of each leaf that becomes present, with repetitions
        Returns   digest -> place, at least for the accepted ones
        """
        extents = blocks.extents
        for extent in self.extents:
            extents.add_run(extent)
        counts = Counter(accepted)
        wanted = {digest: (self._places[digest], n) for digest, n in counts.items()}
        found = blocks.add(wanted, self.block_size)
        spare = self._spare + [p for d, p in self._places.items() if p and d not in counts]
        extents.add_freed(merge(spare, self.block_size))
        return {**self._places, **found} if found else self._places


def is_in(*batches: Container[bytes]) -> Callable[[bytes], bool]:
    """Whether a digest is in one of the batches."""
    return lambda digest: any(digest in batch for batch in batches)
