"""The proofs of neighbouring leaves: one range proof out of single ones, single ones out of one.

Neighbours share most of their paths: a run of n leaves needs about n hashes more than one leaf.
The layout of a range proof is that of `kernels/hashing.py`.
"""

from __future__ import annotations

import hashlib

from quire.base.errors import ProofInvalid
from quire.base.invariant import invariant
from quire.formats.merkle import DIGEST_BYTES, ZERO, InclusionProof, depth
from quire.formats.varint import Buffer

_KEYS = tuple(bytes((key,)) for key in range(4))


def range_proof_of(first: InclusionProof, last: InclusionProof) -> bytes:
    """The range proof of the leaves from `first` to `last`, of which both proofs are true."""
    low, high, size = first.index, last.index, first.leaf_count
    invariant(low <= high < size == last.leaf_count, "both leaves are of one tree, in order")
    nodes = []
    for left, right in zip(first.path, last.path, strict=True):
        if low % 2 == 1:
            nodes.append(left)
        if high % 2 == 0 and high + 1 < size:
            nodes.append(right)
        low, high, size = low // 2, high // 2, (size + 1) // 2
    return b"".join(nodes)


def leaf_proofs(
    digests: Buffer, start: int, leaf_count: int, range_proof: Buffer
) -> list[InclusionProof]:
    """The proof of each leaf of a run, from their digests and the range proof of the run.

    Nothing is verified: both are the caller's own. Raises `ProofInvalid` when they do not fit.
    """
    count = len(digests) // DIGEST_BYTES
    invariant(0 < count <= leaf_count - start, "the run lies in the tree", start=start)
    layer = {start + i: bytes(digests[32 * i : 32 * i + 32]) for i in range(count)}
    low, high, size, at, bottom = start, start + count - 1, leaf_count, 0, 1
    paths: list[list[bytes]] = [[] for _ in range(count)]
    for height in range(depth(leaf_count)):
        for is_needed, index in (
            (low % 2 == 1, low - 1),
            (high % 2 == 0 and high + 1 < size, high + 1),
        ):
            if is_needed:
                layer[index] = bytes(range_proof[at : at + DIGEST_BYTES])
                at += DIGEST_BYTES
        for i, path in enumerate(paths):
            path.append(layer.get(((start + i) >> height) ^ 1, ZERO))
        layer = {
            parent: _parent(layer, parent, bottom) for parent in range(low // 2, high // 2 + 1)
        }
        low, high, size, bottom = low // 2, high // 2, (size + 1) // 2, 0
    if at != len(range_proof):
        raise ProofInvalid(f"a range proof of {len(range_proof)} bytes does not fit its run")
    return [InclusionProof(start + i, leaf_count, tuple(path)) for i, path in enumerate(paths)]


class ProofChecker:
    """Checks the proofs of leaves of one tree, and remembers the last true one.

    Where the path of a leaf meets that of the last one, the rest must be the same and is not
    hashed again: two hashes for a neighbour instead of one for each layer.
    """

    def __init__(self, root: bytes, leaf_count: int) -> None:
        self.root = root
        self.leaf_count = leaf_count
        self._last: InclusionProof | None = None
        self._nodes: list[bytes] = []  # on the way up from the last leaf, itself first

    def check(self, proof: InclusionProof, leaf: bytes, index: int) -> None:
        """Raise `ProofInvalid` unless `leaf` stands at `index`."""
        last = self._last
        meets = -1 if last is None else (index ^ last.index).bit_length()
        if (
            last is None
            or (proof.index, proof.leaf_count) != (index, self.leaf_count)
            or proof.hash_code != last.hash_code
            or proof.path[meets:] != last.path[meets:]
            or len(proof.path) != len(last.path)
            or meets >= len(self._nodes)
        ):
            proof.check(leaf, self.root, index=index, leaf_count=self.leaf_count)
            nodes = _way_up(proof, leaf, len(proof.path))
        else:
            nodes = _way_up(proof, leaf, meets)
            if nodes[-1] != self._nodes[meets]:
                raise ProofInvalid(
                    f"the proof of leaf {index} is refused: it leads to another root", index=index
                )
            nodes += self._nodes[meets + 1 :]
        self._last, self._nodes = proof, nodes


def _way_up(proof: InclusionProof, leaf: bytes, height: int) -> list[bytes]:
    """The nodes above a leaf up to `height`, itself first. Raises `ProofInvalid`."""
    nodes, node, at, size, bottom = [leaf], leaf, proof.index, proof.leaf_count, 1
    for sibling in proof.path[:height]:
        if at % 2 == 1:
            node = _compress(sibling, node, bottom)
        elif at + 1 < size:
            node = _compress(node, sibling, bottom)
        elif sibling == ZERO:
            node = _compress(node, ZERO, bottom + 2)
        else:
            raise ProofInvalid(
                f"the proof of leaf {proof.index} is refused: a missing sibling is not zero",
                index=proof.index,
            )
        nodes.append(node)
        at, size, bottom = at >> 1, (size + 1) >> 1, 0
    return nodes


def _parent(layer: dict[int, bytes], parent: int, bottom: int) -> bytes:
    left, right = layer[2 * parent], layer.get(2 * parent + 1)
    if right is None:
        return _compress(left, ZERO, bottom + 2)
    return _compress(left, right, bottom)


def _compress(left: bytes, right: bytes, key: int) -> bytes:
    return hashlib.sha256(left + right + _KEYS[key]).digest()
