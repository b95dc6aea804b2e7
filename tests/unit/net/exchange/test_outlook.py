"""What peers can be expected to deliver, and blocks that come in another way."""

from __future__ import annotations

import asyncio

from quire.base.ranges import RangeSet
from quire.formats.exchange import HaveReply, HaveRequest, Status
from quire.net.exchange.limits import ExchangeLimits
from support.exchange_nodes import answering, soon, until, world
from support.memory_store import random_bytes

BLOCK = 65536
DATA = random_bytes(16 * BLOCK)
PATIENT = ExchangeLimits(late_first_seconds=0.05, timeout_first_seconds=60.0)


def silent(request):
    """Says that it has everything, and gives nothing."""
    if isinstance(request, HaveRequest):
        return [HaveReply(request.id, Status.OK, 16, RangeSet([(0, 16)]), BLOCK)]
    return None


async def test_a_peer_that_is_late_is_not_prompt_and_rests_when_blocks_came_otherwise() -> None:
    async with world() as it:
        node = await it.node("node", PATIENT)
        dataset = node.store.add(DATA, present=RangeSet())
        await it.connect(node, await it.stranger("silent", answering(silent)))
        assert node.exchange.outlook(dataset) is None
        waiting = asyncio.ensure_future(node.exchange.ensure(dataset, 0, 2, soon()))
        await until(lambda: node.exchange.outlook(dataset) is not None)

        def outlook():
            return node.exchange.outlook(dataset)

        await until(lambda: bool(outlook().held))
        assert outlook().held == RangeSet([(0, 16)])
        await until(lambda: not outlook().prompt)
        assert outlook().awake == outlook().held
        node.store.hold(dataset.tree_root, 0, 2)
        node.exchange.arrived(dataset, 0, 2)
        await waiting
        assert not outlook().awake  # it was overtaken, and rests
        assert outlook().done == RangeSet([(0, 2)])
        assert node.exchange.bytes_in_flight == 0
        assert node.exchange.banned() == []


async def test_an_outlook_is_settled_when_everybody_was_heard() -> None:
    async with world() as it:
        holder = await it.node("holder")
        dataset = holder.store.add(DATA, present=RangeSet([(0, 4)]))
        node = await it.node("node", ExchangeLimits(settle_seconds=60.0))
        node.store.register(dataset.manifest_bytes)
        await it.connect(node, holder)
        waiting = asyncio.ensure_future(node.exchange.ensure(dataset, 0, 8, soon()))
        await asyncio.sleep(0)  # it has begun, and heard nobody yet
        assert not node.exchange.outlook(dataset).is_settled
        await until(lambda: node.exchange.outlook(dataset).is_settled)
        assert node.exchange.outlook(dataset).held == RangeSet([(0, 4)])
        await until(lambda: node.exchange.outlook(dataset).speed(0, 4))  # once something came
        assert node.exchange.outlook(dataset).speed(8, 16) is None
        waiting.cancel()
        await asyncio.wait([waiting])


async def test_blocks_that_arrive_without_a_fetch_concern_nobody() -> None:
    async with world() as it:
        node = await it.node("node")
        dataset = node.store.add(DATA)
        node.exchange.arrived(dataset, 0, 4)
        assert node.exchange.outlook(dataset) is None
        assert node.exchange.changed(dataset) is None
