"""Providers of sealed replicas at the API, on the command line, in the metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from quire.base.errors import PeerSilent
from quire.faces.rest.route import QUIRE_BASE
from quire.net.known_peer import KnownPeer
from quire.point.choice_port import Outcome
from quire.point.values import SignedOffer
from quire.services.retail.provider_search import ProviderPorts
from quire.services.retail.providers import Providers
from quire.store.journal_memory import MemoryJournal
from support.command import quire
from support.http import send
from support.live import live_node
from support.memory_world import a_world
from support.offering import DAY, DOMAIN, MIB
from support.prospects import offer, prospect
from support.retail_nodes import RetailNode, retail_node

NAMES = ("good", "small", "silent", "bad")


@dataclass
class Chooser:
    url: str
    providers: Providers
    peers: dict[str, str]


@asynccontextmanager
async def choosing_node(directory) -> AsyncGenerator[Chooser, None]:
    """Four providers are on its list: one is good, one small, one silent, one has lied."""
    async with retail_node(directory, a_world(), bytes([7]) * 32) as found:
        peers = {name: prospect(number).peer for number, name in enumerate(NAMES)}
        until = int(found.hub.clock.now()) + 3600

        async def ask(peer: str, addresses: Sequence[str], deadline: float) -> SignedOffer:
            if peer == peers["silent"]:
                raise PeerSilent(f"{peer} did not answer in time", peer=peer)
            number = list(peers.values()).index(peer)
            signed = offer(
                number, valid_until=until, free_bytes=(1 << 30, 1000, 0, 1 << 30)[number]
            )
            terms = replace(
                signed.offer,
                chain_id=DOMAIN.chain_id,
                contract=DOMAIN.contract,
                operator=b"acme" if number == 0 else b"",
            )
            return replace(signed, offer=terms)

        providers = _providers(found, ask, peers)
        await providers.start()
        assert found.retail.choice is not None
        await found.retail.choice.stop()
        found.retail.choice = providers  # the node stops it
        yield Chooser(found.url, providers, peers)


def _providers(found: RetailNode, ask, peers: dict[str, str]) -> Providers:
    node = found.node
    ports = ProviderPorts(
        transport=node.transport,
        finder=node.finder,
        ask_offer=ask,
        domain=DOMAIN,
        chain=found.hub.clock,
        journal=MemoryJournal(node.clock),
        clock=node.clock,
        events=node.events,
        waits=node.waits,
    )
    listed = [KnownPeer(peer, ("/ip4/127.0.0.1/tcp/1",)) for peer in peers.values()]
    return Providers(ports, b"secret", listed=listed)


async def get(url: str, query: str = ""):
    reply = await send(url, "GET", f"{QUIRE_BASE}/providers{query}")
    return reply.status, json.loads(reply.text)


async def test_providers_are_listed_with_their_offers_and_why_they_are_not_chosen(tmp_path) -> None:
    async with choosing_node(tmp_path) as chooser:
        peers = chooser.peers
        await chooser.providers.look(30)
        why = "another root was signed"
        await chooser.providers.report(peers["bad"], Outcome.BAD_SIGNATURE, why)
        status, found = await get(chooser.url, "?bytes=1m&for=1d")
        assert status == 200
        by_peer = {each["peerId"]: each for each in found["providers"]}
        good = by_peer[peers["good"]]
        assert good["eligible"] is True
        assert good["whyNot"] == ""
        assert good["offer"]["operator"] == "acme"
        assert good["offer"]["priceByteSecond"] == "10"
        assert good["reputation"]["newcomer"] is True
        assert good["networks"] == []
        assert "1000 B free" in by_peer[peers["small"]]["whyNot"]
        silent = by_peer[peers["silent"]]
        assert silent["offer"] is None
        assert "did not answer" in silent["whyNot"]
        bad = by_peer[peers["bad"]]
        assert "excluded for another" in bad["whyNot"]
        assert why in bad["whyNot"]
        assert bad["reputation"]["failures"] == 10
        assert found["providers"][0] == good
        price = 10 * MIB * DAY
        _, dear = await get(chooser.url, f"?bytes=1m&for=1d&budget={price - 1}")
        assert all(not each["eligible"] for each in dear["providers"])
        _, right = await get(chooser.url, f"?bytes=1m&for=1d&budget={price}")
        assert [each["eligible"] for each in right["providers"]].count(True) == 1


async def test_the_command_shows_them_and_the_metrics_count_them(tmp_path) -> None:
    async with choosing_node(tmp_path) as chooser:
        await chooser.providers.look(30)
        words = ("providers", "--bytes", "1m", "--for", "1d")
        shown = await asyncio.to_thread(quire, *words, api=chooser.url)
        assert shown.code == 0
        assert chooser.peers["good"].encode() in shown.out
        assert b"run by acme" in shown.out
        assert b"1.0 GiB free for 90 days at most; 10 a byte and second" in shown.out
        assert b"not now: it has 1000 B free, and 1.0 MiB are needed" in shown.out
        assert b"newcomer; 0.0 successes" in shown.out
        told = await asyncio.to_thread(quire, "providers", "--json", api=chooser.url)
        assert len(told.json["providers"]) == 4
        metrics = (await send(chooser.url, "GET", f"{QUIRE_BASE}/metrics")).text
        assert 'quire_providers{state="offering"} 3.0' in metrics
        assert 'quire_provider_offers_total{outcome="ok"} 3.0' in metrics
        assert 'quire_provider_offers_total{outcome="peer-silent"} 1.0' in metrics


async def test_bad_wishes_are_refused_in_words(tmp_path) -> None:
    async with choosing_node(tmp_path) as chooser:
        for query in ("bytes=much", "for=ever", "budget=-1", "budget=1e9", "timeout=0"):
            status, problem = await get(chooser.url, f"?{query}")
            assert status == 400, query
            assert query.split("=")[1] in problem["message"]


async def test_a_node_without_a_hub_says_so(tmp_path) -> None:
    async with live_node(tmp_path) as (_, url):
        status, problem = await get(url)
        assert status == 503
        assert "hub" in problem["message"]
        refused = await asyncio.to_thread(quire, "providers", api=url)
        assert refused.code == 4
        assert "hub" in refused.err
