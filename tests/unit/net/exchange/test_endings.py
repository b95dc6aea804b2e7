"""How fetches end: with the node, or by themselves, leaving nothing behind."""

from __future__ import annotations

import asyncio

import pytest

from quire.base.errors import (
    Busy,
    PeerGone,
)
from quire.base.ranges import RangeSet
from quire.formats.cid import block_cid, manifest_cid
from support.exchange_nodes import QUICK, fetch_all, soon, until, world
from support.memory_store import random_bytes

MIB = 1 << 20


async def test_stopping_the_node_ends_all_waits() -> None:
    async with world() as w:
        host, seed = await w.node("host", QUICK), await w.node("seed")
        dataset = seed.store.add(random_bytes(4 * MIB), present=RangeSet([(0, 1)]))
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        waits = [
            asyncio.ensure_future(host.exchange.fetch(got).wait(None)),
            asyncio.ensure_future(host.exchange.ensure(got, 3, 1, soon())),
            asyncio.ensure_future(host.exchange.fetch_manifest(manifest_cid(b"unknown"), soon())),
        ]
        await until(lambda: len(host.waits.of()) >= 3)
        await host.exchange.stop()
        for wait in waits:
            with pytest.raises(PeerGone):
                await wait
        assert host.waits.of() == []


async def test_a_stopped_exchange_begins_nothing_new() -> None:
    async with world() as w:
        seed, host = await w.node("seed"), await w.node("host")
        dataset = seed.store.add(random_bytes(5000))
        await w.connect(host, seed)
        known = await host.exchange.fetch_manifest(dataset.manifest_cid, soon())
        await host.exchange.stop()
        with pytest.raises(Busy):
            host.exchange.fetch(known)
        with pytest.raises(Busy):
            await host.exchange.fetch_block(block_cid(bytes(32)), soon())


async def test_nothing_runs_on_after_a_fetch_has_ended() -> None:
    async with world() as w:
        host, seed = await w.node("host"), await w.node("seed")
        datasets = [seed.store.add(random_bytes(100_000, seed=n)) for n in range(5)]
        await w.connect(host, seed)
        await fetch_all(host, datasets[0].manifest_cid, random_bytes(100_000, seed=0))
        before = len(asyncio.all_tasks())
        for number, dataset in enumerate(datasets):
            await fetch_all(host, dataset.manifest_cid, random_bytes(100_000, seed=number))
        await until(lambda: len(asyncio.all_tasks()) <= before)
