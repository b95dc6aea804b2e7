"""Lists of leaves: learned without blocks, true or refused, and what they are good for."""

import hashlib
import random

import pytest

from quire.base.errors import (
    BadManifest,
    BlockMissing,
    InputError,
    IntegrityError,
    QuotaExceeded,
)
from quire.base.ranges import RangeSet
from quire.formats.cid import tree_cid
from quire.formats.manifest import Manifest, Protection, encode_manifest
from quire.kernels.hashing import merkle_tree, sha256_blocks
from quire.store.dataset import RetentionRoot
from support.store_kit import BLOCK, PIN, Remote, assert_sound, get, put, store_in

RNG = random.Random(21)
EMPTY = hashlib.sha256(b"").digest()


class Protected:
    """Five blocks, one of padding, and four of parity (any bytes will do here)."""

    def __init__(self, claimed_size=5 * BLOCK):
        self.data, self.parity = RNG.randbytes(5 * BLOCK), RNG.randbytes(4 * BLOCK)
        self.bytes = self.data + bytes(BLOCK) + self.parity
        self.leaves = sha256_blocks(self.data, BLOCK) + EMPTY + sha256_blocks(self.parity, BLOCK)
        self.tree = merkle_tree(self.leaves)
        self.root = self.tree[-32:]
        self.manifest = self.manifest_of(claimed_size)

    def manifest_of(self, original_size):
        original = merkle_tree(sha256_blocks(self.data, BLOCK))
        protection = Protection(3, 2, tree_cid(original[-32:]), original_size)
        return encode_manifest(
            Manifest(tree_cid(self.root), BLOCK, 10 * BLOCK, protection=protection)
        )

    def blocks(self, start, count):
        return self.bytes[start * BLOCK : (start + count) * BLOCK]


@pytest.mark.parametrize("block_count", [1, 2, 3, 1023, 1024, 1025, 4500])
async def test_a_list_of_leaves_is_durable_and_marks_no_block_present(tmp_path, block_count):
    remote = Remote.of(RNG.randbytes(block_count * BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        assert await store.leaves(remote.root) is None
        for _ in range(2):
            await store.put_leaves(remote.root, remote.digests)
        assert await store.leaves(remote.root) == remote.digests
    async with store_in(tmp_path) as store:
        assert await store.leaves(remote.root) == remote.digests
        assert not await store.unknown_leaves(remote.root)
        assert not store.tree(remote.root).present
        with pytest.raises(BlockMissing):
            await store.read_range(remote.root, 0, 1)
        part = block_count // 3
        assert await store.read_leaves(remote.root, part, 1) == remote.leaves(part, 1)
        assert await store.prove_range(remote.root, part, 1) == remote.proof(part, 1)
        assert store.space().total_blocks == 1  # the manifest
        await assert_sound(store)
        assert (await store.mend()).problems == []


async def test_a_list_is_learned_part_by_part_and_the_gaps_are_known(tmp_path):
    remote = Remote.of(RNG.randbytes(3000 * BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        await remote.give(store, 10, 5)
        await store.flush()
        for start, count in ((0, 4), (2048, 500), (1000, 100)):
            leaves, proof = remote.leaves(start, count), remote.proof(start, count)
            await store.put_leaf_range(remote.root, start, leaves, proof)
            assert await store.prove_range(remote.root, start, count) == proof
    async with store_in(tmp_path) as store:
        known = RangeSet([(0, 4), (10, 15), (1000, 1100), (2048, 2548)])
        unknown = await store.unknown_leaves(remote.root)
        # A proof brings neighbours too, and the digests of these are known with it.
        assert not unknown.within(0, 3000).minus(RangeSet([(0, 3000)]).minus(known))
        assert all(unknown.covers(*each) for each in ((5, 10), (1101, 2048), (2550, 3000)))
        assert await store.leaves(remote.root) is None
        with pytest.raises(BlockMissing, match="list of leaves"):
            await store.read_leaves(remote.root, 1099, 5)
        assert list(store.tree(remote.root).present) == [(10, 15)]
        await store.put_leaves(remote.root, remote.digests)
        assert await store.prove_range(remote.root, 333, 1234) == remote.proof(333, 1234)
        assert await store.read_range(remote.root, 10, 5) == remote.blocks(10, 5)
        await assert_sound(store)


async def test_an_upload_knows_its_leaves(tmp_path):
    remote = Remote.of(RNG.randbytes(1500 * BLOCK))
    async with store_in(tmp_path) as store:
        await put(store, remote.data)
        assert await store.leaves(remote.root) == remote.digests
        await store.put_leaves(remote.root, remote.digests)
        await assert_sound(store)


@pytest.mark.parametrize("how", ["short", "long", "cut", "flipped", "nothing"])
async def test_a_false_list_is_refused_whole(tmp_path, how):
    remote = Remote.of(RNG.randbytes(20 * BLOCK))
    flipped = bytes([remote.digests[0] ^ 1]) + remote.digests[1:]
    bad = {
        "short": remote.digests[:-32],
        "long": remote.digests + bytes(32),
        "cut": remote.digests[:-1],
        "flipped": flipped,
        "nothing": b"",
    }[how]
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        with pytest.raises(InputError):
            await store.put_leaves(remote.root, bad)
        assert (await store.unknown_leaves(remote.root)).count() == 20


@pytest.mark.parametrize(("start", "size"), [(0, 33), (19, 64), (0, 0), (-1, 32), (0, 21 * 32)])
async def test_digests_that_are_no_range_of_the_tree_are_refused(tmp_path, start, size):
    remote = Remote.of(RNG.randbytes(20 * BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        with pytest.raises(InputError):
            await store.put_leaf_range(remote.root, start, bytes(size), b"")


async def test_nothing_is_learned_of_a_tree_that_is_not_here(tmp_path):
    remote = Remote.of(RNG.randbytes(3 * BLOCK))
    async with store_in(tmp_path) as store:
        assert await store.leaves(remote.root) is None
        for work in (
            store.put_leaves(remote.root, remote.digests),
            store.put_leaf_range(remote.root, 0, remote.digests, b""),
            store.put_block_range(remote.root, 0, remote.data),
            store.read_leaves(remote.root, 0, 1),
            store.unknown_leaves(remote.root),
        ):
            with pytest.raises(BlockMissing):
                await work


async def test_a_list_goes_with_its_dataset(tmp_path):
    remote = Remote.of(RNG.randbytes(2000 * BLOCK))
    async with store_in(tmp_path) as store:
        dataset = await store.put_manifest(remote.manifest, PIN)
        await store.put_leaves(remote.root, remote.digests)
        await store.put_block_range(remote.root, 1000, remote.blocks(1000, 50))
        await store.flush()
        await store.delete(dataset.manifest_cid)
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0
        await store.put_manifest(remote.manifest, RetentionRoot("cache", "x", 1.0))
        assert (await store.unknown_leaves(remote.root)).count() == 2000


async def test_blocks_enter_by_their_digests_alone(tmp_path):
    remote = Remote.of(RNG.randbytes(1100 * BLOCK))
    told = []
    async with store_in(tmp_path) as store:
        store.on_change(lambda kind, _: told.append(kind))
        dataset = await store.put_manifest(remote.manifest, PIN)
        with pytest.raises(BlockMissing, match="list of leaves"):
            await store.put_block_range(remote.root, 0, remote.blocks(0, 1))
        await store.put_leaves(remote.root, remote.digests)
        await remote.give(store, 500, 20)
        for start, count in ((0, 510), (505, 590), (1095, 5)):
            await store.put_block_range(remote.root, start, remote.blocks(start, count))
        await store.flush()
        assert told == ["added", "complete"]
        assert await get(store, await store.dataset(dataset.manifest_cid)) == remote.data
        await assert_sound(store)
    async with store_in(tmp_path) as store:
        assert await store.prove_range(remote.root, 3, 900) == remote.proof(3, 900)
        assert await store.read_range(remote.root, 0, 1100) == remote.data


@pytest.mark.parametrize("bad", [0, 7, 11])
async def test_a_range_with_a_false_block_is_refused_whole_and_the_block_is_named(tmp_path, bad):
    remote = Remote.of(RNG.randbytes(30 * BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        await store.put_leaves(remote.root, remote.digests)
        blocks = bytearray(remote.blocks(4, 12))
        blocks[bad * BLOCK + 5] ^= 1
        with pytest.raises(IntegrityError) as caught:
            await store.put_block_range(remote.root, 4, blocks)
        assert caught.value.facts["leaf"] == 4 + bad
        await store.flush()
        assert not store.tree(remote.root).present
        await assert_sound(store)


@pytest.mark.parametrize(("start", "size"), [(0, 1), (0, BLOCK - 1), (29, 2 * BLOCK), (0, 0)])
async def test_bytes_that_are_no_blocks_of_the_tree_are_refused(tmp_path, start, size):
    remote = Remote.of(RNG.randbytes(30 * BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        await store.put_leaves(remote.root, remote.digests)
        with pytest.raises(InputError):
            await store.put_block_range(remote.root, start, bytes(size))


async def test_blocks_over_the_quota_are_refused(tmp_path):
    remote = Remote.of(RNG.randbytes(30 * BLOCK))
    async with store_in(tmp_path, quota_bytes=10 * BLOCK) as store:
        await store.put_manifest(remote.manifest, PIN)
        await store.put_leaves(remote.root, remote.digests)
        with pytest.raises(QuotaExceeded):
            await store.put_block_range(remote.root, 0, remote.blocks(0, 20))
        await assert_sound(store)


async def test_padding_comes_as_zeros_and_takes_no_space(tmp_path):
    protected = Protected()
    async with store_in(tmp_path) as store:
        dataset = await store.put_manifest(protected.manifest, PIN)
        await store.put_leaves(protected.root, protected.leaves)
        wrong = protected.blocks(4, 1) + b"\x01" * BLOCK + protected.blocks(6, 1)
        with pytest.raises(IntegrityError) as caught:
            await store.put_block_range(protected.root, 4, wrong)
        assert caught.value.facts["leaf"] == 5
        await store.put_block_range(protected.root, 4, protected.blocks(4, 3))
        await store.put_block_range(protected.root, 5, bytes(BLOCK))
        await store.flush()
        assert list(store.tree(protected.root).present) == [(4, 7)]
        assert store.space().total_blocks == 3
        await store.put_block_range(protected.root, 0, protected.bytes)
        await store.flush()
        assert await store.read_range(protected.root, 0, 10) == protected.bytes
        assert (await store.dataset(dataset.manifest_cid)).is_complete
        await assert_sound(store)


async def test_a_list_of_leaves_takes_back_padding_that_a_false_manifest_claimed(tmp_path):
    protected = Protected(claimed_size=4 * BLOCK)  # says that block 4 is padding, and it is not
    async with store_in(tmp_path) as store:
        await store.put_manifest(protected.manifest, PIN)
        assert list(store.tree(protected.root).present) == [(4, 6)]
        await store.put_leaves(protected.root, protected.leaves)
        assert list(store.tree(protected.root).present) == [(5, 6)]
        await assert_sound(store)
    async with store_in(tmp_path) as store:
        assert list(store.tree(protected.root).present) == [(5, 6)]
        assert await store.leaves(protected.root) == protected.leaves
        await assert_sound(store)


async def test_a_manifest_that_calls_a_known_block_padding_is_refused(tmp_path):
    protected = Protected()
    async with store_in(tmp_path) as store:
        await store.put_manifest(protected.manifest, PIN)
        await store.put_leaves(protected.root, protected.leaves)
        with pytest.raises(BadManifest, match="padding"):
            await store.put_manifest(protected.manifest_of(4 * BLOCK), PIN)
        assert await store.leaves(protected.root) == protected.leaves
        await assert_sound(store)
