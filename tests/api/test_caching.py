"""What a cache earns and costs: at the API, on the command line, in the metrics and in `why`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from quire.base.units import MIB
from quire.faces.rest.route import QUIRE_BASE
from quire.net.memory import MemoryNetwork
from quire.node.build import cache_settings
from quire.node.config import NodeConfig
from quire.node.node import Node
from support.command import quire
from support.http import send
from support.live import live_node, memory_network
from support.memory_store import random_bytes

SIZE = 3 * MIB


async def get(url: str, path: str) -> tuple[int, str]:
    reply = await send(url, "GET", QUIRE_BASE + path)
    return reply.status, reply.text


async def meet(one: Node, other: Node) -> None:
    deadline = one.clock.monotonic() + 5
    address = other.transport.listen_addresses()
    await one.transport.dial(other.transport.peer_id, address, deadline)


async def publish(url: str, seed: int = 1) -> str:
    reply = await send(url, "POST", QUIRE_BASE + "/data", body=random_bytes(SIZE, seed))
    assert reply.status == 200, reply.text
    return reply.text


async def download(url: str, cid: str) -> tuple[int, bytes]:
    reply = await send(url, "GET", f"{QUIRE_BASE}/data/{cid}/network/stream")
    return reply.status, reply.body


async def test_giving_and_taking_are_shown_side_by_side(tmp_path: Path) -> None:
    """A publisher, a cache that asks a price, and a third that has only the cache to ask."""
    network: MemoryNetwork = memory_network()
    settings = {"cache_price": 1000, "cache_free_bytes": SIZE, "cache_limit": "1GiB"}
    async with (
        live_node(tmp_path / "b", network, **settings) as (cache, b_url),
        live_node(tmp_path / "c", network) as (third, c_url),
    ):
        async with live_node(tmp_path / "a", network) as (publisher, a_url):
            cid, other = await publish(a_url), await publish(a_url, 2)
            await meet(cache, publisher)
            for each in (cid, other):
                assert (await download(b_url, each))[0] == 200
        await meet(third, cache)
        assert (await download(c_url, cid))[1] == random_bytes(SIZE, 1)
        status, text = await get(b_url, "/caching")
        body = json.loads(text)
        assert (status, body["basePrice"], body["hasAccount"]) == (200, "1000", False)
        assert body["total"]["takenBytes"] == 2 * SIZE
        assert body["total"]["givenBytes"] == SIZE
        peers = {each["peer"]: each for each in body["peers"]}
        assert peers[third.transport.peer_id]["freeLeftBytes"] == 0
        assert "had 3.0 MiB for nothing" in peers[third.transport.peer_id]["words"]
        _, why = await get(b_url, f"/datasets/{cid}/why")
        assert "beyond that a MiB costs 1000 tokens" in why
        _, metrics = await get(b_url, "/metrics")
        assert 'quire_cache_bytes_total{direction="given",paid="no"} 3.145728e+06' in metrics
        assert "quire_cache_price 1000.0" in metrics
        shown = await asyncio.to_thread(quire, "caching", api=b_url)
        assert (shown.code, shown.err) == (0, "")
        assert "asks 1000 tokens a MiB" in shown.out.decode()
        assert "earning" in shown.out.decode()
        told = await asyncio.to_thread(quire, "caching", "--json", api=b_url)
        assert told.json["total"]["givenBytes"] == SIZE
        status, _ = await download(c_url, other)
        assert status == 504
        _, why = await get(c_url, f"/datasets/{other}/why")
        assert "asks 1000 tokens a MiB" in why


async def test_what_a_node_has_published_itself_is_free(tmp_path: Path) -> None:
    network = memory_network()
    settings = {"cache_price": 1000, "cache_free_bytes": 0}
    async with (
        live_node(tmp_path / "a", network, **settings) as (publisher, a_url),
        live_node(tmp_path / "b", network) as (other, b_url),
    ):
        cid = await publish(a_url)
        await meet(other, publisher)
        assert (await download(b_url, cid))[0] == 200
        assert json.loads((await get(a_url, "/caching"))[1])["peers"] == []


async def test_a_node_without_such_settings_says_so(tmp_path: Path) -> None:
    async with live_node(tmp_path) as (_, url):
        status, text = await get(url, "/caching")
        assert status == 404
        assert "--cache-price" in text
        shown = await asyncio.to_thread(quire, "caching", api=url)
        assert shown.code == 3


@pytest.mark.parametrize(
    ("setting", "value", "read"),
    [
        ("cache_price", 7, lambda s: s.terms.price),
        ("cache_max_price", 8, lambda s: s.terms.max_price),
        ("cache_limit", 9, lambda s: s.limit_bytes),
    ],
)
def test_each_setting_makes_a_cache_of_a_node(setting: str, value: int, read) -> None:
    assert cache_settings(NodeConfig()) is None
    settings = cache_settings(NodeConfig(**{setting: value}))
    assert read(settings) == value


def test_settings_that_alone_mean_nothing_are_taken_with_others() -> None:
    assert cache_settings(NodeConfig(cache_free_bytes=1, cache_budget=2)) is None
    settings = cache_settings(NodeConfig(cache_free_bytes=1, cache_budget=2, cache_max_price=3))
    assert settings is not None
    assert (settings.terms.free_bytes, settings.terms.budget) == (1, 2)
