"""What an aggregator made of a small dataset, honest or not, as bytes; and its check by pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from quire.aggregation.encoded_check import EncodedCheck
from quire.aggregation.order import Wrong
from quire.aggregation.stripes import Drawn
from quire.dataset.geometry import Geometry
from quire.dataset.protected import protected_manifest, verifiable_manifest
from quire.dataset.slot_tree import padded_leaves
from quire.formats.cid import tree_cid
from quire.formats.manifest import Manifest
from quire.kernels import erasure, poseidon2
from quire.kernels.hashing import merkle_root, sha256_blocks
from quire.sim.liar import with_roots
from quire.store.shape import EMPTY_DIGEST
from support.memory_store import random_bytes

BLOCK = 4096


@dataclass(frozen=True)
class Coded:
    """`rows`: of the original, pads as zeros; `own`: the digests of its blocks."""

    original: Manifest
    geometry: Geometry
    rows: list[bytes]
    own: bytes
    leaves: bytes
    digests: bytes
    manifest: Manifest

    def parity_at(self, number: int, column: int) -> int:
        """Where in the list of leaves a parity block is."""
        return self.geometry.index(self.geometry.k + number, column) * 32

    def with_leaves(self, leaves: bytes) -> Coded:
        """Another list of leaves, whose root the manifest names."""
        manifest = replace(self.manifest, tree_cid=tree_cid(merkle_root(leaves)))
        return replace(self, leaves=leaves, manifest=manifest)

    def with_digests(self, digests: bytes) -> Coded:
        """Another list of digests, whose slots the manifest names."""
        size = self.geometry.steps * 32
        parts = [digests[at : at + size] for at in range(0, len(digests), size)]
        zero = poseidon2.zero_block_digest(BLOCK)
        roots = [poseidon2.root(padded_leaves(part, zero)) for part in parts]
        return replace(self, digests=digests, manifest=with_roots(self.manifest, roots))


def coded(blocks: int, k: int, m: int, *, short: int = 5, seed: int = 1) -> Coded:
    """Honestly."""
    data = random_bytes(blocks * BLOCK - short, seed)
    own = sha256_blocks(data, BLOCK)
    geometry = Geometry(blocks, k, m, BLOCK)
    size = geometry.steps * BLOCK
    rounded = data.ljust(geometry.rounded * BLOCK, b"\0")
    rows = [rounded[row * size : (row + 1) * size] for row in range(k)]
    parity = erasure.encode(rows, m)
    pads = EMPTY_DIGEST * (geometry.rounded - blocks)
    leaves = own + pads + sha256_blocks(b"".join(parity), BLOCK)
    original = Manifest(tree_cid(merkle_root(own)), BLOCK, len(data), "a file.bin", "text/plain")
    protected = protected_manifest(original, k, m, merkle_root(leaves))
    digests = b"".join(poseidon2.block_digests(row, BLOCK) for row in [*rows, *parity])
    zeros = [bytes(32)] * (k + m)
    manifest = verifiable_manifest(protected, zeros, bytes(32))
    made = Coded(original, geometry, rows, own, leaves, digests, manifest)
    return made.with_digests(digests)


def swapped(data: bytes, one: int, other: int) -> bytes:
    """With two digests in each other's place: felts stay felts."""
    parts = [data[at : at + 32] for at in range(0, len(data), 32)]
    parts[one], parts[other] = parts[other], parts[one]
    return b"".join(parts)


def looked_at(made: Coded, drawn: Drawn, piece: int = 1 << 20) -> Wrong | str:
    """The whole check, in pieces of so many digests."""
    check = EncodedCheck(made.manifest, drawn)
    wrong = _fed(made.leaves, piece, lambda at, part: check.feed_leaves(part, _own(made, at, part)))
    wrong = wrong or check.end_leaves()
    wrong = wrong or _fed(made.digests, piece, lambda _, part: check.feed_digests(part))
    wrong = wrong or check.end_digests()
    return wrong or coded_again(made, check, drawn) or check.words()


def parity_of(made: Coded, drawn: Drawn) -> Wrong | None:
    """The parity alone."""
    check = EncodedCheck(made.manifest, drawn)
    wrong = check.feed_leaves(made.leaves, made.own)
    return wrong or check.end_leaves() or coded_again(made, check, drawn)


def coded_again(made: Coded, check: EncodedCheck, drawn: Drawn) -> Wrong | None:
    for at in range(0, len(drawn.columns), 8):
        columns = drawn.columns[at : at + 8]
        wrong = check.columns(columns, [blocks_of(row, columns) for row in made.rows])
        if wrong is not None:
            return wrong
    return None


def blocks_of(row: bytes, columns: Sequence[int]) -> bytes:
    return b"".join(row[column * BLOCK : (column + 1) * BLOCK] for column in columns)


def _own(made: Coded, at: int, part: bytes) -> bytes:
    return made.own[at : at + len(part)]


def _fed(data: bytes, piece: int, feed: Callable[[int, bytes], Wrong | None]) -> Wrong | None:
    for at in range(0, len(data), piece * 32):
        wrong = feed(at, data[at : at + piece * 32])
        if wrong is not None:
            return wrong
    return None
