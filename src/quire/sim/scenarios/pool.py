"""The datasets that the users of a run have: small, and with many blocks in common."""

from __future__ import annotations

import random
from dataclasses import dataclass

from quire.base.units import KIB
from quire.formats.cid import Cid, manifest_cid, tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.kernels.hashing import merkle_tree, sha256_blocks

BLOCK_SIZES = (4 * KIB, 4 * KIB, 4 * KIB, 16 * KIB, 64 * KIB)
BLOCKS_MAX = 24
SHARED_CHANCE = 0.4  # of a block to be one that other datasets have too


@dataclass(frozen=True, slots=True)
class File:
    """Bytes with the name under which they are uploaded."""

    content: bytes
    block_size: int
    filename: str | None
    cid: Cid  # computed here, so that a node that answers another one is caught

    @property
    def block_count(self) -> int:
        return -(-len(self.content) // self.block_size)


def draw_pool(rng: random.Random, count: int) -> list[File]:
    """Datasets that share blocks; some are the same bytes under another name."""
    block_size = rng.choice(BLOCK_SIZES)
    shared = [rng.randbytes(block_size) for _ in range(6)] + [bytes(block_size)]
    pool: list[File] = []
    for number in range(count):
        if pool and rng.random() < 0.2:
            pool.append(_file(rng.choice(pool).content, block_size, f"copy-{number}"))
            continue
        blocks = [
            rng.choice(shared) if rng.random() < SHARED_CHANCE else rng.randbytes(block_size)
            for _ in range(rng.randint(1, BLOCKS_MAX))
        ]
        content = b"".join(blocks)
        cut = rng.choice((0, 1, rng.randrange(block_size)))
        pool.append(_file(content[: len(content) - cut], block_size, None))
    return pool


def _file(content: bytes, block_size: int, filename: str | None) -> File:
    root = merkle_tree(sha256_blocks(content, block_size))[-32:]
    manifest = Manifest(tree_cid(root), block_size, len(content), filename=filename)
    return File(content, block_size, filename, manifest_cid(encode_manifest(manifest)))
