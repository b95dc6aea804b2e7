"""The validator of a node at the API, on the command line, in the metrics."""

from __future__ import annotations

import asyncio
import json

from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.faces.rest.route import QUIRE_BASE
from quire.market.validation import Share
from quire.services.validating import Validator
from quire.store.journal_memory import MemoryJournal
from support.command import quire
from support.http import send
from support.live import live_node
from support.memory_world import PROOF, VALIDATOR, a_request, a_world
from support.period_kit import Feed
from support.trading import Trader, trading_node


async def get(url, path="/validator"):
    reply = await send(url, "GET", QUIRE_BASE + path)
    return reply.status, reply.text


async def validating(trader: Trader) -> tuple[Validator, Feed]:
    """Have the node validate, with an account of its own."""
    market = MemoryMarket(trader.world, VALIDATOR)
    feed = Feed(market)
    validator = Validator(
        market, feed, MemoryJournal(trader.node.clock), share=Share(), events=trader.node.events
    )
    await validator.start()
    feed.start()
    trader.node.trading.validator = validator
    return validator, feed


async def fill_a_slot(world: MemoryWorld, host: bytes) -> None:
    client = MemoryMarket(world, VALIDATOR)
    request = a_request(VALIDATOR)
    await client.request_storage(request)
    market = MemoryMarket(world, host)
    [request_id] = await client.my_requests()
    await market.reserve_slot(request_id, 0)
    await market.fill_slot(request_id, 0, PROOF)


async def test_a_validator_tells_what_it_watches_and_has_marked(tmp_path):
    world = a_world()
    async with trading_node(tmp_path, world) as trader:
        validator, feed = await validating(trader)
        try:
            await fill_a_slot(world, bytes([0xA2]) * 20)
            async with asyncio.timeout(30):
                while not validator.counts.marked:
                    world.mine()
                    await asyncio.sleep(0.01)
            status, text = await get(trader.url)
            found = json.loads(text)
            assert status == 200
            assert (found["marked"], found["slots"], found["ready"]) == (1, 1, True)
            assert (found["maxSlots"], found["groups"], found["groupIndex"]) == (1000, 0, 0)
            assert found["nextWindowAt"] == world.terms.period_end(found["period"]) + 1
            _, metrics = await get(trader.url, "/metrics")
            assert "quire_validator_marked_total 1.0" in metrics
            assert "quire_validator_slots 1.0" in metrics
            shown = await asyncio.to_thread(quire, "validator", api=trader.url)
            assert b"watches 1 slots" in shown.out
            assert b"marked 1 missing proofs in 1 transactions" in shown.out
            told = await asyncio.to_thread(quire, "validator", "--json", api=trader.url)
            assert told.json["marked"] == 1
        finally:
            feed.stop()
            await validator.stop()


async def test_a_node_that_does_not_validate_says_how_to(tmp_path):
    async with trading_node(tmp_path) as trader:
        status, text = await get(trader.url)
        assert status == 404
        assert "--validator" in text
        shown = await asyncio.to_thread(quire, "validator", api=trader.url)
        assert shown.code == 3
        assert "--validator" in shown.err


async def test_a_node_without_a_chain_says_so(tmp_path):
    async with live_node(tmp_path) as (_, url):
        status, text = await get(url)
        assert status == 503
        assert "Persistence is not enabled" in text
