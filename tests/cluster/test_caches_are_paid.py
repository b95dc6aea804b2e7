"""A cache earns on the real contract: three nodes, one hub, sums that agree everywhere."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from quire.base.units import MIB
from quire.chain.abi import address_text
from quire.chain.dev_accounts import DevAccount, dev_account
from quire.chain.dev_chain import DevChainOptions
from quire.faces.rest.route import QUIRE_BASE
from support.http import send
from support.live import live_node, memory_network
from support.local_chain import deployed_chain
from support.memory_store import random_bytes
from support.retail_nodes import connect_nodes

BUYER, SELLER = dev_account(1), dev_account(2)
SIZE, FREE, PRICE = 6 * MIB, 1 * MIB, 1000
PAID = (SIZE - FREE) // MIB * PRICE
DATA = random_bytes(SIZE)


async def publish(url: str) -> str:
    return (await send(url, "POST", QUIRE_BASE + "/data", {}, DATA)).text


async def download(url: str, cid: str) -> None:
    reply = await send(url, "GET", f"{QUIRE_BASE}/data/{cid}/network/stream?timeout=60")
    assert (reply.status, reply.body == DATA) == (200, True)


async def trade(url: str) -> dict[str, Any]:
    return json.loads((await send(url, "GET", QUIRE_BASE + "/caching")).text)


async def until_settled(url: str, field: str) -> dict[str, Any]:
    """The rest is paid when nothing more has come for a while."""
    async with asyncio.timeout(30):
        while (total := (await trade(url))["total"])[field] != str(PAID) or total[
            "owedByUs"
        ] != "0":
            await asyncio.sleep(0.05)
    return total


async def test_a_cache_is_paid_for_what_it_serves_and_claims_it(tmp_path: Path) -> None:
    options = DevChainOptions(state_file=tmp_path / "chain.json")
    async with deployed_chain(options=options) as (chain, deployment):
        network = memory_network()

        def flags(account: DevAccount) -> dict[str, Any]:
            key = tmp_path / f"{account.text}.key"
            key.write_text(account.key.hex())
            key.chmod(0o600)
            return {
                "eth_provider": chain.url,
                "eth_private_key": str(key),
                "marketplace_address": address_text(deployment.marketplace),
                "hub_address": address_text(deployment.hub),
                "request_timeout": "20s",
            }

        sells = flags(SELLER) | {"cache_price": PRICE, "cache_free_bytes": FREE}
        buys = flags(BUYER) | {"cache_max_price": PRICE}
        async with live_node(tmp_path / "seller", network, **sells) as (seller, seller_url):
            async with live_node(tmp_path / "publisher", network) as (publisher, url):
                cid = await publish(url)
                await connect_nodes(seller_url, publisher)
                await download(seller_url, cid)
            async with live_node(tmp_path / "buyer", network, **buys) as (_, url):
                await connect_nodes(url, seller)
                await download(url, cid)
                spent = await until_settled(url, "spent")
                assert (spent["takenBytes"], spent["boughtBytes"]) == (FREE, SIZE - FREE)
                earned = await until_settled(seller_url, "earned")
                assert (earned["givenBytes"], earned["soldBytes"]) == (FREE, SIZE - FREE)
                await seller.retail.claiming.claim_all()  # what was not claimed by itself
                async with asyncio.timeout(30):
                    while await seller.retail.hub.balance() != PAID:
                        await asyncio.sleep(0.1)
            async with live_node(tmp_path / "buyer", network, **buys) as (_, url):
                assert (await trade(url))["total"]["spent"] == str(PAID)
