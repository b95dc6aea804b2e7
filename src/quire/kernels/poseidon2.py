"""Poseidon2 over BN254: hashes of cells, digests of blocks, trees and their paths.

A *felt* is a field element: 32 bytes, little-endian, below the modulus. Functions that take felts
refuse any other 32 bytes; functions that take data take any buffer and release the GIL.
A tree is one `bytes`, as in `kernels.hashing`: every layer from the leaves up to the root, joined;
a single leaf still has a root above it.

Source   proofs.md 3; vectors/poseidon2.json
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from quire import _core
from quire.base.errors import BadEncoding, InputError
from quire.formats.varint import Buffer

FELT_BYTES = 32
CELL_BYTES = 2048


def block_digests(data: Buffer, block_size: int, cell_size: int = CELL_BYTES) -> bytes:
    """The digest of each block: the root of the tree over the hashes of its cells.

    Raises   InputError  `data` is not whole blocks, or a block is not whole cells
    Cost     all cores; blocks of zeros cost nothing but a look
    """
    with _refusing(InputError):
        return _core.poseidon2_blocks(data, block_size, cell_size)


def cell_hashes(data: Buffer, cell_size: int = CELL_BYTES) -> bytes:
    """The sponge (rate 2) over each cell. Raises `InputError` when `data` is not whole cells."""
    with _refusing(InputError):
        return _core.poseidon2_cells(data, cell_size)


def felts(data: Buffer) -> bytes:
    """Data as felts, 31 bytes each; the last is what is left (0 to 30 bytes) and a byte 1."""
    with _refusing(InputError):
        return _core.poseidon2_felts(data)


def sponge(felts: Buffer, rate: int = 2) -> bytes:
    """The hash of any number of felts, `rate` (1 or 2) of them a permutation."""
    with _refusing(BadEncoding):
        return _core.poseidon2_sponge(felts, rate)


def permute(state: Buffer) -> bytes:
    """The permutation of a state of three felts (96 bytes)."""
    with _refusing(BadEncoding):
        return _core.poseidon2_permute(state)


def compress(a: Buffer, b: Buffer, key: int) -> bytes:
    """The first felt of the permutation of a, b and the key (0 to 3 in trees)."""
    with _refusing(BadEncoding):
        return _core.poseidon2_compress(a, b, key)


def tree(leaves: Buffer) -> bytes:
    """All layers over at least one leaf, leaves first, root last."""
    with _refusing(BadEncoding):
        return _core.poseidon2_tree(leaves)


def root(leaves: Buffer) -> bytes:
    """The root of the tree over at least one leaf."""
    with _refusing(BadEncoding):
        return _core.poseidon2_root(leaves)


def path(layers: Buffer, leaf_count: int, index: int) -> bytes:
    """The siblings of a leaf out of a whole tree, bottom layer first, zeros where there is none.

    Raises   InputError  the leaf is not in the tree, or `layers` is not a tree of so many leaves
    """
    with _refusing(InputError):
        return _core.poseidon2_path(layers, leaf_count, index)


def root_of_path(leaf: Buffer, index: int, leaf_count: int, path: Buffer) -> bytes:
    """The root that a leaf and its path lead to; whoever compares it with a known one is sure.

    Raises   BadEncoding  a felt that is none, an index outside the tree, a path of another length
    """
    with _refusing(BadEncoding):
        return _core.poseidon2_root_of_path(leaf, index, leaf_count, path)


@lru_cache(maxsize=16)
def zero_block_digest(block_size: int, cell_size: int = CELL_BYTES) -> bytes:
    """The digest of a block of zeros: of every pad of a dataset and of a slot."""
    if block_size < 1:
        raise InputError(f"a block of {block_size} bytes has no digest")
    return block_digests(bytes(block_size), block_size, cell_size)


@contextmanager
def _refusing(error: type[InputError]) -> Iterator[None]:
    """What the kernel refuses, in our words."""
    try:
        yield
    except (ValueError, OverflowError) as problem:
        raise error(str(problem)) from problem


ZERO_BLOCK_DIGEST = zero_block_digest(1 << 16)
