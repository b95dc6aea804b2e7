"""Small protected datasets, coded in one go, and the nodes that hold rows of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quire.dataset.geometry import Geometry
from quire.dataset.protected import protected_manifest, verifiable_manifest
from quire.dataset.slot_tree import padded_leaves
from quire.formats.cid import tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.kernels import erasure, poseidon2
from quire.kernels.hashing import merkle_tree, sha256_blocks
from quire.store.shape import EMPTY_DIGEST
from support.memory_store import random_bytes

BLOCK = 4096


@dataclass(frozen=True)
class Protected:
    """A dataset, its manifest, and all blocks and digests of its protected tree."""

    data: bytes
    manifest: bytes
    geometry: Geometry
    blocks: bytes  # pads as zeros
    nodes: bytes  # of the tree, leaves first
    slot_layers: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        return self.nodes[-32:]

    def row(self, number: int) -> bytes:
        size = self.geometry.steps * self.geometry.block_size
        return self.blocks[number * size : (number + 1) * size]


def protect(
    blocks: int,
    k: int,
    m: int,
    *,
    block_size: int = BLOCK,
    short: int = 5,
    is_verifiable: bool = True,
    spoilt: Sequence[tuple[int, int]] = (),
) -> Protected:
    """A dataset of so many blocks, the last `short` bytes short, protected with k + m.

    spoilt   (row, column) of parity blocks that whoever protected it got wrong
    """
    data = random_bytes(blocks * block_size - short, blocks * 1000 + k * 10 + m)
    original = merkle_tree(sha256_blocks(data, block_size))
    geometry = Geometry(blocks, k, m, block_size)
    rounded = data.ljust(geometry.rounded * block_size, b"\0")
    size = geometry.steps * block_size
    rows = [rounded[row * size : (row + 1) * size] for row in range(k)]
    whole = bytearray(rounded + b"".join(erasure.encode(rows, m)))
    for row, column in spoilt:
        whole[geometry.index(row, column) * block_size] ^= 1
    digests = bytearray(sha256_blocks(whole, block_size))
    for index in range(geometry.original_blocks, geometry.rounded):
        digests[index * 32 : index * 32 + 32] = EMPTY_DIGEST
    nodes = merkle_tree(bytes(digests))
    plain = Manifest(tree_cid(original[-32:]), block_size, len(data), "a file.bin")
    manifest = protected_manifest(plain, k, m, nodes[-32:])
    layers: list[bytes] = []
    if is_verifiable:
        zero = poseidon2.zero_block_digest(block_size)
        for row in range(k + m):
            hashed = poseidon2.block_digests(whole[row * size : (row + 1) * size], block_size)
            layers.append(poseidon2.tree(padded_leaves(hashed, zero)))
        roots = [each[-32:] for each in layers]
        manifest = verifiable_manifest(manifest, roots, poseidon2.root(b"".join(roots)))
    return Protected(data, encode_manifest(manifest), geometry, bytes(whole), nodes, tuple(layers))
