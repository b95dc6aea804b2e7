"""Uploads: what comes in is what is there, together or not at all."""

import asyncio
import random

import pytest

from quire.base.errors import InputError, QuotaExceeded
from quire.formats.merkle import EMPTY_TREE_ROOT
from quire.store.dataset import RetentionRoot
from support.store_kit import BLOCK, Remote, assert_sound, get, put, store_in

RNG = random.Random(7)


async def write_often(upload, times):
    for _ in range(times):
        await upload.write(RNG.randbytes(100_000))


async def test_an_upload_reads_back_and_survives_a_restart(tmp_path):
    data = RNG.randbytes(700_001)
    async with store_in(tmp_path) as store:
        dataset = await put(store, data, filename="a.bin", mimetype="application/octet-stream")
        assert dataset.is_complete
        assert dataset.manifest.filename == "a.bin"
        assert await get(store, dataset) == data
    async with store_in(tmp_path) as store:
        assert await store.datasets() == [dataset]
        assert await get(store, dataset) == data
        await assert_sound(store)


async def test_eighteen_bytes_count_as_two_blocks_of_65592_bytes(tmp_path):
    async with store_in(tmp_path) as store:
        await put(store, b"eighteen bytes now", 65_536)
        space = store.space()
        assert (space.total_blocks, space.quota_used_bytes) == (2, 65_592)
        assert space.quota_reserved_bytes == 0


async def test_pieces_of_any_length_make_the_same_dataset(tmp_path):
    data = RNG.randbytes(300_000)
    async with store_in(tmp_path) as store:
        whole = await put(store, data)
        upload = store.begin_upload(block_size=BLOCK)
        at = 0
        while at < len(data):
            step = RNG.choice((1, 7, 4095, 4096, 4097, 60_000))
            await upload.write(memoryview(data)[at : at + step])
            at += step
        assert upload.received_bytes == len(data)
        assert (await upload.commit()).manifest_cid == whole.manifest_cid
        assert len(await store.datasets()) == 1
        await assert_sound(store)


async def test_equal_blocks_take_space_once(tmp_path):
    async with store_in(tmp_path) as store:
        dataset = await put(store, b"\0" * BLOCK * 3000)
        assert store.space().total_blocks == 2
        assert await get(store, dataset) == b"\0" * BLOCK * 3000
        await put(store, b"\0" * BLOCK + b"other" * 1000)
        assert store.space().total_blocks == 5
        await assert_sound(store)


async def test_two_names_of_the_same_bytes_share_a_tree_and_outlive_each_other(tmp_path):
    data = RNG.randbytes(50_000)
    async with store_in(tmp_path) as store:
        first = await put(store, data, filename="one")
        used = store.space().quota_used_bytes
        second = await put(store, data, filename="two")
        assert first.tree_root == second.tree_root
        assert store.space().quota_used_bytes == used + len(second.manifest_bytes)
        assert await store.delete(first.manifest_cid)
        await store.reclaimed()
        assert await get(store, second) == data
        await assert_sound(store)


async def test_nothing_written_is_a_dataset_without_bytes_or_blocks(tmp_path):
    async with store_in(tmp_path) as store:
        plain = await store.begin_upload().commit()
        named = await store.begin_upload(block_size=4096, expected_bytes=0).commit(filename="e.txt")
        assert plain.tree_root == named.tree_root == EMPTY_TREE_ROOT
        for dataset in (plain, named):
            assert (dataset.block_count, dataset.present_count) == (0, 0)
            assert dataset.is_complete
        assert store.space().total_blocks == 2
        assert store.space().quota_used_bytes == sum(len(d.manifest_bytes) for d in (plain, named))
        await assert_sound(store)
        assert await store.delete(plain.manifest_cid)
        await store.reclaimed()
        assert (await store.dataset(named.manifest_cid)).is_complete
        assert await store.delete(named.manifest_cid)
        await store.reclaimed()
        assert store.space().quota_used_bytes == 0
        await assert_sound(store)


async def test_an_empty_manifest_from_elsewhere_is_complete_at_once(tmp_path):
    async with store_in(tmp_path / "a") as one, store_in(tmp_path / "b") as two:
        sent = await one.begin_upload().commit()
        kept = await two.put_manifest(sent.manifest_bytes, RetentionRoot("cache", "x", None))
        assert kept.is_complete
        other = await two.begin_upload(block_size=4096).commit()
        assert other.manifest_cid != kept.manifest_cid
        await assert_sound(two)


@pytest.mark.parametrize("block_size", [0, -4096, 2048, 5000, 1 << 21])
async def test_a_block_size_outside_the_format_is_refused(tmp_path, block_size):
    async with store_in(tmp_path) as store:
        with pytest.raises(InputError, match="block size"):
            store.begin_upload(block_size=block_size)


@pytest.mark.parametrize("filename", ["a/b", "", "x" * 300])
async def test_a_bad_file_name_is_refused_and_leaves_nothing(tmp_path, filename):
    async with store_in(tmp_path) as store:
        with pytest.raises(InputError):
            await put(store, b"some bytes", filename=filename)
        assert store.space().total_blocks == 0
        await assert_sound(store)


@pytest.mark.parametrize("block_count", [1, 300, 5000])
async def test_an_aborted_upload_leaves_nothing(tmp_path, block_count):
    async with store_in(tmp_path) as store:
        upload = store.begin_upload(block_size=BLOCK, expected_bytes=block_count * BLOCK)
        await upload.write(RNG.randbytes(block_count * BLOCK))
        assert store.space().quota_reserved_bytes > 0
        await upload.abort()
        await upload.abort()
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0
        with pytest.raises(InputError, match="ended"):
            await upload.write(b"more")


async def test_a_long_upload_enters_the_index_in_steps_and_shows_only_at_the_end(tmp_path):
    data = RNG.randbytes(5000 * BLOCK - 17)
    async with store_in(tmp_path) as store:
        upload = store.begin_upload(block_size=BLOCK)
        await upload.write(data)
        assert await store.datasets() == []
        dataset = await upload.commit()
        assert dataset.tree_root == Remote.of(data).root
        assert await get(store, dataset) == data
        await assert_sound(store)


async def test_a_long_upload_of_known_bytes_gives_its_blocks_back(tmp_path):
    data = RNG.randbytes(2500 * BLOCK)
    async with store_in(tmp_path) as store:
        first = await put(store, data)
        used = store.space().quota_used_bytes
        again = await put(store, data)
        assert again.manifest_cid == first.manifest_cid
        await assert_sound(store)
        assert store.space().quota_used_bytes == used


async def test_an_upload_that_is_known_not_to_fit_is_refused_before_its_first_byte(tmp_path):
    async with store_in(tmp_path, quota_bytes=1 << 20) as store:
        with pytest.raises(QuotaExceeded, match="do not fit"):
            store.begin_upload(expected_bytes=1 << 20)
        assert store.space().quota_reserved_bytes == 0


async def test_an_upload_over_the_quota_leaves_nothing_and_a_small_one_still_fits(tmp_path):
    async with store_in(tmp_path, quota_bytes=2 << 20) as store:
        upload = store.begin_upload(block_size=BLOCK)
        with pytest.raises(QuotaExceeded):
            await write_often(upload, 40)
        assert store.space().quota_used_bytes == 0
        await put(store, RNG.randbytes(1 << 20))
        await assert_sound(store)


async def test_a_cancelled_upload_can_be_aborted(tmp_path):
    async with store_in(tmp_path) as store:
        upload = store.begin_upload(block_size=BLOCK)

        async def send():
            while True:
                await upload.write(RNG.randbytes(1 << 20))

        task = asyncio.create_task(send())
        while upload.received_bytes < 5 << 20:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0


async def test_many_uploads_at_once_with_shared_blocks_agree(tmp_path):
    shared = [RNG.randbytes(BLOCK) for _ in range(20)]
    async with store_in(tmp_path) as store:

        async def one(number):
            rng = random.Random(number)
            data = b"".join(rng.choice(shared) for _ in range(rng.randrange(1, 60)))
            data += rng.randbytes(rng.randrange(1, BLOCK))
            dataset = await put(store, data)
            if number % 3 == 0:
                await store.delete(dataset.manifest_cid)
                return None
            return dataset, data

        kept = [pair for pair in await asyncio.gather(*map(one, range(60))) if pair]
        for dataset, data in kept:
            assert await get(store, dataset) == data
        await assert_sound(store)


async def test_changes_are_told_in_order(tmp_path):
    told = []
    async with store_in(tmp_path) as store:
        stop = store.on_change(lambda kind, dataset: told.append((kind, dataset.manifest_cid)))
        dataset = await put(store, b"bytes")
        await put(store, b"bytes")
        await store.delete(dataset.manifest_cid)
        stop()
        await put(store, b"others")
    cid = dataset.manifest_cid
    assert told == [("added", cid), ("complete", cid), ("deleted", cid)]


async def test_closing_aborts_what_is_under_way(tmp_path):
    async with store_in(tmp_path) as store:
        await store.begin_upload(block_size=BLOCK).write(RNG.randbytes(3 << 20))
    async with store_in(tmp_path) as store:
        assert store.space().quota_used_bytes == 0
        await assert_sound(store)


async def test_an_upload_takes_the_root_that_it_is_given(tmp_path):
    root = RetentionRoot("name", "/mine", 5_000_000.0)
    async with store_in(tmp_path) as store:
        assert (await put(store, b"bytes", root=root)).roots == (root,)
