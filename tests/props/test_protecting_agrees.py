"""Any dataset, K, M, batches and interruptions: protecting gives what is made all at once."""

import asyncio
import random
import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from quire.flow import coding
from quire.services.workers import local
from quire.store import protected_tree
from support.protect_kit import MemorySlots, expected, protections
from support.store_kit import BLOCK, Inline, assert_sound, get, put, store_in


class Stop(Exception):
    """The job's node goes away."""


async def protect_with_stops(directory: Path, data: bytes, k: int, m: int, stops: list[int]):
    slots = MemorySlots()
    whole, coded = coding.code, []

    def code(rows, geometry, columns):
        coded.append(columns)
        if stops and len(coded) > stops[0]:
            stops.pop(0)
            raise Stop
        return whole(rows, geometry, columns)

    with patch.object(local, "code", code):
        while True:
            coded.clear()
            async with store_in(directory, executor=Inline()) as store:
                source = await put(store, data)
                jobs = protections(store, slots=slots)
                job = await jobs.start(source.manifest_cid, k, m)
                await asyncio.wait([job.task])
                if isinstance(job.task.exception(), Stop):
                    continue
                result = job.result
                assert await get(store, result) == data
                await assert_sound(store)
                return result, slots


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_protecting_agrees_with_making_it_all_at_once(data):
    k = data.draw(st.integers(2, 9), "k")
    m = data.draw(st.integers(1, k), "m")
    blocks = data.draw(st.integers(k, 60), "blocks")
    cut = data.draw(st.integers(0, BLOCK - 1), "cut")
    rng = random.Random(data.draw(st.integers(0, 9), "seed"))
    kinds = [rng.randbytes(BLOCK) for _ in range(3)] + [bytes(BLOCK)]
    parts = [
        rng.choice(kinds) if rng.random() < 0.3 else rng.randbytes(BLOCK) for _ in range(blocks)
    ]
    content = b"".join(parts)[: blocks * BLOCK - cut]
    stops = data.draw(st.lists(st.integers(0, 6), max_size=3), "stops")
    batch = data.draw(st.integers(1, 5), "batch") * (k + m) * BLOCK
    step = data.draw(st.integers(1, 9), "step") * (k + m) * BLOCK
    with (
        tempfile.TemporaryDirectory() as directory,
        patch.object(coding, "BATCH_BYTES", batch),
        patch.object(protected_tree, "STEP_BYTES", step),
        patch.object(protected_tree, "STEP_BYTES_A_ROW", BLOCK),
    ):
        work = protect_with_stops(Path(directory), content, k, m, stops)
        result, slots = asyncio.run(work)
    root, slot_roots = expected(content, k, m, BLOCK)
    assert result.tree_root == root
    verification = result.manifest.protection.verification
    assert [cid.digest for cid in verification.slot_roots] == slot_roots
    assert {key: layers[-32:] for key, layers in slots.trees.items()} == {
        (root, slot): slot_root for slot, slot_root in enumerate(slot_roots)
    }
