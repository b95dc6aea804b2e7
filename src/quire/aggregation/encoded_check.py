"""Whether a coded dataset is the code of the original: looked at in pieces, in little memory.

    leaf list    ──► own leaves, pads, Merkle root; leaves of the drawn parity blocks are noted
    digest list  ──► slot trees, slot roots, verify root; digests of the drawn blocks are noted
    drawn columns, K blocks each ──► coded here ──► SHA-256 and Poseidon2 compared with the notes

Nobody else would look at the parity: hosts build the slot roots from the blocks that they get, so a
wrong block only shows when a repair fails.
Source   market.md 6.5
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from quire.aggregation.order import Wrong
from quire.aggregation.streamed_roots import StreamedSlot, StreamedTree
from quire.aggregation.stripes import Drawn
from quire.base.errors import BadEncoding, Bug
from quire.formats.aggregator_codes import Reason
from quire.formats.manifest import Manifest, Verification
from quire.kernels import erasure, poseidon2
from quire.kernels.hashing import sha256_blocks
from quire.store.shape import DIGEST_BYTES, EMPTY_DIGEST


class EncodedCheck:
    """Of one receipt. Lists are fed from the start, in order, in pieces of any size; then the
    columns. Every method blocks, and says what is wrong: None, nothing so far."""

    def __init__(self, encoded: Manifest, drawn: Drawn) -> None:
        protection = encoded.protection
        if protection is None or protection.verification is None:
            raise Bug("what is checked has no slots")
        self._encoded = encoded
        self._verification: Verification = protection.verification
        self._drawn = drawn
        self._geometry = geometry = drawn.geometry
        self._tree = StreamedTree(geometry.total)
        self._zero = poseidon2.zero_block_digest(geometry.block_size)
        self._slot = StreamedSlot(geometry.steps, self._zero)
        self._slot_roots: list[bytes] = []
        parity = range(geometry.k, geometry.slots)
        steps = geometry.steps
        self._leaves = _Notes(row * steps + at for row in parity for at in drawn.columns)
        self._digests = _Notes(geometry.index(row, at) for row, at in drawn.blocks)
        self._blocks: dict[int, list[int]] = {}
        for row, column in drawn.blocks:
            self._blocks.setdefault(column, []).append(row)

    # ---- the leaves ----

    def feed_leaves(self, leaves: bytes, own: bytes) -> Wrong | None:
        """`own`: digests of the original's blocks from the same place on, as far as it has any."""
        start = self._leaves.at
        if leaves[: len(own)] != own:
            at = _first_difference(leaves, own)
            return self._wrong(Reason.LEAVES, start + at, "is not the customer's own", own, leaves)
        geometry, stop = self._geometry, start + len(leaves) // DIGEST_BYTES
        low, high = max(start, geometry.original_blocks), min(stop, geometry.rounded)
        if low < high:
            found = leaves[(low - start) * DIGEST_BYTES : (high - start) * DIGEST_BYTES]
            pads = EMPTY_DIGEST * (high - low)
            if found != pads:
                at = low + _first_difference(found, pads)
                return Wrong(Reason.LEAVES, f"block {at} is to be a pad, and is none", at)
        self._leaves.note(leaves)
        self._tree.feed(leaves)
        return None

    def end_leaves(self) -> Wrong | None:
        """All were fed."""
        if self._tree.root() != self._encoded.tree_cid.digest:
            words = "the list of leaves has another root than the manifest names"
            return Wrong(Reason.TREE_ROOT, words)
        return None

    # ---- the Poseidon2 digests ----

    def feed_digests(self, digests: bytes) -> Wrong | None:
        steps = self._geometry.steps
        while digests:
            row, column = divmod(self._digests.at, steps)
            count = min(len(digests) // DIGEST_BYTES, steps - column)
            part, digests = digests[: count * DIGEST_BYTES], digests[count * DIGEST_BYTES :]
            wrong = self._feed_slot(row, column, part)
            if wrong is not None:
                return wrong
        return None

    def _feed_slot(self, row: int, column: int, part: bytes) -> Wrong | None:
        """Digests of one slot, from a column on."""
        geometry, count = self._geometry, len(part) // DIGEST_BYTES
        pads = column + count - max(column, geometry.stored_blocks(row))
        if pads > 0 and part[-pads * DIGEST_BYTES :] != self._zero * pads:
            at = geometry.index(row, column + count - pads)
            return Wrong(Reason.DIGEST, f"the digest of a pad from block {at} on is not of zeros")
        self._digests.note(part)
        try:
            self._slot.feed(part)
            if column + count == geometry.steps:
                return self._end_slot(row)
        except BadEncoding as error:
            return Wrong(Reason.DIGEST, f"a digest of slot {row} is none: {error.message}")
        return None

    def _end_slot(self, row: int) -> Wrong | None:
        root = self._slot.root()
        if root != self._verification.slot_roots[row].digest:
            words = f"the digests of slot {row} have another root than the manifest names"
            return Wrong(Reason.SLOT_ROOT, words, evidence=root)
        self._slot_roots.append(root)
        self._slot = StreamedSlot(self._geometry.steps, self._zero)
        return None

    def end_digests(self) -> Wrong | None:
        """All were fed."""
        root = poseidon2.root(b"".join(self._slot_roots))
        if root != self._verification.verify_root.digest:
            words = "the slot roots have another root than the manifest names"
            return Wrong(Reason.VERIFY_ROOT, words, evidence=root)
        return None

    # ---- the columns ----

    def columns(self, columns: Sequence[int], rows: Sequence[bytes]) -> Wrong | None:
        """Code drawn columns. `rows`: K, each the blocks of these columns, pads as zeros."""
        geometry, size = self._geometry, self._geometry.block_size
        coded = erasure.encode(rows, geometry.m)
        for number, parity in enumerate(coded, geometry.k):
            found, start = sha256_blocks(parity, size), geometry.index(number, 0)
            for at, column in enumerate(columns):
                ours, index = found[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES], start + column
                if ours != (claimed := self._leaves.of(index)):
                    words = f"parity block {index} of column {column} is not of its code"
                    return Wrong(Reason.PARITY, words, column, ours + claimed)
        return self._check_digests(columns, [*rows, *coded])

    def _check_digests(self, columns: Sequence[int], rows: Sequence[bytes]) -> Wrong | None:
        size = self._geometry.block_size
        for at, column in enumerate(columns):
            for row in self._blocks.get(column, ()):
                index = self._geometry.index(row, column)
                block = memoryview(rows[row])[at * size : (at + 1) * size]
                ours = poseidon2.block_digests(block, size)
                if ours != (claimed := self._digests.of(index)):
                    words = f"the Poseidon2 digest of block {index} is not that of its bytes"
                    return Wrong(Reason.DIGEST, words, column, ours + claimed)
        return None

    def words(self) -> str:
        """What was looked at, when nothing was wrong."""
        return self._drawn.words()

    def _wrong(self, reason: Reason, index: int, what: str, *digests: bytes) -> Wrong:
        start = (index - self._leaves.at) * DIGEST_BYTES
        evidence = b"".join(each[start : start + DIGEST_BYTES] for each in digests)
        column = index % self._geometry.steps
        return Wrong(reason, f"the leaf of block {index} {what}", column, evidence)


class _Notes:
    """Digests of some places of a list that goes by."""

    def __init__(self, wanted: Iterable[int]) -> None:
        self._wanted = sorted(wanted)
        self._found: dict[int, bytes] = {}
        self.at = 0

    def note(self, digests: bytes) -> None:
        start, stop = self.at, self.at + len(digests) // DIGEST_BYTES
        for number in range(bisect_left(self._wanted, start), bisect_left(self._wanted, stop)):
            index = self._wanted[number]
            at = (index - start) * DIGEST_BYTES
            self._found[index] = digests[at : at + DIGEST_BYTES]
        self.at = stop

    def of(self, index: int) -> bytes:
        return self._found[index]


def _first_difference(one: bytes, other: bytes) -> int:
    """The number of the first digest that differs."""
    for at in range(0, len(other), DIGEST_BYTES):
        if one[at : at + DIGEST_BYTES] != other[at : at + DIGEST_BYTES]:
            return at // DIGEST_BYTES
    return len(other) // DIGEST_BYTES
