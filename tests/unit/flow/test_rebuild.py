"""Lost slots are computed from K others, checked, held, and nothing else is kept."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from quire.base.errors import BadManifest, Busy, InputError
from quire.base.ranges import RangeSet
from quire.dataset.geometry import Geometry
from quire.flow.decode import MalEncoded
from quire.flow.fetch import NotAManifest
from quire.flow.rebuild_job import check_rebuild
from quire.flow.slot_state import held_slots
from quire.formats.cid import block_cid
from quire.formats.manifest import encode_manifest
from quire.store.dataset import RetentionRoot
from support.exchange_nodes import soon, until
from support.networks import make_network
from support.protected import protect as coded
from support.slot_cluster import cluster
from support.slot_kit import BLOCK, SlotNode
from support.store_kit import assert_sound


def present(node, dataset):
    return node.store.tree(dataset.tree_root).present


@pytest.mark.parametrize("slot", [0, 3, 5])
async def test_a_slot_is_rebuilt_from_k_rows_and_no_others_are_kept(tmp_path, slot):
    rows = [row for row in range(6) if row != slot]
    async with cluster(tmp_path, rows) as (dataset, _, new, owned, trees):
        job = await new.rebuild(dataset, slot)
        assert (job.state, job.error) == ("complete", None)
        assert (job.read_blocks, job.written_blocks) == (4 * 10, 10)
        assert (job.done_blocks, job.total_blocks) == (10, 10)
        row = Geometry.of(dataset.manifest).row_range(slot)
        assert present(new, dataset) == RangeSet([(row.start, row.stop)])
        got = await new.store.read_range(dataset.tree_root, row.start, len(row))
        assert got == owned[row.start * BLOCK : row.stop * BLOCK]
        assert new.slots.trees == {(dataset.tree_root, slot): trees[dataset.tree_root, slot]}
        kept = await new.store.dataset(dataset.manifest_cid)
        assert held_slots(kept) == [slot]
        assert new.store.space().quota_used_bytes < 11 * BLOCK + len(kept.manifest_bytes)
        await assert_sound(new.store)


async def test_two_slots_are_rebuilt_with_one_read_of_k_rows(tmp_path):
    async with cluster(tmp_path, [0, 2, 3, 5]) as (dataset, _, new, owned, _):
        job = await new.rebuild(dataset, 4, 1)
        assert (job.state, job.error) == ("complete", None)
        assert (job.read_blocks, job.remote_blocks, job.written_blocks) == (40, 40, 20)
        assert present(new, dataset) == RangeSet([(10, 20), (40, 50)])
        for start in (10, 40):
            got = await new.store.read_range(dataset.tree_root, start, 10)
            assert got == owned[start * BLOCK : (start + 10) * BLOCK]


async def test_padding_is_neither_read_nor_written(tmp_path):
    size = 37 * BLOCK  # row 3 ends with three pads
    async with cluster(tmp_path, [0, 1, 2, 4], size=size) as (dataset, _, new, _, _):
        job = await new.rebuild(dataset, 3)
        assert (job.state, job.error) == ("complete", None)
        assert (job.read_blocks, job.written_blocks) == (4 * 7, 7)


async def test_a_holder_of_rows_reads_them_from_its_disk(tmp_path):
    async with cluster(tmp_path, [0, 1, 2, 3]) as (dataset, holders, _, _, _):
        await holders[0].connect(*holders[1:])
        job = await holders[0].rebuild(dataset, 5)
        assert (job.state, job.read_blocks, job.remote_blocks) == ("complete", 40, 30)
        assert held_slots(await holders[0].store.dataset(dataset.manifest_cid)) == [0, 5]


async def test_what_was_computed_before_is_not_computed_again(tmp_path):
    async with cluster(tmp_path, [0, 1, 2, 3]) as (dataset, _, new, owned, _):
        await new.store.put_manifest(dataset.manifest_bytes, RetentionRoot("pin", "", None))
        await new.exchange.fetch_leaves(dataset, soon())
        await new.store.put_block_range(dataset.tree_root, 50, owned[50 * BLOCK : 57 * BLOCK])
        await new.store.flush()
        job = await new.rebuild(dataset, 5)
        assert (job.state, job.done_blocks) == ("complete", 10)
        assert (job.read_blocks, job.written_blocks) == (4 * 3, 3)


async def test_too_few_rows_fail_with_what_is_lacking_and_can_be_asked_for_again(tmp_path):
    async with cluster(tmp_path, [0, 1, 4], idle_seconds=0.8) as (dataset, holders, new, _, _):
        job = await new.rebuild(dataset, 5)
        assert (job.state, job.written_blocks) == ("failed", 0)
        assert "rows 2, 3 and 5 have no holder" in job.error.message
        assert "4 of the 6 rows are needed and only 3 can be had" in job.error.message
        assert "peer-holder-0 (sent blocks" in job.error.message
        assert held_slots(await new.store.dataset(dataset.manifest_cid)) == []
        assert (await holders[0].rebuild(dataset, 5)).state == "failed"


async def test_a_wrongly_coded_dataset_is_refused_by_its_column(tmp_path):
    made = coded(40, 4, 2, spoilt=[(4, 6)])
    network = make_network()
    async with AsyncExitStack() as stack:
        holder = await SlotNode.open(network, tmp_path, "holder")
        stack.push_async_callback(holder.close)
        new = await SlotNode.open(network, tmp_path, "new")
        stack.push_async_callback(new.close)
        await new.connect(holder)
        dataset = await holder.store.put_manifest(made.manifest, RetentionRoot("pin", "", None))
        await holder.store.put_leaves(made.root, made.nodes[: 60 * 32])
        await holder.store.put_block_range(made.root, 0, made.blocks[: 40 * BLOCK])
        await holder.store.flush()
        job = await new.rebuild(dataset, 4)
        assert job.state == "failed"
        assert isinstance(job.error, MalEncoded)
        assert job.error.facts["column"] == 6
        assert (await new.rebuild(dataset, 5)).state == "complete"


async def test_a_slot_root_that_is_not_the_blocks_own_is_refused(tmp_path):
    async with cluster(tmp_path, [0, 1, 2, 3]) as (dataset, _, new, _, _):
        protection = dataset.manifest.protection
        roots = list(protection.verification.slot_roots)
        roots[5] = roots[0]
        false = replace(
            dataset.manifest,
            protection=replace(
                protection,
                verification=replace(protection.verification, slot_roots=tuple(roots)),
            ),
        )
        root = RetentionRoot("pin", "", None)
        other = await new.store.put_manifest(encode_manifest(false), root)
        job = await new.rebuild(other, 5)
        assert job.state == "failed"
        assert isinstance(job.error, BadManifest)
        assert held_slots(await new.store.dataset(other.manifest_cid)) == []


async def test_a_job_is_cancelled_joined_and_not_doubled(tmp_path):
    async with cluster(tmp_path, [0, 1, 4], idle_seconds=20) as (dataset, _, new, _, _):
        cid = dataset.manifest_cid
        job = await new.rebuilds.start(cid, [5, 2], 5.0)
        assert await new.rebuilds.start(cid, [2, 5], 5.0) is job
        await until(lambda: job.state == "rebuilding")
        with pytest.raises(Busy, match="row 5"):
            await new.rebuilds.start(cid, [5], 5.0)
        assert new.rebuilds.of(cid, 2) is job
        assert await new.rebuilds.cancel(job)
        assert (job.state, await new.rebuilds.cancel(job)) == ("cancelled", False)


async def test_after_the_stop_nothing_new_begins(tmp_path):
    async with cluster(tmp_path, [0, 1, 4], idle_seconds=20) as (dataset, _, new, _, _):
        job = await new.rebuilds.start(dataset.manifest_cid, [5], 5.0)
        await new.rebuilds.stop()
        assert job.state == "cancelled"
        with pytest.raises(Busy, match="stopping"):
            await new.rebuilds.start(dataset.manifest_cid, [5], 5.0)


@pytest.mark.parametrize(
    ("slots", "problem"),
    [([], "name the slots"), ([1, 1], "each once"), ([6], "slot 6"), ([0, 1, 2], "loss of 2")],
)
async def test_slots_that_cannot_be_rebuilt_are_refused_at_once(tmp_path, slots, problem):
    async with cluster(tmp_path, [0]) as (dataset, holders, _, _, _):
        with pytest.raises(InputError, match=problem):
            await holders[0].rebuilds.start(dataset.manifest_cid, slots, 1.0)
        assert holders[0].rebuilds.all() == []


async def test_a_plain_dataset_and_what_is_no_dataset_are_refused(tmp_path):
    async with cluster(tmp_path, [0]) as (dataset, holders, _, _, _):
        with pytest.raises(NotAManifest):
            await holders[0].rebuilds.start(block_cid(bytes(32)), [0], 1.0)
        plain = replace(dataset, manifest=replace(dataset.manifest, protection=None))
        with pytest.raises(InputError, match="not protected"):
            check_rebuild(plain, [0])
