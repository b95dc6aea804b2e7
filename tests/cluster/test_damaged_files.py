"""Files damaged at random offsets: no wrong byte is returned, and what cannot be read is said.

QUIRE_DAMAGES sets how often each kind of file is damaged (default 40).
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import BlockMissing, EnvironmentProblem, IntegrityError, QuireError
from quire.base.events import EventBus
from quire.formats.cid import Cid, manifest_cid
from quire.store.open import open_store
from quire.store.store import Store
from support.store_kit import put

DAMAGES = int(os.environ.get("QUIRE_DAMAGES", "40"))
BLOCK = 4096
FILES = 12


def content(number: int) -> bytes:
    rng = random.Random(number)
    shared = random.Random("shared").randbytes(BLOCK)
    blocks = [shared if rng.random() < 0.2 else rng.randbytes(BLOCK) for _ in range(30)]
    return b"".join(blocks)[: -rng.randrange(1, BLOCK)]


async def opened(directory: Path) -> Store:
    clock = SystemClock()
    return await open_store(
        directory,
        quota_bytes=1 << 30,
        clock=clock,
        events=EventBus(clock),
        default_ttl=None,
        pack_bytes_max=1 << 20,
    )


def damage(path: Path, rng: random.Random) -> str:
    """Change a file in one of the ways in which disks and people do."""
    data = bytearray(path.read_bytes())
    how = rng.choice(("bits", "zeros", "noise", "cut", "swap", "grown"))
    at = rng.randrange(len(data))
    length = min(len(data) - at, rng.choice((1, 100, 4096, 20_000)))
    match how:
        case "bits":
            for _ in range(rng.randint(1, 20)):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case "zeros":
            data[at : at + length] = bytes(length)
        case "noise":
            data[at : at + length] = rng.randbytes(length)
        case "cut":
            del data[at:]
        case "swap":
            one, other = (rng.randrange(max(1, len(data) // 4096)) * 4096 for _ in range(2))
            first, second = data[one : one + 4096], data[other : other + 4096]
            if len(first) == len(second):
                data[one : one + 4096], data[other : other + 4096] = second, first
        case _:
            data += rng.randbytes(length)
    path.write_bytes(data)
    return how


async def read_all(store: Store, truth: dict[Cid, bytes], counts: Counter[str]) -> None:
    """Every dataset block by block: the true bytes or a `BlockMissing`."""
    for cid, expected in truth.items():
        dataset = await store.dataset(cid)
        if dataset is None:
            counts["missing datasets"] += 1
            continue
        assert manifest_cid(dataset.manifest_bytes) == cid, "a wrong manifest"
        for block in range(dataset.block_count):
            try:
                found = await store.read_range(dataset.tree_root, block, 1)
            except BlockMissing:
                counts["missing blocks"] += 1
                continue
            part = expected[block * BLOCK : (block + 1) * BLOCK]
            assert found == part.ljust(BLOCK, b"\0"), "wrong bytes"
            counts["true blocks"] += 1


async def healthy(directory: Path) -> dict[Cid, bytes]:
    store = await opened(directory)
    truth = {}
    for number in range(FILES):
        dataset = await put(store, content(number), BLOCK)
        truth[dataset.manifest_cid] = content(number)
    await store.close()
    return truth


@pytest.mark.timeout(60 + DAMAGES)
async def test_damaged_packs_give_true_bytes_or_none_and_are_whole_after_another_upload(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, counts = random.Random(7), Counter()
    truth = await healthy(tmp_path / "store")
    for _ in range(DAMAGES):
        packs = sorted((tmp_path / "store" / "packs").glob("pack-*"))
        sized = [pack for pack in packs if pack.stat().st_size]
        counts[damage(rng.choice(sized), rng)] += 1
        store = await opened(tmp_path / "store")
        await read_all(store, truth, counts)
        for number in range(FILES):
            dataset = await put(store, content(number), BLOCK)
            whole = await store.read_range(dataset.tree_root, 0, dataset.block_count)
            assert whole[: len(content(number))] == content(number)
        report = await store.verify()
        await store.close()
        assert report.problems == []
    with capsys.disabled():
        print(f"\ndamaged packs: {DAMAGES} damages, {dict(sorted(counts.items()))}")
    assert counts["missing blocks"] > 0
    assert counts["true blocks"] > 0


@pytest.mark.timeout(60 + DAMAGES)
async def test_a_damaged_index_is_refused_in_words_or_gives_true_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng, counts, refusals = random.Random(8), Counter(), []
    truth = await healthy(tmp_path / "whole")
    for _ in range(DAMAGES):
        directory = tmp_path / "store"
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", directory)
        counts[damage(directory / "meta.sqlite", rng)] += 1
        try:
            store = await opened(directory)
        except (IntegrityError, EnvironmentProblem) as problem:
            refusals.append(problem.message)
            continue
        try:
            await read_all(store, truth, counts)
            await store.verify()
            await put(store, content(99), BLOCK)
        except QuireError:
            counts["refused later"] += 1
        try:
            await store.close()
        except QuireError:
            counts["refused at the end"] += 1
    assert [text for text in refusals if not ("database" in text or "metadata" in text)] == []
    counts["refused at the start"] = len(refusals)
    with capsys.disabled():
        print(f"\ndamaged index: {DAMAGES} damages, {dict(sorted(counts.items()))}")
    assert counts["refused at the start"] > 0
