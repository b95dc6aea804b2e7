"""Parts of a tree that are given up, while the rest stays."""

import random

import pytest

from quire.base.errors import BlockMissing, InputError
from support.store_kit import BLOCK, PIN, Remote, assert_sound, get, put, store_in

RNG = random.Random(33)


@pytest.mark.parametrize(("start", "count"), [(0, 1), (1000, 100), (0, 3000), (2999, 1), (5, 2500)])
async def test_what_is_shed_is_gone_durably_and_the_rest_can_be_proved(tmp_path, start, count):
    remote = Remote.of(RNG.randbytes(3000 * BLOCK))
    async with store_in(tmp_path) as store:
        await put(store, remote.data)
        assert await store.shed(remote.root, start, count) == count
        assert await store.shed(remote.root, start, count) == 0
        with pytest.raises(BlockMissing):
            await store.read_range(remote.root, start, 1)
        await assert_sound(store)
        assert store.space().total_blocks == 3000 - count + 1
    async with store_in(tmp_path) as store:
        present = store.tree(remote.root).present
        assert present.count() == 3000 - count
        assert await store.leaves(remote.root) == remote.digests
        assert await store.prove_range(remote.root, 7, 2000) == remote.proof(7, 2000)
        await store.put_block_range(remote.root, start, remote.blocks(start, count))
        await store.flush()
        assert await store.read_range(remote.root, 0, 3000) == remote.data
        await assert_sound(store)


async def test_blocks_that_others_need_stay_with_them(tmp_path):
    shared = RNG.randbytes(10 * BLOCK)
    one, two = Remote.of(shared + RNG.randbytes(BLOCK)), Remote.of(shared + RNG.randbytes(BLOCK))
    async with store_in(tmp_path) as store:
        await put(store, one.data)
        other = await put(store, two.data)
        assert await store.shed(one.root, 0, 11) == 11
        assert await get(store, other) == two.data
        assert store.space().total_blocks == 13
        await assert_sound(store)


async def test_a_block_that_stands_twice_in_the_tree_stays_for_the_other_place(tmp_path):
    block = RNG.randbytes(BLOCK)
    remote = Remote.of(block + RNG.randbytes(BLOCK) + block)
    async with store_in(tmp_path) as store:
        await put(store, remote.data)
        assert await store.shed(remote.root, 0, 1) == 1
        assert await store.read_range(remote.root, 2, 1) == block
        assert await store.shed(remote.root, 2, 1) == 1
        assert store.space().total_blocks == 2
        await assert_sound(store)


async def test_what_is_on_its_way_to_the_index_is_shed_too(tmp_path):
    remote = Remote.of(RNG.randbytes(20 * BLOCK))
    async with store_in(tmp_path) as store:
        await store.put_manifest(remote.manifest, PIN)
        await remote.give(store, 0, 20)
        assert await store.shed(remote.root, 5, 10) == 10
        assert list(store.tree(remote.root).present) == [(0, 5), (15, 20)]
        await assert_sound(store)


async def test_lost_blocks_that_are_shed_do_not_count_as_damage(tmp_path):
    remote = Remote.of(RNG.randbytes(20 * BLOCK))
    async with store_in(tmp_path) as store:
        await put(store, remote.data)
        (pack,) = tmp_path.glob("pack-*")
        spoilt = bytearray(pack.read_bytes())
        spoilt[3 * BLOCK] ^= 1
        pack.write_bytes(spoilt)
        with pytest.raises(BlockMissing):
            await store.read_range(remote.root, 0, 20)
        assert [list(wound.leaves) for wound in await store.wounds()] == [[(3, 4)]]
        assert await store.shed(remote.root, 0, 5) == 4
        assert await store.wounds() == []
        await assert_sound(store)


async def test_only_ranges_of_the_tree_can_be_shed(tmp_path):
    remote = Remote.of(RNG.randbytes(20 * BLOCK))
    async with store_in(tmp_path) as store:
        assert await store.shed(remote.root, 0, 5) == 0
        await put(store, remote.data)
        for start, count in ((-1, 2), (19, 2), (0, 0)):
            with pytest.raises(InputError):
                await store.shed(remote.root, start, count)
