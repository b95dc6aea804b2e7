"""The exchange over the real store: what was fetched is served on, with proofs, even in part."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import QuotaExceeded
from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.net.discovery import Finder
from quire.net.exchange.engine import Exchange
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.store.open import open_store
from quire.store.store import Store
from support.exchange_nodes import PROTOCOL, soon
from support.memory_store import random_bytes
from support.networks import make_network, make_transport

MIB = 1 << 20


class Host:
    """A node on a directory."""

    def __init__(self, transport: MemoryTransport, store: Store, exchange: Exchange) -> None:
        self.transport, self.store, self.exchange = transport, store, exchange

    @classmethod
    async def open(
        cls, network: MemoryNetwork, directory: Path, name: str, quota_bytes: int = 1 << 30
    ) -> Host:
        clock, rng = SystemClock(), seeded_rng(1)
        events, transport = EventBus(clock), make_transport(network, name)
        store = await open_store(
            directory / name, quota_bytes=quota_bytes, clock=clock, events=events, default_ttl=None
        )
        exchange = Exchange(
            transport,
            store,
            Finder(transport, clock, rng, events),
            clock=clock,
            rng=rng,
            events=events,
            waits=Waits(clock),
            protocol_id=PROTOCOL,
        )
        await transport.start()
        await exchange.start()
        return cls(transport, store, exchange)

    async def connect(self, other: Host) -> None:
        await self.transport.dial(
            other.transport.peer_id, other.transport.listen_addresses(), soon()
        )

    async def close(self) -> None:
        await self.exchange.stop()
        await self.transport.stop(soon())
        await self.store.close()


async def test_a_dataset_outlives_its_first_holder(tmp_path: Path) -> None:
    network = make_network()
    client, one, two = [await Host.open(network, tmp_path, name) for name in ("c", "h1", "h2")]
    data = random_bytes(6 * MIB + 123)
    upload = client.store.begin_upload()
    await upload.write(data)
    dataset = await upload.commit()

    await one.connect(client)
    copy = await one.exchange.fetch_manifest(dataset.manifest_cid, soon())
    await one.exchange.fetch(copy).wait(soon())
    await client.close()
    await two.connect(one)
    last = await two.exchange.fetch_manifest(dataset.manifest_cid, soon())
    await two.exchange.fetch(last).wait(soon())

    blocks = await two.store.read_range(last.tree_root, 0, last.block_count)
    assert blocks[: len(data)] == data
    for host in (one, two):
        await host.close()


async def test_a_partial_copy_is_served_on_with_proofs(tmp_path: Path) -> None:
    network = make_network()
    seed, middle, last = [await Host.open(network, tmp_path, name) for name in ("s", "m", "l")]
    data = random_bytes(8 * MIB)
    upload = seed.store.begin_upload()
    await upload.write(data)
    dataset = await upload.commit()

    await middle.connect(seed)
    part = await middle.exchange.fetch_manifest(dataset.manifest_cid, soon())
    await middle.exchange.ensure(part, 20, 50, soon())
    await seed.close()
    await last.connect(middle)
    got = await last.exchange.fetch_manifest(dataset.manifest_cid, soon())
    await last.exchange.ensure(got, 30, 25, soon())

    blocks = await last.store.read_range(got.tree_root, 30, 25)
    assert blocks == data[30 * 65536 : 55 * 65536]
    for host in (middle, last):
        await host.close()


async def test_a_full_quota_ends_the_fetch_with_its_error(tmp_path: Path) -> None:
    network = make_network()
    seed = await Host.open(network, tmp_path, "s")
    host = await Host.open(network, tmp_path, "h", quota_bytes=2 * MIB)
    upload = seed.store.begin_upload()
    await upload.write(random_bytes(8 * MIB))
    dataset = await upload.commit()
    await host.connect(seed)

    with pytest.raises(QuotaExceeded):  # noqa: PT012
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        await host.exchange.fetch(got).wait(soon())

    for node in (seed, host):
        await node.close()
    assert len(asyncio.all_tasks()) == 1
