"""A process that uses a store at random and reports what was acknowledged, until it is killed.

    python -m support.store_child DIRECTORY SEED PAYLOADS

It prints one line per fact: `try N` and `have N` for a dataset (made from payload seed N), `drop N`
before and `gone N` after a deletion, `part N K` when the first K blocks of a fetched dataset are
flushed.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

from quire.base.clock import SystemClock
from quire.base.errors import BlockMissing
from quire.base.events import EventBus
from quire.formats.cid import manifest_cid, tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.kernels.hashing import merkle_tree, range_proof, sha256_blocks
from quire.store.dataset import RetentionRoot
from quire.store.open import open_store
from quire.store.store import Store

BLOCK = 4096
QUOTA = 1 << 32
PACK_BYTES = 4 << 20  # small, so that packs are sealed and removed
KEEP = RetentionRoot("pin", "", None)


def payload(number: int) -> bytes:
    """Bytes of dataset `number`: some blocks are shared with other datasets, some repeat."""
    rng = random.Random(number)
    kinds = rng.choices(
        "usr", weights=(4, 3, 1), k=rng.choice((1, 2, 5, 40, 300)) if number % 12 else 2600
    )
    parts = []
    for kind in kinds:
        if kind == "u":
            parts.append(rng.randbytes(BLOCK))
        elif kind == "s":
            parts.append(random.Random(-1 - rng.randrange(50)).randbytes(BLOCK))
        else:
            parts.append(b"\0" * BLOCK)
    parts[-1] = parts[-1][: rng.randrange(1, BLOCK + 1)]
    return b"".join(parts)


def manifest_of(data: bytes) -> bytes:
    tree = merkle_tree(sha256_blocks(data, BLOCK))
    return encode_manifest(Manifest(tree_cid(tree[-32:]), BLOCK, len(data)))


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def upload(store: Store, number: int, rng: random.Random) -> None:
    data = payload(number)
    say("try", number)
    taking = store.begin_upload(block_size=BLOCK)
    await taking.write(data)
    if rng.random() < 0.1:
        await taking.abort()
        return
    await taking.commit(root=KEEP)
    say("have", number)


async def delete(store: Store, number: int) -> None:
    say("drop", number)
    await store.delete(manifest_cid(manifest_of(payload(number))))
    say("gone", number)


async def fetch(store: Store, number: int, rng: random.Random) -> None:
    data = payload(number)
    digests = sha256_blocks(data, BLOCK)
    tree, count = merkle_tree(digests), len(digests) // 32
    padded = data + bytes(count * BLOCK - len(data))
    say("try", number)
    dataset = await store.put_manifest(manifest_of(data), KEEP)
    at = 0
    while at < count:
        step = min(rng.choice((1, 3, 16, 64)), count - at)
        proof = range_proof(tree, count, at, step)
        leaves = digests[at * 32 : (at + step) * 32]
        blocks = padded[at * BLOCK : (at + step) * BLOCK]
        try:
            await store.put_range(dataset.tree_root, at, blocks, leaves, proof)
        except BlockMissing:
            return  # deleted meanwhile by another task of this process
        at += step
        if rng.random() < 0.3:
            await store.flush()
            say("part", number, at)
    await store.flush()
    say("have", number)


async def worker(store: Store, rng: random.Random, numbers: list[int]) -> None:
    """Works on its own datasets, so that what it says is true whatever the others do."""
    while True:
        action = rng.random()
        number = rng.choice(numbers)
        if action < 0.25:
            await delete(store, number)
        elif action < 0.7:
            await upload(store, number, rng)
        else:
            await fetch(store, number, rng)


async def main(directory: Path, seed: int, payloads: int) -> None:
    clock = SystemClock()
    store = await open_store(
        directory,
        quota_bytes=QUOTA,
        clock=clock,
        events=EventBus(clock),
        default_ttl=None,
        pack_bytes_max=PACK_BYTES,
    )
    say("open")
    tasks = 4
    await asyncio.gather(
        *[
            worker(store, random.Random(f"{seed} {i}"), list(range(i, payloads, tasks)))
            for i in range(tasks)
        ]
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
