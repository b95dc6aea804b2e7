"""Of several lost slots the first new host computes all, and the others fetch theirs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quire.base.clock import SystemClock
from quire.chain.abi import request_id, slot_id
from quire.chain.memory.market import MemoryMarket
from quire.chain.terms import LazyRepair
from quire.chain.values import StorageRequest
from quire.flow.rebuild import SPARE_SECONDS
from quire.flow.slot_state import held_slots
from quire.market.sale import Deal, Sale
from quire.services.slot_keeping import KeepingPorts, SlotKeeping
from quire.store.dataset import Dataset
from support.exchange_nodes import until
from support.memory_world import HOST, OTHER, PROOF, a_world
from support.networks import make_network
from support.selling import CLIENT, request_for
from support.slot_cluster import cluster
from support.slot_kit import BLOCK, SlotNode

LAZY = LazyRepair(threshold=2, max_delay=1000)
LOST = (1, 4)
LEFT = (0, 2, 3, 5)
ROW = 10  # blocks


class Town:
    """A request whose slots 1 and 4 were lost, both open for repair."""

    def __init__(self, dataset: Dataset, lazy: LazyRepair) -> None:
        self.world = a_world(lazy_repair=lazy)
        self.world.mint(CLIENT, 10**15)
        self.dataset = dataset
        self.request: StorageRequest = request_for(dataset)
        self.id = request_id(self.request)

    async def lose(self) -> None:
        client, host = self.market(CLIENT), self.market(HOST)
        await client.request_storage(self.request)
        for slot in range(6):
            await host.reserve_slot(self.id, slot)
            await host.fill_slot(self.id, slot, PROOF)
        for slot in LOST:
            await host.free_slot(slot_id(self.id, slot))

    def market(self, account: bytes) -> MemoryMarket:
        return MemoryMarket(self.world, account, SystemClock())

    def keeping(self, node: SlotNode) -> SlotKeeping:
        ports = KeepingPorts(node.store, node.fetches, node.holds, node.rebuilds)
        market = self.market(OTHER)
        return SlotKeeping(ports, SystemClock(), market, node.events, patience_seconds=0.2)

    def sale(self, slot: int) -> Sale:
        end = int(self.market(OTHER).clock.now()) + 1200
        deal = replace(Deal.of(self.request, end - 900, end), is_repair=True)
        return Sale(self.id, slot, slot_id(self.id, slot), deal=deal)

    async def get(self, node: SlotNode, slot: int) -> list[int]:
        """The host's way to its slot; what it told about how far it is."""
        told: list[int] = []
        await self.keeping(node).get(self.sale(slot), self.request, told.append)
        return told


async def lost_town(dataset: Dataset, lazy: LazyRepair = LAZY) -> Town:
    town = Town(dataset, lazy)
    await town.lose()
    return town


async def held(node: SlotNode, dataset: Dataset) -> list[int]:
    return held_slots(await node.store.dataset(dataset.manifest_cid))


async def seconds_of(node: SlotNode, dataset: Dataset, slot: int) -> float:
    """For how many seconds a slot is held yet."""
    found = await node.store.dataset(dataset.manifest_cid)
    [root] = [root for root in found.roots if (root.kind, root.name) == ("slot", str(slot))]
    return root.expires_at - SystemClock().now()


async def test_k_rows_are_read_once_and_the_second_host_downloads_a_plain_slot(tmp_path) -> None:
    network = make_network()
    async with cluster(tmp_path, LEFT, network=network) as (dataset, holders, first, _, _):
        town = await lost_town(dataset)
        told = await town.get(first, 1)
        assert max(told) <= ROW * BLOCK
        [job] = first.rebuilds.all()
        assert (job.slots, job.spare) == (LOST, (4,))
        assert (job.read_blocks, job.written_blocks) == (4 * ROW, 2 * ROW)
        assert await held(first, dataset) == [1, 4]
        assert await seconds_of(first, dataset, 1) > 86_400
        assert SPARE_SECONDS - 60 < await seconds_of(first, dataset, 4) <= SPARE_SECONDS
        for holder in holders:  # nothing but the first new host is left
            await holder.transport.stop(0.0)
        second = await SlotNode.open(network, tmp_path, "second")
        try:
            await second.connect(first)
            await town.get(second, 4)
            assert await held(second, dataset) == [4]
            assert second.rebuilds.all() == []
        finally:
            await second.close()


@pytest.mark.parametrize("lazy", [LazyRepair(1, 1000), LazyRepair(2, 0)], ids=["one", "eager"])
async def test_where_slots_open_one_by_one_only_the_own_is_computed(tmp_path, lazy) -> None:
    async with cluster(tmp_path, LEFT) as (dataset, _, first, _, _):
        town = await lost_town(dataset, lazy)
        await town.get(first, 1)
        [job] = first.rebuilds.all()
        assert (job.slots, job.spare) == ((1,), ())
        assert await held(first, dataset) == [1]


async def test_without_room_only_the_own_slot_is_computed(tmp_path) -> None:
    async with cluster(tmp_path, LEFT) as (dataset, _, first, _, _):
        town = await lost_town(dataset)
        space = first.store.space()
        first.store.offer(space.quota_max_bytes - space.quota_used_bytes - (ROW + 3) * BLOCK)
        await town.get(first, 1)
        [job] = first.rebuilds.all()
        assert job.slots == (1,)
        assert await held(first, dataset) == [1]


async def test_when_not_all_can_be_computed_the_own_slot_is(tmp_path) -> None:
    """Row 4 is needed and there, though the contract says that its host lost it."""
    rows = (0, 2, 3, 4)
    async with cluster(tmp_path, rows, idle_seconds=3.0) as (dataset, _, first, _, _):
        town = await lost_town(dataset)
        await town.get(first, 1)
        both, alone = first.rebuilds.all()
        assert (both.slots, both.state) == (LOST, "failed")
        assert (alone.slots, alone.state) == ((1,), "complete")
        assert await held(first, dataset) == [1]


async def test_a_node_that_sells_both_computes_them_once_and_keeps_both(tmp_path) -> None:
    async with cluster(tmp_path, LEFT) as (dataset, _, first, _, _):
        town = await lost_town(dataset)
        await asyncio.gather(*(town.get(first, slot) for slot in LOST))
        complete = [job for job in first.rebuilds.all() if job.state == "complete"]
        assert sum(job.read_blocks for job in complete) == 4 * ROW
        assert await held(first, dataset) == [1, 4]
        for slot in LOST:
            assert await seconds_of(first, dataset, slot) > 86_400


async def test_a_sale_that_ends_does_not_stop_what_another_needs(tmp_path) -> None:
    async with cluster(tmp_path, LEFT) as (dataset, _, first, _, _):
        town = await lost_town(dataset)
        getting = asyncio.create_task(town.get(first, 1))
        await until(lambda: first.rebuilds.all())
        await town.keeping(first).drop(town.sale(4), [town.sale(1)])
        await getting
        [job] = first.rebuilds.all()
        assert job.state == "complete"
        assert await seconds_of(first, dataset, 1) > 86_400
