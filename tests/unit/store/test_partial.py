"""Datasets from the network: partial, proven, durable in steps."""

import asyncio
import hashlib
import random

import pytest

from quire.base.errors import BadManifest, BlockMissing, InputError, QuotaExceeded
from quire.formats.cid import tree_cid
from quire.formats.manifest import Manifest, Protection, encode_manifest
from quire.kernels.hashing import merkle_tree, range_proof, sha256_blocks, verify_leaves
from quire.store.dataset import RetentionRoot
from support.store_kit import BLOCK, PIN, Remote, assert_sound, get, put, store_in

RNG = random.Random(9)


def ranges_of(count, step):
    ranges = [(at, min(step, count - at)) for at in range(0, count, step)]
    RNG.shuffle(ranges)
    return ranges


async def test_ranges_in_any_order_make_a_complete_dataset(tmp_path):
    remote = Remote.of(RNG.randbytes(2500 * BLOCK - 3))
    told = []
    async with store_in(tmp_path) as store:
        store.on_change(lambda kind, dataset: told.append(kind))
        dataset = await store.put_manifest(remote.manifest, PIN)
        assert not dataset.is_complete
        assert store.tree(remote.root).leaf_count == 2500
        await asyncio.gather(*[remote.give(store, *each) for each in ranges_of(2500, 60)])
        await store.flush()
        dataset = await store.dataset(dataset.manifest_cid)
        assert dataset.is_complete
        assert told == ["added", "complete"]
        assert await store.read_range(remote.root, 0, 2500) == remote.data
        assert await store.prove_range(remote.root, 77, 1000) == remote.proof(77, 1000)
        await assert_sound(store)
    async with store_in(tmp_path) as store:
        assert await store.prove_range(remote.root, 5, 1) == remote.proof(5, 1)
        assert await store.read_range(remote.root, 0, 2500) == remote.data


@pytest.mark.parametrize("block_count", [1, 2, 7, 1024, 1025, 2600])
async def test_a_partial_holder_proves_what_it_holds_to_others(tmp_path, block_count):
    remote = Remote.of(RNG.randbytes(block_count * BLOCK))
    ranges = ranges_of(block_count, 16)[: max(1, block_count // 40)]
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        for each in ranges:
            await remote.give(store, *each)
        await store.flush()
    async with store_in(tmp_path) as store:
        for start, count in ranges:
            assert store.tree(remote.root).present.covers(start, start + count)
            assert await store.prove_range(remote.root, start, count) == remote.proof(start, count)
            middle, part = start + count // 2, max(1, count // 4)
            assert await store.prove_range(remote.root, middle, part) == remote.proof(middle, part)
        for start, stop in store.tree(remote.root).present:
            proof = await store.prove_range(remote.root, start, stop - start)
            leaves = remote.leaves(start, stop - start)
            assert verify_leaves(leaves, start, block_count, proof, remote.root)


async def test_what_is_not_there_is_named_missing(tmp_path):
    remote = Remote.of(RNG.randbytes(100 * BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        with pytest.raises(BlockMissing):
            await store.prove_range(remote.root, 0, 1)
        await remote.give(store, 10, 20)
        await store.flush()
        with pytest.raises(BlockMissing) as caught:
            await store.read_range(remote.root, 8, 23)
        assert caught.value.facts["missing"] == [8, 9, 30]
        with pytest.raises(BlockMissing, match="too little"):
            await store.prove_range(remote.root, 60, 3)
        assert list(store.tree(remote.root).present) == [(10, 30)]


async def test_a_manifest_put_twice_is_one_dataset_with_both_roots(tmp_path):
    remote = Remote.of(RNG.randbytes(BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        dataset = await store.put_manifest(remote.manifest, RetentionRoot("slot", "7", 2e6))
        assert {root.kind for root in dataset.roots} == {"pin", "slot"}
        assert len(await store.datasets()) == 1
        assert store.space().quota_used_bytes == len(remote.manifest)


async def test_the_same_range_put_often_counts_once(tmp_path):
    remote = Remote.of(RNG.randbytes(30 * BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        await asyncio.gather(*[remote.give(store, at, 10) for at in (0, 0, 5, 5, 3, 0)])
        await store.flush()
        await remote.give(store, 2, 4)
        await store.flush()
        assert list(store.tree(remote.root).present) == [(0, 15)]
        await assert_sound(store)
        assert store.space().total_blocks == 16


async def test_an_upload_completes_a_partial_dataset_of_the_same_bytes(tmp_path):
    remote = Remote.of(RNG.randbytes(50 * BLOCK))
    told = []
    async with store_in(tmp_path) as store:
        partial = await store.put_manifest(remote.manifest, PIN)
        await remote.give(store, 0, 20)
        await store.flush()
        store.on_change(lambda kind, dataset: told.append((kind, dataset.manifest_cid)))
        other = await put(store, remote.data, filename="other")
        assert ("complete", partial.manifest_cid) in told
        for dataset in (partial, other):
            assert await get(store, dataset) == remote.data
        await assert_sound(store)
        assert (await store.dataset(partial.manifest_cid)).is_complete
        assert await store.prove_range(remote.root, 30, 3) == remote.proof(30, 3)


async def test_a_range_for_a_dataset_that_was_deleted_leaves_nothing(tmp_path):
    remote = Remote.of(RNG.randbytes(50 * BLOCK))
    async with store_in(tmp_path) as store:
        dataset = await store.put_manifest(remote.manifest, PIN)
        await remote.give(store, 0, 20)
        await store.delete(dataset.manifest_cid)
        await store.flush()
        with pytest.raises(BlockMissing):
            await remote.give(store, 20, 20)
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0


async def test_blocks_that_another_dataset_has_are_not_stored_twice(tmp_path):
    remote = Remote.of(RNG.randbytes(50 * BLOCK))
    async with store_in(tmp_path) as store:
        await put(store, remote.blocks(0, 25))
        await store.put_manifest(remote.manifest, PIN)
        await remote.give(store, 0, 50)
        await store.flush()
        assert store.space().total_blocks == 52
        await assert_sound(store)


async def test_a_range_over_the_quota_is_refused(tmp_path):
    remote = Remote.of(RNG.randbytes(50 * BLOCK))
    async with store_in(tmp_path, quota_bytes=20 * BLOCK) as store:
        await store.put_manifest(remote.manifest, PIN)
        await remote.give(store, 0, 10)
        with pytest.raises(QuotaExceeded):
            await remote.give(store, 10, 10)
        await store.flush()
        await assert_sound(store)


@pytest.mark.parametrize("cut", [1, BLOCK])
async def test_data_that_is_not_whole_blocks_of_the_digests_is_refused(tmp_path, cut):
    remote = Remote.of(RNG.randbytes(5 * BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        proof = remote.proof(0, 2)
        with pytest.raises(InputError):
            await store.put_range(
                remote.root, 0, remote.blocks(0, 2)[:-cut], remote.leaves(0, 2), proof
            )
        with pytest.raises(InputError):
            await store.put_range(remote.root, 4, remote.blocks(0, 2), remote.leaves(0, 2), proof)


@pytest.mark.parametrize("data", [b"", b"\x0a", b"nonsense", bytes(100)])
async def test_bytes_that_are_no_manifest_are_refused(tmp_path, data):
    async with store_in(tmp_path) as store:
        with pytest.raises(BadManifest):
            await store.put_manifest(data, PIN)
        assert store.space().quota_reserved_bytes == 0


async def test_a_kind_of_root_that_does_not_exist_is_refused(tmp_path):
    remote = Remote.of(b"x")
    async with store_in(tmp_path) as store:
        with pytest.raises(InputError, match="kind"):
            await store.put_manifest(remote.manifest, RetentionRoot("nonsense", "", None))


async def test_a_manifest_with_a_wrong_size_does_not_spoil_the_tree_of_the_true_one(tmp_path):
    remote = Remote.of(RNG.randbytes(9 * BLOCK))
    lie = encode_manifest(Manifest(tree_cid(remote.root), BLOCK, 3 * BLOCK))
    async with store_in(tmp_path) as store:
        false = await store.put_manifest(lie, PIN)
        await store.put_manifest(remote.manifest, PIN)
        await remote.give(store, 0, 9)
        await store.flush()
        assert await store.read_range(remote.root, 0, 9) == remote.data
        with pytest.raises(BadManifest, match="but it has 9"):
            await store.put_manifest(
                encode_manifest(Manifest(tree_cid(remote.root), 2 * BLOCK, 4 * BLOCK)), PIN
            )
        await store.delete(false.manifest_cid)
        await assert_sound(store)
        assert await store.read_range(remote.root, 0, 9) == remote.data


async def test_padding_of_a_protected_dataset_is_always_present_and_takes_no_space(tmp_path):
    data = RNG.randbytes(5 * BLOCK)
    parity = RNG.randbytes(4 * BLOCK)
    empty = hashlib.sha256(b"").digest()
    leaves = sha256_blocks(data, BLOCK) + empty + sha256_blocks(parity, BLOCK)
    tree = merkle_tree(leaves)
    original = merkle_tree(sha256_blocks(data, BLOCK))
    protection = Protection(3, 2, tree_cid(original[-32:]), len(data))
    manifest = Manifest(tree_cid(tree[-32:]), BLOCK, 10 * BLOCK, protection=protection)
    async with store_in(tmp_path) as store:
        dataset = await store.put_manifest(encode_manifest(manifest), PIN)
        root = dataset.tree_root
        assert list(store.tree(root).present) == [(5, 6)]
        for start, blocks in ((0, data), (6, parity)):
            count = len(blocks) // BLOCK
            part = leaves[start * 32 : (start + count) * 32]
            await store.put_range(root, start, blocks, part, range_proof(tree, 10, start, count))
        await store.flush()
        assert (await store.dataset(dataset.manifest_cid)).is_complete
        assert await store.read_range(root, 0, 10) == data + bytes(BLOCK) + parity
        assert await store.prove_range(root, 4, 3) == range_proof(tree, 10, 4, 3)
        assert store.space().total_blocks == 10
        await assert_sound(store)
        await store.delete(dataset.manifest_cid)
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0


async def test_space_is_given_back_when_a_write_that_counted_on_it_comes_to_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("quire.store.partial.BATCH_SECONDS", 60.0)
    shared = RNG.randbytes(BLOCK)
    remote = Remote.of(shared + RNG.randbytes(BLOCK))
    async with store_in(tmp_path) as store:
        older = await put(store, shared)
        dataset = await store.put_manifest(remote.manifest, PIN)
        await remote.give(store, 0, 1)  # found in the index, counted on, not yet recorded
        await store.delete(older.manifest_cid)
        await store.reclaimed()
        await store.delete(dataset.manifest_cid)
        await store.reclaimed()
        await store.flush()
        await store.reclaimed()
        assert store.space().quota_used_bytes == 0
        await assert_sound(store)


async def test_a_range_on_its_way_never_enters_the_tree_that_comes_after_a_deleted_one(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("quire.store.partial.BATCH_SECONDS", 60.0)
    old, new = Remote.of(RNG.randbytes(9 * BLOCK)), Remote.of(RNG.randbytes(12 * BLOCK))
    async with store_in(tmp_path) as store:
        dataset = await store.put_manifest(old.manifest, PIN)
        await old.give(store, 0, 9)  # written, not yet in the index
        await store.delete(dataset.manifest_cid)
        await store.reclaimed()
        dataset = await store.put_manifest(new.manifest, PIN)
        await store.flush()
        assert store.tree(new.root).present.count() == 0
        await new.give(store, 0, 12)
        await store.flush()
        assert await get(store, await store.dataset(dataset.manifest_cid)) == new.data
        await assert_sound(store)
