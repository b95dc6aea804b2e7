"""Why datasets are kept, how they go, and what they give back."""

import random

import pytest

from quire.base.errors import BlockMissing, InputError, NotFound, UnknownDataset
from quire.formats.cid import manifest_cid
from quire.store.dataset import RetentionRoot
from support.store_kit import BLOCK, PIN, Remote, TurnedClock, assert_sound, get, put, store_in

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
        assert dataset.roots == (RetentionRoot("lease", "", None),)
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


async def test_a_dataset_whose_last_root_goes_is_collected(tmp_path):
    async with store_in(tmp_path) as store:
        cid = (await put(store, b"bytes")).manifest_cid
        assert await store.release(cid, "lease", "")
        assert (await store.dataset(cid)).roots == ()
        assert await store.collect() == 1


async def test_a_pin_keeps_for_as_long_as_was_said_last(tmp_path):
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock, default_ttl=DAY) as store:
        cid = (await put(store, b"bytes")).manifest_cid
        assert (await store.retention.pin(cid, None)).kept_until is None
        assert (await store.retention.pin(cid, clock.seconds + 5 * DAY)).kept_until == (
            clock.seconds + 5 * DAY
        )
        clock.seconds += 4 * DAY
        assert await store.collect() == 0
        assert (await store.retention.unpin(cid)).kept_until < clock.seconds
        assert await store.collect() == 1


async def test_the_time_to_live_can_be_shortened_and_made_endless(tmp_path):
    clock = TurnedClock()
    remote = Remote.of(RNG.randbytes(3 * BLOCK))
    async with store_in(tmp_path, clock=clock, default_ttl=30 * DAY) as store:
        uploaded = (await put(store, b"bytes")).manifest_cid
        root = RetentionRoot("cache", "fetch", clock.seconds + 30 * DAY)
        fetched = (await store.put_manifest(remote.manifest, root)).manifest_cid
        for cid in (uploaded, fetched):
            dataset = await store.retention.limit(cid, clock.seconds + DAY)
            assert dataset.roots == (RetentionRoot("lease", "", clock.seconds + DAY),)
        await store.retention.limit(fetched, None)
        clock.seconds += 2 * DAY
        assert await store.collect() == 1
        assert [d.manifest_cid for d in await store.datasets()] == [fetched]


async def test_a_name_keeps_its_dataset_and_moves_in_one_step(tmp_path):
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock, default_ttl=DAY) as store:
        first = (await put(store, b"one")).manifest_cid
        second = (await put(store, b"two")).manifest_cid
        assert await store.retention.name("latest", first) is None
        assert await store.retention.name("also", first) is None
        clock.seconds += DAY - 1
        assert await store.retention.name("latest", second) == first
        assert await store.retention.name("latest", second) == second
        assert [(n.name, n.manifest_cid) for n in await store.retention.names()] == [
            ("also", first),
            ("latest", second),
        ]
        clock.seconds += 100 * DAY
        assert await store.collect() == 0
        assert await store.retention.unname("also") == first
        assert await store.collect() == 1
        assert await store.retention.named("latest") == second
        with pytest.raises(NotFound):
            await store.retention.unname("also")
        with pytest.raises(NotFound):
            await store.retention.named("also")


@pytest.mark.parametrize("name", ["", "@a", "-a", "a b", "a/b", "a\n", "x" * 129, ".."])
async def test_a_name_that_could_be_taken_for_something_else_is_refused(tmp_path, name):
    async with store_in(tmp_path) as store:
        cid = (await put(store, b"bytes")).manifest_cid
        with pytest.raises(InputError):
            await store.retention.name(name, cid)
        assert await store.retention.names() == []


async def test_names_and_pins_of_what_is_not_here_are_refused(tmp_path):
    async with store_in(tmp_path) as store:
        dataset = await put(store, b"bytes")
        for cid in (manifest_cid(b"unknown"), dataset.manifest.tree_cid):
            with pytest.raises(UnknownDataset):
                await store.retention.name("latest", cid)
            with pytest.raises(UnknownDataset):
                await store.retention.pin(cid, None)
            with pytest.raises(UnknownDataset):
                await store.retention.limit(cid, 1.0)


async def test_a_reader_finishes_what_is_deleted_under_it(tmp_path):
    data = RNG.randbytes(1500 * BLOCK)
    async with store_in(tmp_path) as store:
        dataset = await put(store, data)
        root = dataset.tree_root
        with store.holding(root), store.holding(root):
            assert await store.delete(dataset.manifest_cid)
            await store.reclaimed()
            assert store.tree(root) is None
            assert await store.read_range(root, 0, 1500) == data
            again = await put(store, data)
            await store.delete(again.manifest_cid)
            assert await store.read_range(root, 700, 800) == data[700 * BLOCK :]
            assert len(await store.prove_range(root, 3, 5)) > 0
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0
        with pytest.raises(BlockMissing):
            await store.read_range(root, 0, 1)


async def test_what_is_being_read_is_collected_only_afterwards(tmp_path):
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock, default_ttl=DAY) as store:
        held = await put(store, RNG.randbytes(10 * BLOCK))
        others = [await put(store, RNG.randbytes(BLOCK)) for _ in range(5)]
        clock.seconds += 2 * DAY
        with store.holding(held.tree_root):
            assert await store.collect(batch=2) == len(others)
            assert await store.dataset(held.manifest_cid) is not None
        assert await store.collect() == 1
        await assert_sound(store)


async def test_pages_of_a_tree_whose_number_is_used_again_are_not_mixed_up(tmp_path):
    async with store_in(tmp_path) as store:
        for _ in range(5):
            data = RNG.randbytes(20 * BLOCK)
            dataset = await put(store, data)
            with store.holding(dataset.tree_root):
                await store.delete(dataset.manifest_cid)
                assert await store.read_range(dataset.tree_root, 0, 20) == data
            await store.reclaimed()


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
            await store.retain(manifest_cid(b"unknown"), PIN)
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


async def test_a_held_tree_is_not_collected_when_an_upload_has_put_another_in_its_place(tmp_path):
    remote = Remote.of(RNG.randbytes(4 * BLOCK))
    clock = TurnedClock()
    async with store_in(tmp_path, clock=clock, default_ttl=100.0) as store:
        await store.put_manifest(remote.manifest, RetentionRoot("cache", "fetch", clock.seconds))
        with store.holding(remote.root):
            await put(store, remote.data)
            clock.seconds += 101.0
            assert len((await store.doomed(10)).held) == 1
            assert await store.collect() == 0
            await remote.give(store, 0, remote.count)
        assert await store.collect() == 1
        await assert_sound(store)


async def test_a_held_tree_is_read_when_it_was_deleted_and_a_part_of_it_has_come_again(tmp_path):
    remote = Remote.of(RNG.randbytes(4 * BLOCK))
    async with store_in(tmp_path) as store:
        dataset = await put(store, remote.data)
        with store.holding(remote.root):
            await store.delete(dataset.manifest_cid)
            await store.put_manifest(remote.manifest, PIN)
            await remote.give(store, 0, 1)
            await store.flush()
            assert await get(store, dataset) == remote.data
        await store.delete(dataset.manifest_cid)
        await assert_sound(store)


async def test_all_that_is_kept_for_one_kind_of_reason_can_be_asked(tmp_path):
    async with store_in(tmp_path) as store:
        datasets = [await put(store, RNG.randbytes(BLOCK), root=PIN) for _ in range(2)]
        first, second = (each.manifest_cid for each in datasets)
        for name in ("one", "two"):
            await store.retain(first, RetentionRoot("job", name, None))
        await store.retain(second, RetentionRoot("job", "two", 7.0))
        kept = await store.retention.kept("job")
        assert kept == [(first, "one"), (first, "two"), (second, "two")]
        assert await store.retention.kept("slot") == []
