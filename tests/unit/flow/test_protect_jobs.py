"""Jobs that protect: joined, resumed, cancelled, refused, in trouble with disk or source."""

import asyncio
import random

import pytest

from quire.base.errors import (
    InputError,
    UnknownDataset,
)
from quire.base.events import EventBus
from quire.dataset.geometry import BadProtection, InsufficientBlocks
from quire.formats.cid import manifest_cid
from quire.store import protected_tree
from quire.store.dataset import RetentionRoot
from support.protect_kit import MemorySlots, Stopping, expected, make_steps_small, protections
from support.store_kit import BLOCK, Remote, TurnedClock, assert_sound, get, put, store_in

SIZE = 61 * BLOCK - 100  # pads with any k from 3 on


@pytest.fixture
def small_steps(monkeypatch):
    make_steps_small(monkeypatch)


async def test_any_k_and_m_give_what_is_made_all_at_once(tmp_path, small_steps):
    rng = random.Random(3)
    async with store_in(tmp_path) as store:
        jobs = protections(store, slots=(slots := MemorySlots()))
        for k, m, blocks in ((2, 1, 2), (2, 2, 3), (3, 2, 10), (5, 1, 5), (20, 10, 61), (7, 7, 50)):
            data = rng.randbytes(blocks * BLOCK - rng.randrange(BLOCK))
            source = await put(store, data)
            result = await jobs.wait(await jobs.start(source.manifest_cid, k, m))
            root, roots = expected(data, k, m, BLOCK)
            assert result.tree_root == root
            verification = result.manifest.protection.verification
            assert [cid.digest for cid in verification.slot_roots] == roots
            assert [slots.trees[root, slot][-32:] for slot in range(k + m)] == roots
            assert result.is_complete
            assert await get(store, result) == data
        await assert_sound(store)


async def test_a_dataset_of_several_pages_is_protected_in_many_steps(tmp_path):
    rng = random.Random(4)
    column = [rng.random() < 0.05 for _ in range(834)]  # the others are zeros, also in parity
    blocks = [rng.randbytes(BLOCK) if column[i % 834] else bytes(BLOCK) for i in range(2500)]
    data = b"".join(blocks)
    async with store_in(tmp_path, quota_bytes=1 << 26, pack_bytes_max=1 << 22) as store:
        source = await put(store, data)
        jobs = protections(store)
        result = await jobs.wait(await jobs.start(source.manifest_cid, 3, 2))
        assert result.tree_root == expected(data, 3, 2, BLOCK)[0]
        assert (await store.verify()).problems == []


async def test_blocks_that_repeat_are_stored_once(tmp_path):
    async with store_in(tmp_path) as store:
        source = await put(store, bytes(64 * BLOCK))
        jobs = protections(store)
        result = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
        assert result.tree_root == expected(bytes(64 * BLOCK), 4, 2, BLOCK)[0]
        assert (await store.verify()).blocks == 1  # parity of zeros is zeros
        assert await store.delete(source.manifest_cid)
        assert await get(store, result) == bytes(64 * BLOCK)
        await assert_sound(store)


async def test_the_result_is_kept_as_asked_for_and_named_as_the_dataset(tmp_path):
    async with store_in(tmp_path) as store:
        source = await put(store, bytes(SIZE), filename="a.txt", mimetype="text/plain")
        keep = RetentionRoot("pin", "mine", None)
        jobs = protections(store)
        result = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2, keep=keep))
        assert result.roots == (keep,)
        assert (result.manifest.filename, result.manifest.mimetype) == ("a.txt", "text/plain")
        assert result.manifest.protection.original_tree_cid == source.manifest.tree_cid


async def test_asking_again_joins_the_job_or_gives_the_result(tmp_path, monkeypatch):
    counted = Stopping(monkeypatch, 10**9)
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(5).randbytes(SIZE))
        jobs = protections(store)
        first, second = await asyncio.gather(
            *[jobs.start(source.manifest_cid, 4, 2) for _ in range(2)]
        )
        assert first is second
        result = await jobs.wait(first)
        columns = list(counted.coded)
        again = await jobs.start(source.manifest_cid, 4, 2, keep=RetentionRoot("pin", "", None))
        assert (await jobs.wait(again)).manifest_cid == result.manifest_cid
        after_restart = protections(store)
        third = await after_restart.start(source.manifest_cid, 4, 2)
        assert (await after_restart.wait(third)).manifest_cid == result.manifest_cid
        assert counted.coded == columns
        assert {r.kind for r in (await store.dataset(result.manifest_cid)).roots} == {
            "lease",
            "pin",
        }


async def test_a_result_that_was_deleted_is_made_again(tmp_path):
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(6).randbytes(SIZE))
        jobs = protections(store)
        first = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
        assert await store.delete(first.manifest_cid)
        await store.reclaimed()
        again = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
        assert again.manifest_cid == first.manifest_cid
        assert again.is_complete
        await assert_sound(store)


async def test_two_jobs_at_once_do_not_disturb_each_other(tmp_path, small_steps):
    data = random.Random(7).randbytes(SIZE)
    async with store_in(tmp_path) as store:
        source, other = await put(store, data), await put(store, data[::-1])
        named = await put(store, data, filename="same tree, other name")
        jobs = protections(store)
        started = [
            await jobs.start(cid, k, m)
            for cid, k, m in (
                (source.manifest_cid, 4, 2),
                (named.manifest_cid, 4, 2),
                (source.manifest_cid, 3, 2),
                (other.manifest_cid, 4, 2),
            )
        ]
        results = [await jobs.wait(job) for job in started]
        for dataset, made, (k, m) in zip(
            (data, data, data, data[::-1]), results, ((4, 2), (4, 2), (3, 2), (4, 2)), strict=True
        ):
            assert made.tree_root == expected(dataset, k, m, BLOCK)[0]
        assert results[0].tree_root == results[1].tree_root
        assert len({made.manifest_cid for made in results}) == 4
        await assert_sound(store)


async def test_an_interrupted_job_goes_on_behind_its_last_durable_column(
    tmp_path, monkeypatch, small_steps
):
    data = random.Random(8).randbytes(SIZE)
    stopping = Stopping(monkeypatch, 9)
    async with store_in(tmp_path) as store:
        source = await put(store, data)
        jobs = protections(store)
        job = await jobs.start(source.manifest_cid, 4, 2)
        await stopping.reached.wait()
        await jobs.stop()
        assert job.state == "interrupted"
        steps = job.geometry.steps
        assert store.space().quota_reserved_bytes == 0
    async with store_in(tmp_path) as store:
        jobs = protections(store)
        (left,) = await jobs.of(source.manifest_cid)
        assert left.state == "interrupted"
        assert 0 < left.steps < steps
        assert left.verified_bytes == left.steps * 4 * BLOCK
        stopping.coded.clear()
        job = await jobs.start(source.manifest_cid, 4, 2)
        result = await jobs.wait(job)
        assert job.resumed_steps == left.steps
        assert sorted(stopping.coded) == list(range(left.steps, steps))
        root, roots = expected(data, 4, 2, BLOCK)
        assert result.tree_root == root
        slots = result.manifest.protection.verification.slot_roots
        assert [cid.digest for cid in slots] == roots
        await assert_sound(store)


async def test_a_cancelled_job_leaves_nothing(tmp_path, monkeypatch, small_steps):
    stopping = Stopping(monkeypatch, 9)
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(9).randbytes(SIZE))
        before = (await store.verify()).block_bytes
        jobs = protections(store, slots=(slots := MemorySlots()))
        job = await jobs.start(source.manifest_cid, 4, 2)
        await stopping.reached.wait()
        assert await jobs.cancel(source.manifest_cid, 4, 2)
        assert job.state == "cancelled"
        assert await store.protecting.every() == []
        await assert_sound(store)
        assert (await store.verify()).block_bytes == before
        assert slots.trees == {}
        assert not await jobs.cancel(source.manifest_cid, 5, 2)


async def test_a_job_cancelled_while_slot_trees_are_written_leaves_none(tmp_path):
    class Slow(MemorySlots):
        async def write(self, tree_root, slot, layers):
            await super().write(tree_root, slot, layers)
            if slot == 3:
                reached.set()
                await asyncio.Event().wait()

    reached = asyncio.Event()
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(9).randbytes(SIZE))
        jobs = protections(store, slots=(slots := Slow()))
        await jobs.start(source.manifest_cid, 4, 2)
        await reached.wait()
        assert len(slots.trees) == 4
        assert await jobs.cancel(source.manifest_cid, 4, 2)
        assert slots.trees == {}
        await assert_sound(store)


async def test_a_job_cancelled_in_its_last_moment_is_complete(tmp_path, monkeypatch):
    """The last transaction is handed in: the result is there, and stays."""
    reached = asyncio.Event()
    publish = protected_tree.ProtectedTree.publish

    async def told(tree, *values):
        asyncio.get_running_loop().call_soon(reached.set)
        return await publish(tree, *values)

    monkeypatch.setattr(protected_tree.ProtectedTree, "publish", told)
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(9).randbytes(SIZE))
        jobs = protections(store, slots=(slots := MemorySlots()))
        job = await jobs.start(source.manifest_cid, 4, 2)
        await reached.wait()
        assert not await jobs.cancel(source.manifest_cid, 4, 2)
        assert job.state == "complete"
        assert (await jobs.wait(job)).is_complete
        assert len(slots.trees) == 6
        await assert_sound(store)


async def test_a_job_cancelled_in_its_first_moment_leaves_nothing(tmp_path):
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(9).randbytes(SIZE))
        jobs = protections(store)
        for turns in range(12):
            job = await jobs.start(source.manifest_cid, 4, 2)
            for _ in range(turns):
                await asyncio.sleep(0)
            assert await jobs.cancel(source.manifest_cid, 4, 2)
            assert job.state == "cancelled"
            assert await store.protecting.every() == []
        await assert_sound(store)


async def test_a_job_that_waits_for_its_turn_can_be_cancelled(tmp_path):
    waiting = asyncio.Semaphore(0)

    async def never() -> None:
        waiting.release()
        await asyncio.Event().wait()

    async with store_in(tmp_path) as store:
        remotes = [Remote.of(random.Random(i).randbytes(20 * BLOCK)) for i in range(3)]
        sources = [
            await store.put_manifest(r.manifest, RetentionRoot("pin", "", None)) for r in remotes
        ]
        jobs = protections(store, complete=lambda _: never())
        started = [await jobs.start(s.manifest_cid, 2, 1) for s in sources]
        await waiting.acquire()
        await waiting.acquire()
        assert [job.state for job in started] == ["fetching", "fetching", "waiting"]
        assert await jobs.cancel(sources[2].manifest_cid, 2, 1)
        assert started[2].state == "cancelled"
        await jobs.stop()


async def test_what_nobody_goes_on_with_expires(tmp_path, monkeypatch, small_steps):
    clock = TurnedClock()
    stopping = Stopping(monkeypatch, 9)
    async with store_in(tmp_path, clock=clock) as store:
        source = await put(store, random.Random(10).randbytes(SIZE))
        before = (await store.verify()).block_bytes
        jobs = protections(store, clock=clock)
        await jobs.start(source.manifest_cid, 4, 2)
        await stopping.reached.wait()
        await jobs.stop()
        jobs = protections(store, clock=clock)
        clock.seconds += 3599.0
        assert await jobs.expire() == 0
        clock.seconds += 2.0
        assert await jobs.expire() == 1
        assert await jobs.of(source.manifest_cid) == []
        await assert_sound(store)
        assert (await store.verify()).block_bytes == before


async def test_the_note_of_a_result_goes_with_the_result(tmp_path):
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(11).randbytes(SIZE))
        jobs = protections(store)
        result = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
        assert await jobs.expire() == 0
        assert len(await store.protecting.every()) == 1
        await store.delete(result.manifest_cid)
        assert await jobs.expire() == 0
        assert await store.protecting.every() == []


async def test_what_cannot_be_protected_is_refused_at_once(tmp_path):
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(21).randbytes(3 * BLOCK))
        empty = await put(store, b"")
        jobs = protections(store)
        with pytest.raises(BadProtection):
            await jobs.start(source.manifest_cid, 2, 3)
        with pytest.raises(InsufficientBlocks, match=str(4 * BLOCK)):
            await jobs.start(source.manifest_cid, 4, 2)
        with pytest.raises(InsufficientBlocks):
            await jobs.start(empty.manifest_cid, 2, 1)
        with pytest.raises(UnknownDataset):
            await jobs.start(manifest_cid(Remote.of(b"elsewhere").manifest), 2, 1)
        result = await jobs.wait(await jobs.start(source.manifest_cid, 2, 1))
        with pytest.raises(InputError, match="protected already"):
            await jobs.start(result.manifest_cid, 2, 1)


async def test_progress_is_told_as_it_is(tmp_path, monkeypatch, small_steps):
    clock = TurnedClock()
    events = EventBus(clock)
    monkeypatch.setattr("quire.flow.protect.NEWS_SECONDS", 0.0)
    async with store_in(tmp_path, clock=clock) as store:
        source = await put(store, random.Random(22).randbytes(SIZE))
        jobs = protections(store, clock=clock, events=events)
        job = await jobs.start(source.manifest_cid, 4, 2)
        await jobs.wait(job)
        told = events.history(str(source.manifest_cid))
        assert told[0].kind == "protect.started"
        assert told[-1].kind == "protect.complete"
        done = [e.facts["verifiedBytes"] for e in told if e.kind == "protect.progress"]
        assert done == sorted(done)
        assert done[0] < done[-1] == job.size == SIZE
        assert job.verified_bytes == SIZE
