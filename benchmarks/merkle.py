"""Merkle tree of 1 GiB of leaves' worth of data, beside raw SHA-256 of the same bytes."""

from __future__ import annotations

import hashlib
import os
import time

from benchmarks.data import BLOCK_BYTES, PIECE_BYTES
from benchmarks.processes import REPEATS, middle
from benchmarks.report import Row
from quire.base.units import GIB, MIB
from quire.kernels.hashing import merkle_tree, sha256_blocks


def _seconds(work: object) -> float:
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started


def merkle(size_bytes: int = GIB) -> list[Row]:
    """Leaves and tree through the kernel; the limit is hashlib over the same memory, one core."""
    data = memoryview(os.urandom(64 * MIB))
    rounds = size_bytes // len(data)

    def build() -> None:
        leaves = bytearray()
        for _ in range(rounds):
            for start in range(0, len(data), 4 * PIECE_BYTES):
                leaves += sha256_blocks(data[start : start + 4 * PIECE_BYTES], BLOCK_BYTES)
        merkle_tree(leaves)

    def raw() -> None:
        for _ in range(rounds):
            hashlib.sha256(data).digest()

    builds, raws = [], []
    for _ in range(REPEATS):
        raws.append(size_bytes / 1e6 / _seconds(raw))
        builds.append(size_bytes / 1e6 / _seconds(build))
    leaves = os.urandom(32 * (size_bytes // BLOCK_BYTES))
    tree_ms = middle([_seconds(lambda: merkle_tree(leaves)) * 1000 for _ in range(9)])
    return [
        Row(
            "Merkle build of 1 GiB (blocks and tree)",
            middle(builds),
            "MB/s",
            middle(raws),
            "hashlib SHA-256, one core",
            "at the limit or above",
            f"tree over {len(leaves) // 32} leaves alone: {tree_ms:.2f} ms",
        ),
    ]
