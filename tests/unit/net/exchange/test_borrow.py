"""Blocks are borrowed: got as in any fetch, handed over, and not kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from quire.base.errors import Busy, DeadlineExceeded, PeerGone
from quire.base.ranges import RangeSet
from quire.net.exchange.borrow import Borrow
from quire.store.dataset import Dataset
from support.exchange_nodes import QUICK, Node, World, soon, until, world
from support.memory_store import random_bytes

BLOCK = 65536
DATA = random_bytes(32 * BLOCK)


@asynccontextmanager
async def borrowing(
    *parts: RangeSet,
) -> AsyncIterator[tuple[World, Node, Dataset, Borrow, list[Node]]]:
    """A node that knows holders of these parts, and borrows."""
    async with world() as it:
        holders = []
        for number, part in enumerate(parts):
            holder = await it.node(f"holder-{number}", QUICK)
            dataset = holder.store.add(DATA, present=part)
            holders.append(holder)
        node = await it.node("node", QUICK)
        node.store.register(dataset.manifest_bytes)
        await it.connect(node, *holders)
        borrow = node.exchange.borrow(dataset)
        try:
            yield it, node, dataset, borrow, holders
        finally:
            await borrow.close()


async def test_blocks_are_handed_over_verified_and_nothing_is_kept() -> None:
    everything = RangeSet([(0, 32)])
    async with borrowing(everything, everything) as (_, node, dataset, borrow, _):
        reads = [borrow.read(start, 8, soon()) for start in (0, 8, 16, 24)]
        assert b"".join(await asyncio.gather(*reads)) == DATA
        assert borrow.received_blocks == 32
        assert not node.store.tree(dataset.tree_root).present
        assert node.store.put_ranges == []
        assert node.exchange.bytes_in_flight == 0


async def test_the_same_blocks_are_asked_for_again_when_they_are_read_again() -> None:
    async with borrowing(RangeSet([(0, 32)])) as (_, node, _, borrow, holders):
        for _ in range(2):
            assert await borrow.read(3, 2, soon()) == DATA[3 * BLOCK : 5 * BLOCK]
        account = node.exchange.ledger.of(holders[0].peer)
        assert account.received_bytes == 4 * BLOCK


async def test_a_borrow_and_a_fetch_of_the_same_tree_do_not_disturb_each_other() -> None:
    async with borrowing(RangeSet([(0, 32)])) as (_, node, dataset, borrow, _):
        job = node.exchange.fetch(dataset)
        assert await borrow.read(0, 4, soon()) == DATA[: 4 * BLOCK]
        await job.wait(soon())
        assert node.store.content(dataset) == DATA
        assert await borrow.read(4, 4, soon()) == DATA[4 * BLOCK : 8 * BLOCK]


async def test_what_holders_gain_meanwhile_is_heard_of() -> None:
    async with borrowing(RangeSet([(0, 4)])) as (_, node, dataset, borrow, holders):
        reading = asyncio.ensure_future(borrow.read(0, 8, soon()))
        await until(lambda: bool(borrow.outlook().held))
        assert borrow.outlook().held == RangeSet([(0, 4)])
        holders[0].store.hold(dataset.tree_root, 4, 8)
        assert await reading == DATA[: 8 * BLOCK]
        assert node.exchange.banned() == []


async def test_blocks_that_nobody_has_are_an_error_in_time() -> None:
    async with borrowing(RangeSet([(0, 4)])) as (_, _, _, borrow, _):
        with pytest.raises(DeadlineExceeded, match="missing"):
            await borrow.read(2, 4, soon(0.3))
        assert await borrow.read(2, 2, soon()) == DATA[2 * BLOCK : 4 * BLOCK]
        outlook = borrow.outlook()
        assert outlook.held == outlook.awake == RangeSet([(0, 4)])


async def test_a_read_that_is_given_up_asks_for_no_more() -> None:
    async with borrowing(RangeSet([(0, 4)])) as (_, node, _, borrow, _):
        reading = asyncio.ensure_future(borrow.read(0, 32, soon()))
        await until(lambda: bool(borrow.outlook().held))
        reading.cancel()
        await asyncio.wait([reading])
        await until(lambda: node.exchange.bytes_in_flight == 0)
        assert node.exchange.missing_blocks() == 0


async def test_when_the_node_stops_whoever_reads_is_told() -> None:
    async with borrowing(RangeSet([(0, 4)])) as (_, node, _, borrow, _):
        reading = asyncio.ensure_future(borrow.read(0, 8, soon()))
        await until(lambda: bool(borrow.outlook().held))
        await node.exchange.stop()
        with pytest.raises(PeerGone, match="stops"):
            await reading
        with pytest.raises(Busy):
            await borrow.read(0, 1, soon())
