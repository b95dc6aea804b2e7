"""Why datasets are kept, how they go, and what they give back."""

import random

import pytest

from quire.base.errors import InputError, UnknownDataset
from quire.formats.cid import manifest_cid
from quire.store.dataset import RetentionRoot
from support.store_kit import BLOCK, Remote, TurnedClock, assert_sound, get, put, store_in

RNG = random.Random(10)
DAY = 86_400.0


async def test_a_deleted_dataset_is_gone_and_its_space_is_given_back(tmp_path):
    async with store_in(tmp_path) as store:
        dataset = await put(store, RNG.randbytes(3000 * BLOCK))
        kept = await put(store, RNG.randbytes(10 * BLOCK))
        assert await store.delete(dataset.manifest_cid)
        assert await store.dataset(dataset.manifest_cid) is None
        assert store.tree(dataset.tree_root) is None
        assert not await store.delete(dataset.manifest_cid)
        await assert_sound(store)
        assert store.space().total_blocks == 11
        assert await get(store, kept) == (await store.read_range(kept.tree_root, 0, 10))
        assert len(list(tmp_path.glob("pack-*"))) <= 2


async def test_deleting_what_is_no_manifest_deletes_nothing(tmp_path):
    async with store_in(tmp_path) as store:
        dataset = await put(store, b"bytes")
        assert not await store.delete(dataset.manifest.tree_cid)
        assert not await store.delete(manifest_cid(b"unknown"))
        assert await store.dataset(dataset.manifest.tree_cid) is None
        assert len(await store.datasets()) == 1


async def test_blocks_that_another_dataset_shares_stay(tmp_path):
    shared = RNG.randbytes(20 * BLOCK)
    async with store_in(tmp_path) as store:
        first = await put(store, shared + RNG.randbytes(5 * BLOCK))
        second = await put(store, RNG.randbytes(3 * BLOCK) + shared + shared)
        data = await get(store, second)
        await store.delete(first.manifest_cid)
        await assert_sound(store)
        assert await get(store, second) == data
        assert store.space().total_blocks == 24
        await store.delete(second.manifest_cid)
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0


async def test_an_upload_that_counts_on_a_block_keeps_it_from_a_deletion(tmp_path):
    data = RNG.randbytes(600 * BLOCK)
    async with store_in(tmp_path) as store:
        first = await put(store, data)
        committed = store.begin_upload(block_size=BLOCK)
        aborted = store.begin_upload(block_size=BLOCK)
        for upload in (committed, aborted):
            await upload.write(data + RNG.randbytes(900 * BLOCK))
        await store.delete(first.manifest_cid)
        await store.reclaimed()
        second = await committed.commit()
        assert (await get(store, second))[: len(data)] == data
        await aborted.abort()
        await store.delete(second.manifest_cid)
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0


@pytest.mark.parametrize("ttl", [None, 0])
async def test_without_a_time_to_live_nothing_expires(tmp_path, ttl):
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock, default_ttl=ttl) as store:
        dataset = await put(store, b"bytes")
        assert dataset.roots == (RetentionRoot("pin", "", None),)
        clock.seconds += 1000 * 365 * DAY
        assert await store.collect() == 0


async def test_expiry_upload_again_and_delete_do_not_upset_the_counts(tmp_path):
    clock = TurnedClock()
    data = RNG.randbytes(50_000)
    async with store_in(tmp_path, clock=clock, default_ttl=30 * DAY) as store:
        await put(store, data)
        clock.seconds += 31 * DAY
        assert await store.collect() == 1
        dataset = await put(store, data)
        await store.delete(dataset.manifest_cid)
        await put(store, data)
        await assert_sound(store)
        assert len(await store.datasets()) == 1


async def test_a_dataset_stays_while_one_of_its_roots_lasts(tmp_path):
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock, default_ttl=DAY) as store:
        cid = (await put(store, b"bytes")).manifest_cid
        await store.retain(cid, RetentionRoot("slot", "1", clock.seconds + 10 * DAY))
        clock.seconds += 2 * DAY
        assert await store.collect() == 0
        await store.retain(cid, RetentionRoot("slot", "1", clock.seconds + DAY))  # not shortened
        clock.seconds += 5 * DAY
        assert await store.collect() == 0
        clock.seconds += 5 * DAY
        assert await store.collect() == 1


async def test_a_root_without_end_keeps_and_its_release_lets_go(tmp_path):
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock, default_ttl=DAY) as store:
        cid = (await put(store, b"bytes")).manifest_cid
        await store.retain(cid, RetentionRoot("name", "mine", None))
        clock.seconds += 2 * DAY
        assert await store.collect() == 0
        assert await store.release(cid, "name", "mine")
        assert not await store.release(cid, "name", "mine")
        assert await store.collect() == 1


async def test_a_dataset_without_roots_stays_until_it_is_deleted(tmp_path):
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock) as store:
        cid = (await put(store, b"bytes")).manifest_cid
        assert await store.release(cid, "pin", "")
        clock.seconds += 1000 * DAY
        assert await store.collect() == 0
        assert (await store.dataset(cid)).roots == ()


async def test_uploading_again_lets_it_last_longer(tmp_path):
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock, default_ttl=10 * DAY) as store:
        await put(store, b"bytes")
        clock.seconds += 9 * DAY
        again = await put(store, b"bytes")
        assert again.roots[0].expires_at == clock.seconds + 10 * DAY


async def test_roots_of_unknown_datasets_or_kinds_are_refused(tmp_path):
    async with store_in(tmp_path) as store:
        cid = (await put(store, b"bytes")).manifest_cid
        with pytest.raises(UnknownDataset):
            await store.retain(manifest_cid(b"unknown"), RetentionRoot("pin", "", None))
        with pytest.raises(InputError, match="kind"):
            await store.retain(cid, RetentionRoot("because", "", None))
        assert not await store.release(manifest_cid(b"unknown"), "pin", "")


async def test_a_partial_dataset_gives_back_what_it_has(tmp_path):
    remote = Remote.of(RNG.randbytes(1500 * BLOCK))
    async with store_in(tmp_path) as store:
        dataset = await store.put_manifest(remote.manifest, RetentionRoot("cache", "", None))
        await remote.give(store, 1000, 100)
        await store.flush()
        await store.delete(dataset.manifest_cid)
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0
