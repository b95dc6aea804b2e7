"""Aggregators and their jobs at the API, on the command line, in the metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from quire.base.units import GIB, MIB
from quire.chain.abi import address_text
from quire.chain.memory.world import MemoryWorld
from quire.faces.rest.route import QUIRE_BASE
from quire.formats.aggregator_codes import Service
from quire.kernels.signing import address_of
from quire.services.aggregating.settings import AggregatorSettings
from support.command import quire
from support.http import send
from support.live import live_node, memory_network
from support.memory_world import RIGHT_NOW, TERMS
from support.retail_nodes import RetailNode, introduce, retail_node

CLIENT, AGGREGATOR = bytes([1]) * 32, bytes([2]) * 32
TERMS_OF_WORK = AggregatorSettings(
    services=(Service.ENCODE,), encode_price=1024 * 1000, first_percent=60, max_bytes=64 * MIB
)


@dataclass
class Town:
    client: RetailNode
    aggregator: RetailNode


@asynccontextmanager
async def town(directory: Path) -> AsyncGenerator[Town]:
    """A client, and an aggregator that he is connected to."""
    world, network = MemoryWorld(TERMS, RIGHT_NOW), memory_network()
    for key in (CLIENT, AGGREGATOR):
        world.mint(address_of(key), 10**15)
    async with (
        retail_node(
            directory / "a", world, AGGREGATOR, network, aggregating=TERMS_OF_WORK
        ) as aggregator,
        retail_node(directory / "c", world, CLIENT, network) as client,
    ):
        await introduce(client, aggregator)
        yield Town(client, aggregator)


async def run(url, *arguments):
    return await asyncio.to_thread(quire, *arguments, api=url)


async def call(url, method, path, body=None):
    data = b"" if body is None else json.dumps(body).encode()
    reply = await send(url, method, f"{QUIRE_BASE}{path}", {}, data)
    return reply.status, json.loads(reply.body) if reply.body else None


async def test_aggregators_are_asked_what_they_take(tmp_path):
    async with town(tmp_path) as at:
        status, found = await call(at.client.url, "GET", "/aggregators?size=32m&service=encode")
        assert (status, found["size"], found["nodes"]) == (200, 32 * MIB, 3)
        (one,) = found["aggregators"]
        assert (one["peerId"], one["services"]) == (at.aggregator.peer, ["encode"])
        (offer,) = one["offers"]
        assert offer["payee"] == address_text(address_of(AGGREGATOR))
        assert (offer["price"], offer["priceFirst"]) == ("32000", "19200")
        assert offer["maxBytes"] == 64 * MIB
        shown = (await run(at.client.url, "aggregators", "--size", "32m")).out.decode()
        assert "32,000 tokens for 32.0 MiB in 2 + 1 rows" in shown
        assert "19,200 once checked" in shown


async def test_who_makes_no_offer_says_why(tmp_path):
    async with town(tmp_path) as at:
        via = f"via={at.aggregator.peer}"
        _, found = await call(at.client.url, "GET", f"/aggregators?size={GIB}&{via}")
        (one,) = found["aggregators"]
        assert one["offers"] == []
        assert "at most 64.0 MiB" in one["problems"]["encode"]
        assert "offered: ENCODE" in one["problems"]["prove"]
        shown = (await run(at.client.url, "aggregators", "--size", "1g")).out.decode()
        assert "at most 64.0 MiB" in shown


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("size=much", "not a size"),
        ("nodes=1", "nodes=1"),
        ("nodes=4&tolerance=4", "tolerance=4"),
        ("service=cook", "none of encode, prove, submit"),
        ("via=nobody", "names no peer"),
        ("via=auto&via=x", "not both"),
    ],
)
async def test_what_makes_no_sense_is_refused(tmp_path, query, words):
    async with retail_node(tmp_path, MemoryWorld(TERMS, RIGHT_NOW), CLIENT) as node:
        status, body = await call(node.url, "GET", f"/aggregators?{query}")
        assert (status, words in body["message"]) == (400, True), body


async def test_the_bond_is_put_in_and_announced_to_leave(tmp_path):
    async with town(tmp_path) as at:
        url = at.aggregator.url
        status, bond = await call(url, "GET", "/bond")
        assert (status, bond["amount"], bond["promised"]) == (200, "0", "0")
        status, bond = await call(url, "POST", "/bond/deposit", {"amount": "5000"})
        assert (status, bond["amount"]) == (200, "5000")
        status, error = await call(url, "POST", "/bond/announce", {"amount": "5001"})
        assert (status, "the bond has 5000" in error["message"]) == (400, True)
        shown = await run(url, "bond", "withdraw", "2000")
        assert (shown.code, "2,000 of them leave at" in shown.out.decode()) == (0, True)
        early = await run(url, "bond", "withdraw")
        assert (early.code != 0, early.out) == (True, b"")
        back = (await run(url, "bond", "withdraw", "0", "--json")).json
        assert (back["leaving"], back["leavesAt"]) == ("0", 0)
        status, error = await call(url, "POST", "/bond/deposit", {"amount": "0"})
        assert (status, "above 0" in error["message"]) == (400, True)


async def test_a_node_without_a_hub_says_so(tmp_path):
    async with live_node(tmp_path) as (_, url):
        for path in ("/jobs", f"/jobs/{'00' * 16}", "/aggregators", "/bond"):
            status, _ = await call(url, "GET", path)
            assert status == 503


async def test_what_is_no_job_is_refused(tmp_path):
    async with retail_node(tmp_path, MemoryWorld(TERMS, RIGHT_NOW), CLIENT) as node:
        for path in ("/jobs/12", "/jobs/zz", "/jobs/0x12/why"):
            status, body = await call(node.url, "GET", path)
            assert (status, "32 hexadecimal digits" in body["message"]) == (400, True)
        for path in (f"/jobs/{'00' * 16}", f"/jobs/{'00' * 16}/why"):
            assert (await call(node.url, "GET", path))[0] == 404
        assert (await call(node.url, "DELETE", f"/jobs/{'00' * 16}"))[0] == 404
        nothing = await run(node.url, "jobs")
        assert (nothing.code, "nothing is ordered" in nothing.err) == (0, True)
