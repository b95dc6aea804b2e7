"""The Poseidon2 trees over slots and over the roots of a dataset's slots.

    cells -> block digest (tree over the cells of a block)
    block digests of a row, padded to a power of two -> slot tree -> slot root
    slot roots in the order of the slots -> verify root

A tree is one `bytes`: every layer from the leaves up to the root, each node 32 bytes. A single leaf
has one layer above it. Pads are digests of blocks of zeros.
Source   proofs.md 3.6, 3.7, 3.8
"""

from __future__ import annotations

from quire.base.errors import InputError
from quire.formats.cid import CODEC_PROVING_ROOT, CODEC_SLOT_ROOT, Cid
from quire.formats.felt import check_felt
from quire.formats.multihash import HASH_IDENTITY
from quire.kernels import poseidon2
from quire.kernels.poseidon2 import CELL_BYTES

NODE_BYTES = 32
MAX_SLOT_LEAVES = 1 << 27  # 2^32 cells of 2 KiB in blocks of 64 KiB; the circuit has no more


def layer_sizes(leaf_count: int) -> list[int]:
    """Nodes of each layer from the bottom: (8, 4, 2, 1); of a single leaf (1, 1)."""
    assert leaf_count >= 1
    sizes = [leaf_count]
    while sizes[-1] > 1 or len(sizes) == 1:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def tree_bytes(leaf_count: int) -> int:
    """Length of all layers together."""
    return sum(layer_sizes(leaf_count)) * NODE_BYTES


def slot_leaf_count(steps: int) -> int:
    """Leaves of the tree over a slot of so many blocks. Raises InputError."""
    if not 1 <= steps <= MAX_SLOT_LEAVES:
        raise InputError(f"a slot of {steps} blocks is none from 1 to {MAX_SLOT_LEAVES}")
    return 1 << (steps - 1).bit_length()


def slot_leaf_count_of_tree(length: int) -> int:
    """Leaves of a slot tree whose layers have so many bytes. Raises InputError."""
    nodes, rest = divmod(length, NODE_BYTES)
    leaf_count = 1 if nodes == 2 else (nodes + 1) // 2
    is_tree = leaf_count <= MAX_SLOT_LEAVES and leaf_count & (leaf_count - 1) == 0
    if rest or nodes < 2 or not is_tree or tree_bytes(leaf_count) != length:
        raise InputError(f"{length} bytes are not the layers of a slot tree")
    return leaf_count


def padded_leaves(digests: bytes, zero_digest: bytes) -> bytes:
    """The digests of a slot's blocks, padded to a power of two. Raises InputError."""
    steps, rest = divmod(len(digests), NODE_BYTES)
    if rest or len(zero_digest) != NODE_BYTES:
        raise InputError(f"{len(digests)} bytes are not digests of {NODE_BYTES} bytes")
    return digests + zero_digest * (slot_leaf_count(steps) - steps)


def slot_layers(digests: bytes, block_size: int, cell_size: int = CELL_BYTES) -> bytes:
    """All layers of the tree over a slot, from the digests of its blocks; what lacks up to a power
    of two are pads. Blocking. Raises InputError."""
    zero_digest = poseidon2.zero_block_digest(block_size, cell_size)
    return poseidon2.tree(padded_leaves(digests, zero_digest))


def sibling_positions(leaf_count: int, index: int) -> list[int | None]:
    """Where in the layers the path of a leaf lies, bottom-up; None where a node has no sibling
    (zeros stand there in a path). Raises InputError."""
    if not 0 <= index < leaf_count:
        raise InputError(f"leaf {index} is not one of {leaf_count}")
    found: list[int | None] = []
    start = 0
    for size in layer_sizes(leaf_count)[:-1]:
        sibling = index ^ 1
        found.append(start + sibling if sibling < size else None)
        start += size
        index >>= 1
    return found


def slot_root_cid(root: bytes) -> Cid:
    """The CID under which a manifest names the root of a slot. Raises BadEncoding."""
    return _felt_cid(CODEC_SLOT_ROOT, root)


def verify_root_cid(root: bytes) -> Cid:
    """The CID of the root over all slot roots. Raises BadEncoding."""
    return _felt_cid(CODEC_PROVING_ROOT, root)


def _felt_cid(codec: int, root: bytes) -> Cid:
    check_felt(root)
    return Cid(1, codec, HASH_IDENTITY, root)
