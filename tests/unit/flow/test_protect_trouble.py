"""Protecting in trouble: with the source, with the disk, with what was written before."""

import random

import pytest

from quire.base.errors import (
    BlockMissing,
    Bug,
    DiskFull,
    QuotaExceeded,
)
from quire.flow import coding
from quire.formats.cid import Cid, block_cid
from quire.kernels import erasure
from quire.kernels.hashing import sha256_blocks
from quire.store import protected_tree
from quire.store.dataset import RetentionRoot
from quire.store.files import DirectoryDisk
from support.protect_kit import Stopping, expected, make_steps_small, protections, spoil, spoil_now
from support.store_kit import BLOCK, Remote, assert_sound, get, put, store_in

SIZE = 61 * BLOCK - 100  # pads with any k from 3 on


@pytest.fixture
def small_steps(monkeypatch):
    make_steps_small(monkeypatch)


async def test_a_source_deleted_meanwhile_is_protected_all_the_same(
    tmp_path, monkeypatch, small_steps
):
    data = random.Random(12).randbytes(SIZE)
    stopping = Stopping(monkeypatch, 5)
    async with store_in(tmp_path) as store:
        source = await put(store, data)
        jobs = protections(store)
        job = await jobs.start(source.manifest_cid, 4, 2)
        await stopping.reached.wait()
        assert await store.delete(source.manifest_cid)
        result = await jobs.wait(job)
        assert result.is_complete
        assert await get(store, result) == data
        await assert_sound(store)


async def test_a_bad_block_of_the_source_is_fetched_again(tmp_path, small_steps):
    data = random.Random(13).randbytes(SIZE)
    remote = Remote.of(data)
    asked: list[Cid] = []
    async with store_in(tmp_path) as store:
        source = await put(store, data)

        async def complete(cid):
            asked.append(cid)
            await remote.give(store, 0, remote.count)
            await store.flush()

        await spoil(tmp_path, 17)
        jobs = protections(store, complete=complete)
        result = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
        assert asked == [source.manifest_cid]
        assert result.tree_root == expected(data, 4, 2, BLOCK)[0]
        await assert_sound(store)


async def test_a_block_that_nobody_has_ends_the_job_in_words(tmp_path, small_steps):
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(14).randbytes(SIZE))
        await spoil(tmp_path, 50)
        jobs = protections(store)
        job = await jobs.start(source.manifest_cid, 4, 2)
        with pytest.raises(BlockMissing, match="not here"):
            await jobs.wait(job)
        assert job.state == "failed"
        assert store.space().quota_reserved_bytes == 0
        assert await jobs.cancel(source.manifest_cid, 4, 2)
        await assert_sound(store)


async def test_a_block_lost_after_it_was_coded_is_fetched_before_it_is_taken_over(
    tmp_path, monkeypatch, small_steps
):
    data = random.Random(15).randbytes(SIZE)
    remote = Remote.of(data)
    asked = []
    async with store_in(tmp_path) as store:
        source = await put(store, data)

        async def complete(cid):
            asked.append(cid)
            await remote.give(store, 0, remote.count)
            await store.flush()

        whole = coding.code

        def code(rows, geometry, columns):
            if columns.stop == geometry.steps:
                spoil_now(tmp_path, 2)
            return whole(rows, geometry, columns)

        monkeypatch.setattr("quire.services.workers.local.code", code)
        finish = protected_tree.ProtectedTree.finish

        async def finish_and_scan(tree):
            await finish(tree)
            await store.scan(0, 1 << 30)

        monkeypatch.setattr(protected_tree.ProtectedTree, "finish", finish_and_scan)
        jobs = protections(store, complete=complete)
        result = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
        assert asked == [source.manifest_cid]
        assert result.is_complete
        assert await get(store, result) == data
        await assert_sound(store)


async def test_an_incomplete_dataset_is_completed_first(tmp_path):
    data = random.Random(16).randbytes(SIZE)
    remote = Remote.of(data)
    async with store_in(tmp_path) as store:
        source = await store.put_manifest(remote.manifest, RetentionRoot("pin", "", None))
        await remote.give(store, 3, 9)

        async def complete(_):
            await remote.give(store, 0, remote.count)
            await store.flush()

        jobs = protections(store, complete=complete)
        result = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
        assert await get(store, result) == data


async def test_a_partial_copy_of_the_result_is_completed(tmp_path):
    """Its manifest came from elsewhere before, with some blocks."""
    data = random.Random(17).randbytes(SIZE)
    async with store_in(tmp_path / "a") as store:
        source = await put(store, data)
        jobs = protections(store)
        made = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
    async with store_in(tmp_path / "b") as store:
        known = await store.put_manifest(made.manifest_bytes, RetentionRoot("pin", "", None))
        assert not known.is_complete
        source = await put(store, data)
        jobs = protections(store)
        result = await jobs.wait(await jobs.start(source.manifest_cid, 4, 2))
        assert result.manifest_cid == known.manifest_cid
        assert result.is_complete
        assert (await store.dataset(known.manifest_cid)).is_complete
        assert await get(store, result) == data
        await assert_sound(store)


async def test_no_room_in_the_quota_is_said_before_anything_is_done(tmp_path):
    async with store_in(tmp_path, quota_bytes=80 * BLOCK) as store:
        source = await put(store, random.Random(18).randbytes(SIZE))
        jobs = protections(store)
        job = await jobs.start(source.manifest_cid, 4, 2)
        with pytest.raises(QuotaExceeded, match="do not fit"):
            await jobs.wait(job)
        assert job.state == "failed"
        assert await store.protecting.every() == []
        await assert_sound(store)


class FullDisk(DirectoryDisk):
    """Takes no more once it is full."""

    is_full = False

    def write_at(self, name, offset, segments):
        if self.is_full:
            raise DiskFull("no space left on the disk")
        super().write_at(name, offset, segments)


async def test_a_full_disk_ends_the_job_and_it_goes_on_when_there_is_room(
    tmp_path, monkeypatch, small_steps
):
    data = random.Random(19).randbytes(SIZE)
    stopping = Stopping(monkeypatch, 9)
    disk = FullDisk(tmp_path)
    async with store_in(tmp_path, disk=disk) as store:
        source = await put(store, data)
        jobs = protections(store)
        job = await jobs.start(source.manifest_cid, 4, 2)
        await stopping.reached.wait()
        disk.is_full = True
        with pytest.raises(DiskFull):
            await jobs.wait(job)
        disk.is_full = False
        job = await jobs.start(source.manifest_cid, 4, 2)
        result = await jobs.wait(job)
        assert job.resumed_steps > 0
        assert result.tree_root == expected(data, 4, 2, BLOCK)[0]
        await assert_sound(store)


async def test_parity_that_went_bad_before_the_end_is_made_anew(tmp_path, monkeypatch, small_steps):
    data = random.Random(20).randbytes(SIZE)
    stopping = Stopping(monkeypatch, 9)
    async with store_in(tmp_path, pack_bytes_max=1 << 30) as store:
        source = await put(store, data)
        jobs = protections(store)
        await jobs.start(source.manifest_cid, 4, 2)
        await stopping.reached.wait()
        await jobs.stop()
        await spoil(tmp_path, 61)  # the first behind the blocks of the source
        rows = [data[16 * row * BLOCK :][: 2 * BLOCK] for row in range(4)]
        parity = erasure.encode(rows, 2)[0]
        with pytest.raises(BlockMissing):
            await store.read_block(block_cid(sha256_blocks(parity, BLOCK)[:32]))
        jobs = protections(store)
        job = await jobs.start(source.manifest_cid, 4, 2)
        result = await jobs.wait(job)
        assert job.resumed_steps == 0
        assert result.tree_root == expected(data, 4, 2, BLOCK)[0]
        await assert_sound(store)


async def test_a_mistake_of_ours_is_told_as_one(tmp_path, monkeypatch):
    def code(*_):
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("quire.services.workers.local.code", code)
    async with store_in(tmp_path) as store:
        source = await put(store, random.Random(23).randbytes(SIZE))
        jobs = protections(store)
        job = await jobs.start(source.manifest_cid, 4, 2)
        with pytest.raises(Bug, match="by nothing"):
            await jobs.wait(job)
        assert job.state == "failed"


async def test_parity_that_is_lost_to_the_index_is_made_anew(tmp_path, monkeypatch, small_steps):
    data = random.Random(24).randbytes(SIZE)
    stopping = Stopping(monkeypatch, 9)
    async with store_in(tmp_path) as store:
        source = await put(store, data)
        jobs = protections(store)
        await jobs.start(source.manifest_cid, 4, 2)
        await stopping.reached.wait()
        await jobs.stop()
        rows = [data[16 * row * BLOCK :][: 2 * BLOCK] for row in range(4)]
        digest = sha256_blocks(erasure.encode(rows, 2)[1], BLOCK)[32:64]
        with store._core.meta.transaction() as tables:
            tables.blocks._rows.run("DELETE FROM block WHERE digest = ?", digest)
        assert (await store.mend()).left == []
        jobs = protections(store)
        job = await jobs.start(source.manifest_cid, 4, 2)
        result = await jobs.wait(job)
        assert job.resumed_steps == 0
        assert result.tree_root == expected(data, 4, 2, BLOCK)[0]
        assert (await store.verify()).problems == []
