"""Padding is believed only while nobody says otherwise; no block reads as zeros by a lie."""

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from quire.base.errors import BadManifest, BlockMissing
from quire.base.ranges import RangeSet
from quire.formats.manifest import decode_manifest, encode_manifest
from quire.store.proved import read_proved
from quire.store.shape import EMPTY_DIGEST, TreeShape, page_tree
from support.padded import Padded, cid_of
from support.store_kit import BLOCK, PIN, assert_sound, get, store_in

TRUE = Padded.of(7, 4, 2)  # 8 data blocks, the last of them padding, 4 of parity
WIDE = Padded.of(5, 4, 2)  # pads 5 to 7, of which 6 and 7 are in no proof of a neighbour
FULL = Padded.of(8, 4, 2)  # no padding
LIE = TRUE.saying(5)  # blocks 5 and 6 are said to be padding too
MANY = Padded.of(1103, 1100, 2)  # padding over several pages: 1103 to 2200


def present(store, tree=TRUE):
    return [leaf for a, b in store.tree(tree.root).present for leaf in range(a, b)]


async def assert_true(store, tree=TRUE):
    """Whatever can be read, proved or listed is true."""
    for leaf in range(tree.count):
        for work, truth in (
            (store.read_range, tree.blocks(leaf, 1)),
            (store.read_leaves, tree.leaves(leaf, 1)),
            (store.prove_range, tree.proof(leaf, 1)),
        ):
            try:
                assert await work(tree.root, leaf, 1) == truth, leaf
            except BlockMissing:
                continue


@pytest.mark.parametrize(
    ("manifests", "believed"),
    [
        ([TRUE.honest], [7]),
        ([TRUE.honest, LIE], [7]),
        ([LIE, TRUE.honest], [7]),
        ([LIE, TRUE.saying(6), TRUE.honest], [7]),
        ([TRUE.plain(), LIE], []),
        ([LIE, TRUE.plain()], []),
        ([TRUE.honest, TRUE.plain()], []),
        ([TRUE.honest, TRUE.saying(8)], []),
        ([LIE, TRUE.saying(8), TRUE.honest], []),
    ],
)
async def test_a_leaf_is_padding_only_while_every_manifest_of_the_tree_says_so(
    tmp_path, manifests, believed
):
    async with store_in(tmp_path) as store:
        for manifest in manifests:
            await store.put_manifest(manifest, PIN)
            store.tree(TRUE.root)  # remembered between two of them
        assert present(store) == believed
        await assert_true(store)
        await assert_sound(store)
    async with store_in(tmp_path) as store:
        assert present(store) == believed
        with pytest.raises(BlockMissing):
            await store.read_range(TRUE.root, 5, 1)
        await TRUE.give_all(store)
        for data in await store.datasets():
            size = data.manifest.original_size
            assert (await store.read_range(TRUE.root, 0, 7))[:size] == TRUE.blocks(0, 7)[:size]
        await store.put_leaves(TRUE.root, TRUE.digests)
        assert all(data.is_complete for data in await store.datasets())
        assert await store.read_range(TRUE.root, 0, 12) == TRUE.truth.blocks
        await assert_true(store)
        await assert_sound(store)


async def test_a_protected_and_a_verifiable_manifest_agree(tmp_path):
    tree = Padded.of(7, 4, 2, is_verifiable=True)
    async with store_in(tmp_path) as store:
        for manifest in (tree.honest, tree.truth.manifest):
            await store.put_manifest(manifest, PIN)
            assert present(store, tree) == [7]
        await tree.give_all(store)
        assert all(data.is_complete for data in await store.datasets())
        await store.delete(cid_of(tree.honest))
        assert await store.read_range(tree.root, 0, 12) == tree.truth.blocks
        await assert_sound(store)


@pytest.mark.parametrize("is_reopened", [False, True])
@pytest.mark.parametrize(
    "lie", [WIDE.plain(), WIDE.saying(8), WIDE.saying(6)], ids=["plain", "none", "fewer"]
)
async def test_when_the_liar_is_deleted_the_honest_dataset_is_complete(tmp_path, lie, is_reopened):
    tree, told = WIDE, []
    async with store_in(tmp_path) as store:
        for manifest in (tree.honest, lie):
            await store.put_manifest(manifest, PIN)
        await tree.give_all(store)
        was_complete = (await store.dataset(cid_of(tree.honest))).is_complete
        assert was_complete == (lie == tree.saying(6))  # the root proves 6 and 7, a proof 5
        if not is_reopened:
            store.on_change(lambda kind, data: told.append((kind, data.manifest_cid)))
            await store.delete(cid_of(lie))
    async with store_in(tmp_path) as store:
        if is_reopened:
            store.on_change(lambda kind, data: told.append((kind, data.manifest_cid)))
            await store.delete(cid_of(lie))
        data = await store.dataset(cid_of(tree.honest))
        assert data.is_complete
        assert await get(store, data) == tree.truth.data
        assert await store.leaves(tree.root) == tree.digests
        expected = [("deleted", cid_of(lie))]
        assert told == expected + ([] if was_complete else [("complete", data.manifest_cid)])
        await assert_true(store, tree)
        await assert_sound(store)


async def test_a_list_of_leaves_settles_a_dispute_and_tells_who_is_complete(tmp_path):
    tree, told = WIDE, []
    async with store_in(tmp_path) as store:
        for manifest in (tree.honest, tree.plain()):
            await store.put_manifest(manifest, PIN)
        await tree.give_all(store)
        assert present(store, tree) == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]  # 5 was in a proof
        store.on_change(lambda kind, data: told.append((kind, data.manifest_cid)))
        await store.put_leaves(tree.root, tree.digests)
        assert told == [("complete", cid_of(tree.honest)), ("complete", cid_of(tree.plain()))]
        assert await store.read_range(tree.root, 0, 12) == tree.truth.blocks
        await assert_sound(store)


@pytest.mark.parametrize("is_reopened", [False, True])
async def test_a_lie_that_nobody_disputes_is_found_by_the_root_and_completes_nothing(
    tmp_path, is_reopened
):
    told = []
    async with store_in(tmp_path) as store:
        await store.put_manifest(FULL.saying(6), PIN)
        assert present(store, FULL) == [6, 7]
        await FULL.give(store, 0, 6)
        await store.flush()
        if not is_reopened:
            await FULL.give(store, 8, 4)
    async with store_in(tmp_path) as store:
        store.on_change(lambda kind, data: told.append(kind))
        if is_reopened:
            await FULL.give(store, 8, 4)
            await store.flush()
        assert present(store, FULL) == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]
        assert told == []
        await assert_true(store, FULL)
        await assert_sound(store)
        await FULL.give(store, 6, 2)
        await store.flush()
        assert told == ["complete"]
        assert await store.read_range(FULL.root, 0, 12) == FULL.truth.blocks
        await assert_sound(store)


async def test_a_block_takes_the_place_of_padding_that_was_only_claimed(tmp_path):
    async with store_in(tmp_path) as store:
        await store.put_manifest(FULL.saying(5), PIN)
        assert present(store, FULL) == [5, 6, 7]
        await FULL.give(store, 7, 1)  # its proof shows block 6
        await store.flush()
        assert present(store, FULL) == [5, 7]
        assert await store.read_range(FULL.root, 7, 1) == FULL.blocks(7, 1)
        await FULL.give(store, 7, 1)
        await FULL.give(store, 5, 2)
        await store.flush()
        assert present(store, FULL) == [5, 6, 7]
        await assert_true(store, FULL)
        await assert_sound(store)


async def test_what_is_only_claimed_is_neither_known_nor_proved_to_others(tmp_path):
    async with store_in(tmp_path) as store:
        await store.put_manifest(LIE, PIN)
        assert present(store) == [5, 6, 7]
        assert await store.unknown_leaves(TRUE.root) == RangeSet([(0, 12)])
        assert await store.leaves(TRUE.root) is None
        for work in (store.read_leaves, store.prove_range):
            with pytest.raises(BlockMissing):
                await work(TRUE.root, 5, 2)
        with pytest.raises(BlockMissing, match="list of leaves"):
            await store.put_block_range(TRUE.root, 5, bytes(2 * BLOCK))


@pytest.mark.parametrize("how", ["list", "proof", "complete"])
async def test_a_manifest_that_denies_a_known_block_is_refused_and_leaves_nothing(tmp_path, how):
    async with store_in(tmp_path) as store:
        await store.put_manifest(TRUE.honest, PIN)
        if how == "list":
            await store.put_leaf_range(TRUE.root, 6, TRUE.leaves(6, 1), TRUE.proof(6, 1))
        elif how == "proof":
            await TRUE.give(store, 6, 1)
        else:
            await TRUE.give_all(store)
        await store.flush()
        before = present(store)
        used = store.space().quota_used_bytes
        for lie in (LIE, TRUE.saying(6)):
            with pytest.raises(BadManifest, match=r"block [56] of the tree .* is padding"):
                await store.put_manifest(lie, PIN)
        assert present(store) == before
        assert store.space().quota_used_bytes == used
        assert len(await store.datasets()) == 1
        await assert_sound(store)


async def test_nobody_is_given_padding_as_a_block_with_a_proof(tmp_path):
    async with store_in(tmp_path) as store:
        await store.put_manifest(FULL.saying(6), PIN)
        await FULL.give(store, 0, 6)
        await FULL.give(store, 8, 3)
        await store.flush()
        assert await store.read_range(FULL.root, 6, 2) == bytes(2 * BLOCK)  # claimed, undisputed
        assert await store.prove_range(FULL.root, 6, 2) == FULL.proof(6, 2)
        await store.put_manifest(TRUE.honest, PIN)
        await TRUE.give_all(store)
        for tree, start, count in ((FULL, 6, 2), (FULL, 5, 2), (TRUE, 7, 1), (TRUE, 0, 12)):
            with pytest.raises(BlockMissing):
                await read_proved(store, tree.root, start, count)
        for tree in (FULL, TRUE):
            found = await read_proved(store, tree.root, 2, 4)
            assert found == (tree.blocks(2, 4), tree.proof(2, 4))


async def test_padding_over_many_pages_is_proved_by_the_root(tmp_path):
    async with store_in(tmp_path) as store:
        await store.put_manifest(MANY.honest, PIN)
        assert present(store, MANY) == list(MANY.pads)
        await store.put_manifest(MANY.plain(), PIN)
        assert present(store, MANY) == []
        await store.delete(cid_of(MANY.plain()))
        assert present(store, MANY) == list(MANY.pads)
    async with store_in(tmp_path) as store:
        await MANY.give_all(store)
        assert (await store.dataset(cid_of(MANY.honest))).is_complete
        assert await store.leaves(MANY.root) == MANY.digests
        assert await store.prove_range(MANY.root, 1090, 40) == MANY.proof(1090, 40)
        assert store.space().total_blocks == 1103 + 4 + 1
        assert (await store.mend()).problems == []
        await assert_sound(store)
        await store.delete(cid_of(MANY.honest))
        await assert_sound(store)
        assert store.space().quota_used_bytes == 0


async def test_giving_up_and_mending_leave_padding_alone(tmp_path):
    async with store_in(tmp_path) as store:
        await store.put_manifest(TRUE.honest, PIN)
        await TRUE.give(store, 2, 4)
        await store.flush()
        assert await store.shed(TRUE.root, 0, 12) == 4
        assert present(store) == [7]
        assert (await store.mend()).problems == []
        assert present(store) == [7]
        await assert_sound(store)


async def test_a_liar_with_padding_cannot_hold_the_shape_of_the_tree(tmp_path):
    lie = decode_manifest(TRUE.saying(5))
    wrong = encode_manifest(_with_rows(lie, 3))
    async with store_in(tmp_path) as store:
        await store.put_manifest(wrong, PIN)
        assert store.tree(TRUE.root).leaf_count == 14
        await store.put_manifest(TRUE.honest, PIN)
        assert store.tree(TRUE.root).leaf_count == 12
        assert present(store) == [7]  # the other, of another shape, has no say
        await TRUE.give_all(store)
        assert (await store.dataset(cid_of(TRUE.honest))).is_complete
        await assert_sound(store)


async def test_no_claim_outlives_the_manifest_that_made_it(tmp_path):
    async with store_in(tmp_path) as store:
        await store.put_manifest(TRUE.plain(9), PIN)
        await store.put_manifest(LIE, PIN)  # of another shape, which the tree has from now on
        assert present(store) == [5, 6, 7]
        await store.delete(cid_of(LIE))
        assert present(store) == []
        await assert_sound(store)


async def test_a_shape_that_a_digest_has_shown_is_not_given_up_for_another(tmp_path):
    async with store_in(tmp_path) as store:
        await store.put_manifest(TRUE.honest, PIN)
        await store.put_leaf_range(TRUE.root, 2, TRUE.leaves(2, 2), TRUE.proof(2, 2))
        with pytest.raises(BadManifest, match="but it has 12"):
            await store.put_manifest(TRUE.plain(5), PIN)
        assert await store.read_leaves(TRUE.root, 2, 2) == TRUE.leaves(2, 2)


async def test_padding_is_not_announced_as_blocks(tmp_path):
    async with store_in(tmp_path) as store:
        for tree in (TRUE, MANY):
            await store.put_manifest(tree.honest, PIN)
            assert store.tree(tree.root).present
            assert not store.tree(tree.root).blocks
        assert [held.has_blocks for held in await store.holdings()] == [False, False]
        await store.put_leaves(TRUE.root, TRUE.digests)
        assert not store.tree(TRUE.root).blocks
        await TRUE.give(store, 11, 1)
        await MANY.give(store, 2203, 1)  # of the last page
        await store.flush()
        assert store.tree(TRUE.root).blocks
        assert [held.has_blocks for held in await store.holdings()] == [True, True]
        await TRUE.give_all(store)
        assert store.tree(TRUE.root).padding == RangeSet()
        assert [held.has_blocks for held in await store.holdings()] == [True, True]


@pytest.mark.parametrize(("tree", "manifest"), [(FULL, FULL.saying(6)), (TRUE, TRUE.honest)])
async def test_a_store_that_believed_claims_doubts_them_when_it_is_opened(tmp_path, tree, manifest):
    claimed = [6, 7] if tree is FULL else [7]
    async with store_in(tmp_path) as store:
        await store.put_manifest(manifest, PIN)
        await tree.give(store, 0, 6)
        await store.flush()
    believe(tmp_path, claimed)
    async with store_in(tmp_path) as store:
        assert present(store, tree) == [0, 1, 2, 3, 4, 5, *claimed]
        assert (await store.unknown_leaves(tree.root)).covers(7, 8)
        await store.put_manifest(tree.plain(), PIN)
        with pytest.raises(BlockMissing):
            await store.read_range(tree.root, 7, 1)
        await tree.give_all(store)
        await store.put_leaves(tree.root, tree.digests)
        assert await store.read_range(tree.root, 0, 12) == tree.truth.blocks
        await assert_true(store, tree)
        await assert_sound(store)


async def test_a_tree_that_a_lie_had_completed_lacks_its_blocks_again(tmp_path):
    async with store_in(tmp_path) as store:
        await store.put_manifest(FULL.saying(6), PIN)
        await FULL.give_all(store)
        await store.shed(FULL.root, 6, 2)
    believe(tmp_path, [6, 7])
    with closing(sqlite3.connect(tmp_path / "meta.sqlite", isolation_level=None)) as database:
        ((leaves,),) = database.execute("SELECT nodes FROM page").fetchall()
        node = page_tree(leaves, TreeShape(12).page_height)[-32:]
        database.execute("UPDATE page SET present = NULL, node = ?", (node,))
        database.execute("UPDATE tree SET present_count = 12, nodes = NULL")
    async with store_in(tmp_path) as store:
        assert present(store, FULL) == [0, 1, 2, 3, 4, 5, 8, 9, 10, 11]
        await assert_true(store, FULL)
        await FULL.give(store, 6, 2)
        await store.flush()
        assert await store.read_range(FULL.root, 0, 12) == FULL.truth.blocks
        await assert_sound(store)


def test_the_padding_here_is_what_it_is_taken_for():
    assert [TRUE.leaves(leaf, 1) == EMPTY_DIGEST for leaf in range(12)].index(True) == 7
    assert EMPTY_DIGEST not in {FULL.leaves(leaf, 1) for leaf in range(12)}
    assert all(MANY.leaves(leaf, 1) == EMPTY_DIGEST for leaf in MANY.pads)


def _with_rows(manifest, m):
    protection = replace(manifest.protection, m=m)
    return replace(manifest, dataset_size=2 * (4 + m) * BLOCK, protection=protection)


def believe(directory, leaves):
    """Note padding as stores did before: as if its digest were known."""
    with closing(sqlite3.connect(directory / "meta.sqlite", isolation_level=None)) as database:
        ((page, nodes),) = database.execute("SELECT id, nodes FROM page").fetchall()
        for leaf in leaves:
            nodes = nodes[: leaf * 32] + EMPTY_DIGEST + nodes[leaf * 32 + 32 :]
        database.execute("UPDATE page SET nodes = ? WHERE id = ?", (nodes, page))
        database.execute("DELETE FROM setting WHERE name = 'padding-proved'")
