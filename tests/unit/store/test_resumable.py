"""Resumable uploads in the store: what is durable, what is given back, what is reserved."""

import asyncio
import random

import pytest

from quire.base.errors import Busy, DiskFull, InputError, QuotaExceeded
from quire.store.dataset import RetentionRoot
from quire.store.resumable import UnknownUpload
from quire.store.unfinished import UploadRow
from support.store_kit import BLOCK, TurnedClock, assert_sound, get, put, store_in

RNG = random.Random(9)
LIFE = 1000.0


def row(length, name="u", **fields):
    known = {
        "created_at": 1.0, "expires_at": 5e6, "block_size": BLOCK, "position": 0, "tree_id": None,
        "cid": None, "filename": None, "mimetype": None, "headers": "",
    }  # fmt: skip
    return UploadRow(id=name, length=length, **(known | fields))


async def write_and_checkpoint(upload, data):
    await upload.write(data)
    await upload.checkpoint()


async def test_parts_of_any_size_make_the_dataset_of_one_upload(tmp_path):
    data = RNG.randbytes(3000 * BLOCK + 17)  # more than two pages
    async with store_in(tmp_path) as store:
        whole = await put(store, data, filename="a")
        await store.delete(whole.manifest_cid)
        await store.resumables.create(row(len(data), filename="a"))
        at = 0
        while at < len(data):
            upload = await store.resumables.open("u", LIFE)
            assert (upload.position, upload.durable_bytes) == (at, at)
            part = data[at : at + RNG.choice((1, BLOCK, 99_999, 5_000_000))]
            await upload.write(part)
            at += len(part)
            if at == len(data):
                dataset = await upload.commit()
            elif RNG.random() < 0.5:
                await upload.checkpoint()
                assert upload.durable_bytes == at
            await upload.close()
        assert dataset.manifest_cid == whole.manifest_cid
        assert await get(store, dataset) == data
        found = await store.resumables.find("u")
        assert (found.position, found.cid) == (len(data), whole.manifest_cid.digest)
        await assert_sound(store)


async def test_a_large_part_becomes_durable_step_by_step(tmp_path):
    data = RNG.randbytes(7000 * BLOCK)
    async with store_in(tmp_path) as store:
        await store.resumables.create(row(len(data)))
        upload = await store.resumables.open("u", LIFE)
        await upload.write(data)
        durable = upload.durable_bytes
        assert durable >= 2048 * BLOCK
        # A step may become durable meanwhile; what was said to be durable is in the row.
        assert durable <= (await store.resumables.find("u")).position <= len(data)
        assert await get(store, await upload.commit()) == data
        await assert_sound(store)


async def test_what_is_held_is_given_back_unless_it_is_approved(tmp_path):
    data = RNG.randbytes(3000 * BLOCK)
    async with store_in(tmp_path) as store:
        await store.resumables.create(row(len(data)))
        upload = await store.resumables.open("u", LIFE)
        await upload.write(data[:10_000])
        await upload.close()
        before = store.space()
        upload = await store.resumables.open("u", LIFE)
        upload.hold()
        await upload.write(RNG.randbytes(2500 * BLOCK))
        assert upload.durable_bytes == 10_000
        await upload.close()
        await store.reclaimed()
        assert store.space() == before
        upload = await store.resumables.open("u", LIFE)
        upload.hold()
        await upload.write(data[10_000:])
        upload.approve()
        assert await get(store, await upload.commit()) == data
        await assert_sound(store)


async def test_what_was_not_made_durable_is_gone_after_a_crash_and_the_rest_is_not(tmp_path):
    """Without `close` the store is not closed in good order: the next start recovers."""
    data = RNG.randbytes(300 * BLOCK)
    async with store_in(tmp_path) as store:
        await store.resumables.create(row(len(data)))
        upload = await store.resumables.open("u", LIFE)
        await upload.write(data[: 100 * BLOCK + 5])
        await upload.checkpoint()
        await upload.write(data[100 * BLOCK + 5 : 250 * BLOCK])
        for name in ("meta.sqlite", "meta.sqlite-wal"):
            (tmp_path / f"copy-{name}").write_bytes((tmp_path / name).read_bytes())
        await upload.close()
    for name in ("meta.sqlite", "meta.sqlite-wal"):
        (tmp_path / f"copy-{name}").replace(tmp_path / name)
    async with store_in(tmp_path) as store:
        upload = await store.resumables.open("u", LIFE)
        assert upload.position == 100 * BLOCK + 5
        await upload.write(data[upload.position :])
        assert await get(store, await upload.commit()) == data
        await assert_sound(store)


async def test_closing_the_store_keeps_what_was_taken(tmp_path):
    data = RNG.randbytes(10 * BLOCK + 3)
    async with store_in(tmp_path) as store:
        await store.resumables.create(row(len(data)))
        await (await store.resumables.open("u", LIFE)).write(data[:-1])
    async with store_in(tmp_path) as store:
        upload = await store.resumables.open("u", LIFE)
        assert upload.position == len(data) - 1
        await upload.write(data[-1:])
        assert await get(store, await upload.commit()) == data


async def test_space_is_reserved_from_the_creation_to_the_end(tmp_path):
    async with store_in(tmp_path, quota_bytes=100 * BLOCK) as store:
        await store.resumables.create(row(60 * BLOCK))
        assert store.space().quota_reserved_bytes == 60 * BLOCK + 512
        with pytest.raises(QuotaExceeded):
            await store.resumables.create(row(60 * BLOCK, "v"))
        with pytest.raises(QuotaExceeded):
            store.begin_upload(block_size=BLOCK, expected_bytes=60 * BLOCK)
        upload = await store.resumables.open("u", LIFE)
        await upload.write(RNG.randbytes(30 * BLOCK + 1))
        await upload.close()
        space = store.space()
        assert space.quota_used_bytes == 30 * BLOCK
        assert space.quota_reserved_bytes == 30 * BLOCK + 512
    async with store_in(tmp_path, quota_bytes=100 * BLOCK) as store:
        assert store.space() == space
        assert await store.resumables.remove("u")
        assert not await store.resumables.remove("u")
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0


async def test_an_upload_of_unknown_length_holds_no_more_than_it_has(tmp_path):
    async with store_in(tmp_path, quota_bytes=100 * BLOCK) as store:
        await store.resumables.create(row(None))
        upload = await store.resumables.open("u", LIFE)
        await upload.write(RNG.randbytes(30 * BLOCK))
        await upload.close()
        assert store.space().quota_reserved_bytes == 512
        upload = await store.resumables.open("u", LIFE)
        with pytest.raises(QuotaExceeded):
            await upload.write(RNG.randbytes(600 * BLOCK))
        await upload.close()
        assert store.space().quota_reserved_bytes == 512
        with pytest.raises(QuotaExceeded):
            await store.resumables.set_length("u", 101 * BLOCK)
        assert (await store.resumables.find("u")).length is None
        assert await store.resumables.remove("u")
        await assert_sound(store)


async def test_a_smaller_quota_is_told_when_the_upload_goes_on(tmp_path):
    async with store_in(tmp_path, quota_bytes=100 * BLOCK) as store:
        await store.resumables.create(row(60 * BLOCK))
    async with store_in(tmp_path, quota_bytes=50 * BLOCK) as store:
        with pytest.raises(QuotaExceeded):
            await store.resumables.open("u", LIFE)
        assert await store.resumables.remove("u")
        assert store.space().quota_reserved_bytes == 0


async def test_only_one_may_write_and_a_complete_upload_is_closed(tmp_path):
    async with store_in(tmp_path) as store:
        await store.resumables.create(row(5))
        upload = await store.resumables.open("u", LIFE)
        with pytest.raises(Busy):
            await store.resumables.open("u", LIFE)
        await upload.write(b"hello")
        await upload.commit()
        with pytest.raises(Busy):
            await store.resumables.open("u", LIFE)
        with pytest.raises(UnknownUpload):
            await store.resumables.open("v", LIFE)


async def test_a_commit_that_fails_leaves_the_upload_where_it_was(tmp_path):
    async with store_in(tmp_path) as store:
        await store.resumables.create(row(2 * BLOCK, filename="a/b"))
        upload = await store.resumables.open("u", LIFE)
        await upload.write(bytes(BLOCK))
        await upload.checkpoint()
        await upload.write(bytes(BLOCK))
        with pytest.raises(InputError):
            await upload.commit()
        assert (await store.resumables.find("u")).position == BLOCK
        upload = await store.resumables.open("u", LIFE)
        assert upload.position == BLOCK
        await upload.close()
        await store.resumables.remove("u")
        await assert_sound(store)


async def test_a_cancelled_write_can_be_closed_and_goes_on(tmp_path):
    data = RNG.randbytes(4000 * BLOCK)
    async with store_in(tmp_path) as store:
        await store.resumables.create(row(len(data)))
        upload = await store.resumables.open("u", LIFE)
        for _ in range(6):
            task = asyncio.create_task(upload.write(data[upload.position :]))
            for _ in range(RNG.randrange(1, 40)):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            at = upload.position
            await upload.close()
            upload = await store.resumables.open("u", LIFE)
            assert upload.position == at
        await upload.write(data[upload.position :])
        assert await get(store, await upload.commit()) == data
        await assert_sound(store)


async def test_a_step_prolongs_the_life_of_an_upload(tmp_path):
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock) as store:
        await store.resumables.create(row(10, expires_at=clock.now() + LIFE))
        clock.seconds += 500
        upload = await store.resumables.open("u", LIFE)
        await upload.write(b"hello")
        await upload.close()
        assert (await store.resumables.find("u")).expires_at == clock.now() + LIFE


async def test_a_block_that_goes_bad_under_an_upload_is_noticed(tmp_path):
    data = RNG.randbytes(8 * BLOCK)
    async with store_in(tmp_path) as store:
        await store.resumables.create(row(9 * BLOCK))
        upload = await store.resumables.open("u", LIFE)
        await upload.write(data)
        await upload.close()
        pack = next(p for p in tmp_path.iterdir() if p.name.startswith("pack-"))
        content = bytearray(pack.read_bytes())
        content[0] ^= 1
        pack.write_bytes(content)
        same = await put(store, data)  # the same blocks, which are not written again
        with pytest.raises(Exception, match="not here in good state"):
            await get(store, same)
        with pytest.raises(Busy, match="went bad"):
            await store.resumables.open("u", LIFE)
        assert await store.resumables.remove("u")
        await store.delete(same.manifest_cid)
        await assert_sound(store)


async def test_a_full_disk_in_the_middle_keeps_what_is_durable(tmp_path):
    from quire.sim.disk import SimDisk

    data = RNG.randbytes(200 * BLOCK)
    disk = SimDisk(random.Random(1), capacity_bytes=100 * BLOCK)
    async with store_in(tmp_path, disk=disk) as store:
        await store.resumables.create(row(len(data)))
        upload = await store.resumables.open("u", LIFE)
        await upload.write(data[: 50 * BLOCK + 9])
        await upload.checkpoint()
        with pytest.raises(DiskFull):
            await write_and_checkpoint(upload, data[50 * BLOCK + 9 :])
        await upload.close()
        assert (await store.resumables.find("u")).position == 50 * BLOCK + 9
        assert await store.resumables.remove("u")
        await store.reclaimed()
        assert store.space().quota_used_bytes == 0


async def test_an_upload_may_end_with_its_own_reason_to_be_kept(tmp_path):
    keep = RetentionRoot("job", "one", None)
    async with store_in(tmp_path) as store:
        await store.resumables.create(row(5))
        upload = await store.resumables.open("u", LIFE)
        await upload.write(b"bytes")
        assert (await upload.commit(keep)).roots == (keep,)
