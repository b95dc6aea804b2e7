"""What a scrape says after something has happened."""

from __future__ import annotations

import asyncio
import random

from prometheus_client.parser import text_string_to_metric_families

from quire.faces.rest.route import QUIRE_BASE
from quire.formats.cid import Cid
from support.http import send
from support.live import live_node, memory_network

DATA = random.Random(3).randbytes(5 * 65_536)


async def scrape(url):
    text = (await send(url, "GET", f"{QUIRE_BASE}/metrics")).text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_blocks_that_move_between_nodes_are_counted_on_both_sides(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (one, url_one),
        live_node(tmp_path / "b", network) as (two, url_two),
    ):
        before = await scrape(url_two)
        cid = (await send(url_one, "POST", f"{QUIRE_BASE}/data", {}, DATA)).text
        await two.transport.dial(
            one.transport.peer_id,
            one.transport.listen_addresses(),
            asyncio.get_running_loop().time() + 5,
        )
        await send(url_two, "POST", f"{QUIRE_BASE}/datasets/{cid}/fetch")
        async with asyncio.timeout(10):
            while not two.fetches.of(Cid.parse(cid)).has_ended:
                await asyncio.sleep(0.01)
        gave, got = await scrape(url_one), await scrape(url_two)
    protocol = one.profile.protocols.exchange
    assert before[("codex_block_exchange_blocks_received_total",)] == 0
    assert got[("codex_block_exchange_blocks_received_total",)] == 6  # the manifest is one
    assert gave[("codex_block_exchange_blocks_sent_total",)] >= 6
    key = "quire_exchange_bytes_total"
    assert got[(key, *sorted((protocol, "received")))] >= len(DATA)
    assert gave[(key, *sorted((protocol, "sent")))] >= len(DATA)
    assert got[("quire_events_total", "fetch.complete")] == 1
    assert got[("codex_block_exchange_pending_block_requests",)] == 0
    assert got[("libp2p_peers",)] == 1


async def test_the_process_and_the_space_are_told(tmp_path):
    async with live_node(tmp_path, storage_quota="1m") as (_, url):
        await send(url, "POST", f"{QUIRE_BASE}/data", {}, DATA)
        found = await scrape(url)
        assert found[("process_resident_memory_bytes",)] > 1 << 20
        assert found[("quire_quota_bytes",)] == 1 << 20
        assert found[("codex_repostore_bytes_used",)] > len(DATA)
        assert found[("codex_api_uploads_total",)] == 1
