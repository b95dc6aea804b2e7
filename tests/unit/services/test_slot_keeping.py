"""The data of slots that are sold: whose it is, what is dropped, and what stays."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import BadManifest
from quire.chain.memory.market import MemoryMarket
from quire.chain.values import Content
from quire.market.sale import Deal, Sale
from quire.net.memory import MemoryNetwork
from quire.services.slot_keeping import KeepingPorts, SlotKeeping, check_request
from quire.store.dataset import Dataset, RetentionRoot
from support.live import memory_network
from support.memory_world import HOST, a_world
from support.selling import request_for
from support.slot_kit import SlotNode, protect

SLOT = 2


class Kept:
    """A host with its keeping, a client that has the dataset, and a request for it."""

    def __init__(self, host: SlotNode, dataset: Dataset) -> None:
        market = MemoryMarket(a_world(), HOST, SystemClock())
        ports = KeepingPorts(host.store, host.fetches, host.holds, host.rebuilds)
        self.host, self.dataset = host, dataset
        self.keeping = SlotKeeping(ports, SystemClock(), market, host.events, patience_seconds=0.2)
        self.request = request_for(dataset)
        end = int(market.clock.now()) + 1200
        deal = Deal.of(self.request, end - 900, end)
        self.sale = Sale(bytes(32), SLOT, bytes([7]) * 32, deal=deal)
        self.told: list[int] = []

    async def get(self, **deal: bool) -> None:
        sale = replace(self.sale, deal=replace(self.sale.deal, **deal))
        await self.keeping.get(sale, self.request, self.told.append)

    async def is_held(self) -> bool:
        state = await self.host.holds.state(self.dataset.manifest_cid, SLOT)
        return state is not None and state.is_held

    async def until(self) -> float | None:
        dataset = await self.host.store.dataset(self.dataset.manifest_cid)
        (root,) = [root for root in dataset.roots if root.kind == "slot"]
        return root.expires_at


@asynccontextmanager
async def keeping_in(directory: Path):
    network: MemoryNetwork = memory_network()
    client = await SlotNode.open(network, directory, "client")
    host = await SlotNode.open(network, directory, "host")
    try:
        dataset = await protect(client, 24 * 4096)
        await host.connect(client)
        yield Kept(host, dataset)
    finally:
        await host.close()
        await client.close()


async def test_a_slot_is_held_until_the_contract_is_over_for_certain(tmp_path) -> None:
    async with keeping_in(tmp_path) as kept:
        await kept.get()
        assert await kept.is_held()
        assert kept.told[-1] == 6 * 4096  # what is stored of it; the rest are pads
        left = await kept.until() - SystemClock().now()
        assert 86_400 + 1100 < left < 86_400 + 1300
        await kept.get()  # asked again, it is here


async def test_it_goes_with_the_sale_unless_another_sale_needs_it(tmp_path) -> None:
    async with keeping_in(tmp_path) as kept:
        await kept.get()
        other = replace(kept.sale, slot_id=bytes([8]) * 32, request_id=bytes([1]) * 32)
        await kept.keeping.drop(kept.sale, [other])
        assert await kept.is_held()
        await kept.keeping.drop(kept.sale, [replace(other, slot_index=SLOT + 1)])
        assert not await kept.is_held()
        await kept.keeping.drop(kept.sale, [])  # nothing is left to drop


async def test_what_somebody_holds_without_an_end_stays(tmp_path) -> None:
    async with keeping_in(tmp_path) as kept:
        await kept.get()
        await kept.host.store.retain(
            kept.dataset.manifest_cid, RetentionRoot("slot", str(SLOT), None)
        )
        await kept.keeping.drop(kept.sale, [])
        assert await kept.is_held()


async def test_a_sale_that_never_knew_its_data_drops_nothing(tmp_path) -> None:
    async with keeping_in(tmp_path) as kept:
        await kept.get()
        await kept.keeping.drop(replace(kept.sale, deal=None), [])
        bad = replace(kept.sale.deal, cid=b"no cid")
        await kept.keeping.drop(replace(kept.sale, deal=bad), [])
        assert await kept.is_held()


async def test_a_lost_slot_that_somebody_serves_is_fetched_and_not_computed(tmp_path) -> None:
    async with keeping_in(tmp_path) as kept:
        await kept.get(is_repair=True)
        assert await kept.is_held()
        assert kept.host.rebuilds.all() == []


@pytest.mark.parametrize(
    "change",
    [{"slots": 5}, {"slot_size": 1}, {"merkle_root": bytes(32)}],
    ids=lambda change: next(iter(change)),
)
async def test_a_request_that_does_not_describe_its_dataset_is_refused(tmp_path, change) -> None:
    async with keeping_in(tmp_path) as kept:
        request = kept.request
        if "merkle_root" in change:
            request = replace(request, content=Content(request.content.cid, **change))
        else:
            request = replace(request, ask=replace(request.ask, **change))
        with pytest.raises(BadManifest, match="the request is for"):
            check_request(kept.dataset, request)
        kept.request = request
        with pytest.raises(BadManifest):
            await kept.get()
        assert not await kept.is_held()


async def test_a_dataset_without_slot_roots_is_refused(tmp_path) -> None:
    async with keeping_in(tmp_path) as kept:
        protection = replace(kept.dataset.manifest.protection, verification=None)
        plain = replace(
            kept.dataset, manifest=replace(kept.dataset.manifest, protection=protection)
        )
        with pytest.raises(BadManifest, match="no slots"):
            check_request(plain, kept.request)
