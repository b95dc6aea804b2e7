"""Blocks that were computed for a reader stay, or go with the last reader, as the node is told."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest

from quire.base.ranges import RangeSet
from quire.base.waits import Waits
from quire.flow.assemble import Assembler
from quire.flow.download import Downloads
from quire.services.repair import Repairer
from quire.store.dataset import RetentionRoot
from support.networks import LoopClock, make_network
from support.protected import BLOCK, protect
from support.slot_kit import SlotNode
from support.slot_kit import protect as code_on
from support.store_kit import assert_sound

MADE = protect(40, 4, 2)
WHOLE = RangeSet([(0, 60)])


@asynccontextmanager
async def damaged(tmp_path, lost, *, drops=False):
    """A node that holds all rows but for lost blocks; its dataset and its assembler."""
    async with AsyncExitStack() as stack:
        node = await SlotNode.open(make_network(), tmp_path, "node")
        stack.push_async_callback(node.close)
        store = node.store
        dataset = await store.put_manifest(MADE.manifest, RetentionRoot("pin", "", None))
        await store.put_leaves(MADE.root, MADE.nodes[: 60 * 32])
        for start, stop in WHOLE.minus(lost):
            await store.put_block_range(MADE.root, start, MADE.blocks[start * BLOCK : stop * BLOCK])
        await store.flush()
        clock = LoopClock()
        shed = store.shed if drops else None
        assembler = Assembler(store, node.exchange, clock, node.events, Waits(clock), shed=shed)
        stack.push_async_callback(assembler.stop)
        yield node, dataset, assembler, Downloads(store, assembler, clock)


async def read(downloads, dataset):
    chunks = downloads.read(dataset, idle_seconds=0.5)
    return b"".join([bytes(chunk) async for chunk in chunks])


def present(node):
    return node.store.tree(MADE.root).present


async def test_computed_blocks_are_kept_by_default(tmp_path):
    lost = RangeSet([(3, 5), (17, 18)])
    async with damaged(tmp_path, lost) as (node, dataset, _, downloads):
        assert await read(downloads, dataset) == MADE.data
        assert present(node) == WHOLE
        await assert_sound(node.store)


async def test_computed_blocks_go_with_the_last_reader_when_that_is_set(tmp_path):
    lost = RangeSet([(3, 5), (17, 18)])
    async with damaged(tmp_path, lost, drops=True) as (node, dataset, _, downloads):
        async with aclosing(downloads.read(dataset, idle_seconds=0.5)) as chunks:
            first = bytes(await anext(chunks))
            assert await read(downloads, dataset) == MADE.data
            assert present(node) == WHOLE  # the first still reads
            assert first + b"".join([bytes(c) async for c in chunks]) == MADE.data
        assert present(node) == WHOLE.minus(lost)
        await assert_sound(node.store)


async def test_computed_blocks_stay_when_somebody_fetches_the_dataset_meanwhile(tmp_path):
    lost = RangeSet([(3, 5)])
    async with damaged(tmp_path, lost, drops=True) as (node, dataset, assembler, downloads):
        async with aclosing(downloads.read(dataset, idle_seconds=0.5)) as chunks:
            await anext(chunks)
            async with assembler.helping(dataset):
                pass
        assert present(node) == WHOLE


async def test_a_host_of_one_slot_gets_its_damage_back_and_keeps_no_other_slot(tmp_path):
    network = make_network()
    async with AsyncExitStack() as stack:
        nodes = []
        for name in ("owner", "host"):
            node = await SlotNode.open(network, tmp_path, name)
            stack.push_async_callback(node.close)
            nodes.append(node)
        owner, host = nodes
        await host.connect(owner)
        dataset = await code_on(owner, 40 * BLOCK)
        assert (await host.take(dataset, 2)).state == "held"
        await owner.store.shed(dataset.tree_root, 20, 10)  # nobody else has slot 2
        good = await host.store.read_range(dataset.tree_root, 20, 10)
        spoil(tmp_path / "host", good[3 * BLOCK : 4 * BLOCK])
        await host.store.scan(0, 1 << 30)
        slot = RangeSet([(20, 30)])
        assert host.store.tree(dataset.tree_root).present == slot.minus(RangeSet([(23, 24)]))
        clock = LoopClock()
        assembler = Assembler(host.store, host.exchange, clock, host.events, Waits(clock))
        stack.push_async_callback(assembler.stop)
        await Repairer(host.store, assembler, clock, host.events).repair()
        assert host.store.tree(dataset.tree_root).present == slot
        assert await host.store.read_range(dataset.tree_root, 20, 10) == good
        await assert_sound(host.store)


def spoil(directory, block):
    """Overwrite the beginning of a block, wherever it lies."""
    for pack in directory.rglob("pack-*"):
        content = bytearray(pack.read_bytes())
        at = content.find(block)
        if at >= 0:
            content[at : at + 8] = bytes(8)
            pack.write_bytes(content)
            return
    raise AssertionError("the block is not on the disk")


@pytest.mark.parametrize("lost", [[(0, 10)], [(5, 6), (25, 26)], [(40, 60)], [(9, 11)]])
async def test_damage_is_repaired_from_the_rows_that_are_here(tmp_path, lost):
    """Blocks of any rows, as long as four of six are left in every column."""
    async with damaged(tmp_path, RangeSet()) as (node, _, assembler, _):
        repairer = Repairer(node.store, assembler, LoopClock(), node.events)
        for start, stop in lost:
            for block in range(start, stop):
                spoil(tmp_path / "node", MADE.blocks[block * BLOCK : (block + 1) * BLOCK])
        await node.store.scan(0, 1 << 30)
        assert present(node) == WHOLE.minus(RangeSet(lost))
        await repairer.repair()
        assert present(node) == WHOLE
        assert await node.store.wounds() == []
        assert await node.store.read_range(MADE.root, 0, 60) == MADE.blocks
        assert "fetch.peer-joined" not in [e.kind for e in node.events.history()]
