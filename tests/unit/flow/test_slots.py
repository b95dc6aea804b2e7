"""Slots are taken, checked, held, found by others, and given up."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from quire.base.errors import BadManifest, Busy, DeadlineExceeded, InputError
from quire.base.ranges import RangeSet
from quire.dataset.geometry import Geometry
from quire.flow.fetch import NotAManifest
from quire.flow.slot_state import held_slots
from quire.flow.slots import SlotHolds
from quire.formats.manifest import encode_manifest
from quire.net.exchange.leaf_hunt import LeavesUnknown
from quire.store.dataset import RetentionRoot
from support.exchange_nodes import soon, until
from support.networks import make_network
from support.protect_kit import det
from support.slot_kit import BLOCK, SlotNode, protect
from support.store_kit import assert_sound

SIZE = 18 * BLOCK - 100  # 18 blocks and two pads in four rows of five; two rows of parity


@asynccontextmanager
async def nodes(tmp_path, *names, **options):
    """Nodes of these names; the first knows all others."""
    network = make_network()
    async with AsyncExitStack() as stack:
        opened = []
        for name in names:
            node = await SlotNode.open(network, tmp_path, name, **options)
            stack.push_async_callback(node.close)
            opened.append(node)
        await opened[0].connect(*opened[1:])
        yield opened


def present(node, dataset):
    return list(node.store.tree(dataset.tree_root).present)


@pytest.mark.parametrize("slot", range(6))
async def test_a_slot_is_taken_with_its_blocks_its_tree_and_the_list_of_leaves(tmp_path, slot):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        job = await host.take(dataset, slot)
        assert (job.state, job.error) == ("held", None)
        row = Geometry.of(dataset.manifest).row_range(slot)
        assert present(host, dataset) == list(RangeSet([(18, 20), (row.start, row.stop)]))
        expected = await owner.store.read_range(dataset.tree_root, row.start, len(row))
        assert await host.store.read_range(dataset.tree_root, row.start, len(row)) == expected
        assert host.slots.trees == {
            (dataset.tree_root, slot): owner.slots.trees[dataset.tree_root, slot]
        }
        known = await host.store.leaves(dataset.tree_root)
        assert known == await owner.store.leaves(dataset.tree_root)
        copy = await host.store.dataset(dataset.manifest_cid)
        assert held_slots(copy) == [slot]
        assert RetentionRoot("slot", str(slot), None) in copy.roots
        state = await host.holds.state(dataset.manifest_cid, slot)
        stored = 3 if slot == 3 else 5
        assert (state.state, state.is_held) == ("held", True)
        assert state.verified_bytes == state.total_bytes == stored * BLOCK
        kinds = [event.kind for event in host.events.history(str(dataset.manifest_cid))]
        assert kinds[0] == "slot.started"
        assert kinds[-1] == "slot.held"
        await assert_sound(host.store)


async def test_six_nodes_hold_a_slot_each_and_a_reader_finds_them_when_the_owner_is_gone(tmp_path):
    names = ("hub", *(f"host-{slot}" for slot in range(6)), "reader")
    async with nodes(tmp_path, *names) as (hub, *hosts, reader):
        owner = await SlotNode.open(hub.transport._network, tmp_path, "owner")
        await owner.connect(hub)
        dataset = await protect(owner, SIZE)
        geometry = Geometry.of(dataset.manifest)
        for slot, host in enumerate(hosts):
            assert (await host.take(dataset, slot)).state == "held"
        cid, tree = dataset.manifest_cid, dataset.manifest.tree_cid
        for host in hosts:  # the network knows that each has the manifest and a part of the tree
            await until(
                lambda host=host: (
                    {
                        item.cid
                        for item in host.announcer.status().items
                        if item.state == "published"
                    }
                    >= {cid, tree}
                )
            )
        await owner.close()
        copy = await reader.exchange.fetch_manifest(cid, soon())
        for row in range(geometry.k):
            leaves = geometry.row_range(row)
            await reader.exchange.ensure(copy, leaves.start, len(leaves), soon())
        blocks = await reader.store.read_range(copy.tree_root, 0, geometry.original_blocks)
        assert blocks[:SIZE] == det(SIZE)
        served = [reader.exchange.ledger.of(h.transport.peer_id).received_bytes for h in hosts]
        stored = [geometry.stored_blocks(row) * BLOCK for row in range(4)]
        manifest = len(copy.manifest_bytes)
        assert [bytes_ - bytes_ % BLOCK for bytes_ in served] == [*stored, 0, 0]
        assert all(bytes_ % BLOCK in (0, manifest) for bytes_ in served)
        # What nobody holds is known to be nowhere, and the list of leaves is still to be had.
        await reader.exchange.fetch_leaves(copy, soon())
        assert await reader.store.leaves(copy.tree_root) == await hosts[0].store.leaves(
            copy.tree_root
        )


async def test_a_holder_of_one_slot_gives_the_list_of_leaves_to_the_next(tmp_path):
    async with nodes(tmp_path, "one", "two") as (one, two):
        owner = await SlotNode.open(one.transport._network, tmp_path, "owner")
        await owner.connect(one)
        dataset = await protect(owner, SIZE)
        assert (await one.take(dataset, 0)).state == "held"
        await owner.close()
        assert (await two.take(dataset, 0)).state == "held"
        assert (await one.holds.state(dataset.manifest_cid, 1)).state == "absent"


async def test_a_slot_that_nobody_has_fails_in_words_and_goes_on_later(tmp_path):
    async with nodes(tmp_path, "one", "two", idle_seconds=0.3) as (one, two):
        owner = await SlotNode.open(one.transport._network, tmp_path, "owner")
        await owner.connect(one)
        dataset = await protect(owner, SIZE)
        await one.take(dataset, 0)
        await owner.transport.stop(soon())
        job = await two.take(dataset, 1)
        assert job.state == "failed"
        assert isinstance(job.error, DeadlineExceeded)
        state = await two.holds.state(dataset.manifest_cid, 1)
        assert (state.state, state.is_held, state.verified_bytes) == ("failed", False, 0)
        assert "nobody known has 5 blocks" in state.reason
        copy = await two.store.dataset(dataset.manifest_cid)
        assert held_slots(copy) == []
        assert await two.store.leaves(copy.tree_root) is not None  # is not asked for again
        await one.exchange.fetch_manifest(dataset.manifest_cid, soon())
        await one.store.put_block_range(
            dataset.tree_root, 5, await owner.store.read_range(dataset.tree_root, 5, 5)
        )
        await one.store.flush()
        assert (await two.take(dataset, 1)).state == "held"
        await owner.close()


async def test_without_a_list_of_leaves_no_slot_is_taken(tmp_path):
    async with nodes(tmp_path, "one", "two") as (one, two):
        owner = await SlotNode.open(one.transport._network, tmp_path, "owner")
        await owner.connect(one)
        dataset = await protect(owner, SIZE)
        part = await one.exchange.fetch_manifest(dataset.manifest_cid, soon())
        await one.exchange.ensure(part, 0, 5, soon())
        await owner.close()
        job = await two.take(dataset, 0, seconds=0.5)
        assert isinstance(job.error, LeavesUnknown | DeadlineExceeded)
        assert "NOT_HAVE when asked for the list of leaves" in job.error.message
        assert present(two, dataset) == [(18, 20)]


async def test_a_manifest_with_a_false_slot_root_is_found_out(tmp_path):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        protection = dataset.manifest.protection
        roots = protection.verification.slot_roots
        verification = replace(protection.verification, slot_roots=(roots[1], roots[0], *roots[2:]))
        false = replace(dataset.manifest, protection=replace(protection, verification=verification))
        lie = await owner.store.put_manifest(encode_manifest(false), RetentionRoot("pin", "", None))
        job = await host.take(lie, 0)
        assert isinstance(job.error, BadManifest)
        assert host.slots.trees == {}
        assert held_slots(await host.store.dataset(lie.manifest_cid)) == []
        assert (await host.take(dataset, 0)).state == "held"


async def test_all_who_want_a_slot_share_one_job(tmp_path):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        cid = dataset.manifest_cid
        jobs = [await host.holds.start(cid, 2, 5.0) for _ in range(3)]
        other = await host.holds.start(cid, 4, 5.0)
        assert jobs[0] is jobs[1] is jobs[2] is host.holds.of(cid, 2) is not other
        await until(lambda: jobs[0].has_ended and other.has_ended)
        again = await host.take(dataset, 2)
        assert again is not jobs[0]
        assert [job.state for job in (*jobs, other, again)] == ["held"] * 5
        copy = await host.store.dataset(cid)
        assert held_slots(copy) == [2, 4]
        states = [state.state for state in await host.holds.states(copy)]
        assert states == ["absent", "absent", "held", "absent", "held", "absent"]
        states = [state.state for state in await owner.holds.states(dataset)]
        assert states == ["stored"] * 6


async def test_dropping_one_of_two_slots_gives_its_space_back_and_keeps_the_other(tmp_path):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        for slot in (0, 5):
            await host.take(dataset, slot)
        assert await host.holds.drop(dataset.manifest_cid, 0)
        assert present(host, dataset) == [(18, 20), (25, 30)]
        assert list(host.slots.trees) == [(dataset.tree_root, 5)]
        assert host.store.space().total_blocks == 6
        copy = await host.store.dataset(dataset.manifest_cid)
        assert held_slots(copy) == [5]
        assert (await host.holds.state(dataset.manifest_cid, 0)).state == "absent"
        assert not await host.holds.drop(dataset.manifest_cid, 0)
        await assert_sound(host.store)
        assert (await host.take(dataset, 0)).state == "held"
        await assert_sound(host.store)


async def test_dropping_the_only_slot_frees_its_blocks_at_once(tmp_path):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        await host.take(dataset, 3)
        assert await host.holds.drop(dataset.manifest_cid, 3)
        assert host.store.space().total_blocks == 1  # the manifest, until the next collection
        assert await host.store.collect() == 1
        assert host.slots.trees == {}
        await assert_sound(host.store)


async def test_dropping_a_slot_takes_nothing_of_a_dataset_that_is_kept_otherwise(tmp_path):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        await host.take(dataset, 0)
        await host.store.retention.pin(dataset.manifest_cid, None)
        assert await host.holds.drop(dataset.manifest_cid, 0)
        assert (0, 5) in present(host, dataset)
        assert (await host.holds.state(dataset.manifest_cid, 0)).state == "stored"
        assert len(host.slots.trees) == 1
        assert not await owner.holds.drop(dataset.manifest_cid, 0)
        assert len(owner.slots.trees) == 6


async def test_what_is_held_is_known_after_a_restart_and_damage_is_seen(tmp_path):
    async with nodes(tmp_path, "owner") as (owner,):
        network = owner.transport._network
        dataset = await protect(owner, SIZE)
        host = await SlotNode.open(network, tmp_path, "host")
        await owner.connect(host)
        await host.take(dataset, 1)
        await host.close()
        host = await SlotNode.open(network, tmp_path, "host")
        assert (await host.holds.state(dataset.manifest_cid, 1)).state == "held"
        await host.store.shed(dataset.tree_root, 6, 2)
        state = await host.holds.state(dataset.manifest_cid, 1)
        assert (state.state, state.is_held) == ("damaged", True)
        assert state.total_bytes - state.verified_bytes == 2 * BLOCK
        await host.connect(owner)
        await host.take(dataset, 1)
        assert (await host.holds.state(dataset.manifest_cid, 1)).state == "held"
        await host.close()


async def test_a_slot_outlives_collections_and_goes_when_its_time_is_over(tmp_path):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        cid = dataset.manifest_cid
        await host.holds.start(cid, 0, 5.0, until=1.0)  # a time that is over
        await until(lambda: host.holds.of(cid, 0).has_ended)
        await host.take(dataset, 1)
        assert held_slots(await host.store.dataset(cid)) == [0, 1]
        assert await host.holds.expire() == 1
        assert await host.holds.expire() == 0
        assert held_slots(await host.store.dataset(cid)) == [1]
        assert present(host, dataset) == [(5, 10), (18, 20)]
        await host.store.release(cid, "cache", "exchange")
        assert await host.store.collect() == 0
        await assert_sound(host.store)
        assert await host.holds.drop(cid, 1)
        assert await host.store.collect() == 1
        assert host.store.tree(dataset.tree_root) is None
        await assert_sound(host.store)


async def test_a_slot_that_is_taken_anew_is_not_given_up_meanwhile(tmp_path, monkeypatch):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        cid = dataset.manifest_cid
        await host.holds.start(cid, 0, 5.0, until=1.0)
        await until(lambda: host.holds.of(cid, 0).has_ended)
        go, digests = asyncio.Event(), SlotHolds._digests

        async def slow(*arguments):
            await go.wait()
            return await digests(*arguments)

        monkeypatch.setattr(SlotHolds, "_digests", slow)
        job = await host.holds.start(cid, 0, 5.0)
        assert await host.holds.expire() == 0
        go.set()
        await until(lambda: job.has_ended)
        assert await host.holds.expire() == 0
        assert (await host.holds.state(cid, 0)).state == "held"


async def test_a_job_that_is_cancelled_holds_nothing_and_is_told(tmp_path):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        cid = dataset.manifest_cid
        job = await host.holds.start(cid, 0, 5.0)
        assert (await host.holds.state(cid, 0)).total_bytes is None
        assert await host.holds.cancel(cid, 0)
        assert job.state == "cancelled"
        assert not await host.holds.cancel(cid, 0)
        assert not await host.holds.cancel(cid, 1)
        assert await host.holds.drop(cid, 5) is False
        job = await host.holds.start(cid, 0, 5.0)
        await until(lambda: job.state in ("fetching", "hashing"))
        assert await host.holds.drop(cid, 0)
        assert job.state == "cancelled"
        assert present(host, dataset) == [(18, 20)]


async def test_what_is_no_slot_is_refused(tmp_path):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        plain = (await owner.store.datasets())[0]
        for slot in (-1, 6, 1 << 40):
            with pytest.raises(InputError, match="does not exist"):
                await owner.holds.start(dataset.manifest_cid, slot, 5.0)
            with pytest.raises(InputError, match="does not exist"):
                await owner.holds.state(dataset.manifest_cid, slot)
        job = await host.take(dataset, 6)
        assert isinstance(job.error, InputError)
        with pytest.raises(InputError, match="not protected"):
            await owner.holds.start(plain.manifest_cid, 0, 5.0)
        with pytest.raises(NotAManifest):
            await host.holds.start(dataset.manifest.tree_cid, 0, 5.0)
        assert await host.holds.state(plain.manifest_cid, 0) is None


async def test_a_node_that_stops_takes_nothing_new(tmp_path):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        job = await host.holds.start(dataset.manifest_cid, 0, 5.0)
        await host.holds.stop()
        assert job.state == "cancelled"
        with pytest.raises(Busy):
            await host.holds.start(dataset.manifest_cid, 0, 5.0)


async def test_ended_jobs_are_forgotten_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr("quire.flow.slots.KEPT_JOBS", 2)
    async with nodes(tmp_path, "owner") as (owner,):
        dataset = await protect(owner, SIZE)
        for slot in range(5):
            await owner.take(dataset, slot)
        assert [job.slot for job in owner.holds.all()] == [2, 3, 4]


async def test_blocks_that_go_bad_while_they_are_hashed_are_fetched_again(tmp_path, monkeypatch):
    async with nodes(tmp_path, "owner", "host") as (owner, host):
        dataset = await protect(owner, SIZE)
        digests, lost = SlotHolds._digests, []

        async def lossy(self, job, *rest):
            if not lost:
                lost.append(await host.store.shed(dataset.tree_root, 7, 1))
            return await digests(self, job, *rest)

        monkeypatch.setattr(SlotHolds, "_digests", lossy)
        assert (await host.take(dataset, 1)).state == "held"
        assert lost == [1]
        await asyncio.sleep(0)
