"""quire request and quire purchases on a real node with a real chain; the node is killed and comes
back, its owner is away while hosts work."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from quire.base.clock import SystemClock
from quire.chain.dev_accounts import dev_account
from quire.chain.evm.opening import MarketSettings, open_market
from quire.chain.wallet import Wallet
from quire.faces.local import LocalNode
from support.command import quire
from support.local_chain import deployed_chain
from support.memory_world import PROOF
from support.protect_kit import det
from support.purchase_child import MARKETPLACE

CLIENT, HOST = 5, 6
TERMS = ("--for", "1h", "--price", "1", "--collateral", "1", "--expiry", "10m")
BUY = ("--nodes", "3", "--tolerance", "1", *TERMS)
PATIENCE = 40.0


@asynccontextmanager
async def shop_in(directory):
    """A chain, a node of the client on it, and a host that needs no node."""
    async with deployed_chain() as (chain, _):
        key = directory / "key"
        key.write_text(dev_account(CLIENT).key.hex())
        key.chmod(0o600)
        settings = MarketSettings(chain.url, MARKETPLACE)
        host = await open_market(settings, Wallet(dev_account(HOST).key), SystemClock())
        options = ["--eth-provider", chain.url, "--eth-private-key", str(key)]
        options += ["--marketplace-address", MARKETPLACE, "--request-timeout", "1s"]
        node = LocalNode(directory / "node", arguments=options)
        await asyncio.to_thread(node.start)
        try:
            yield chain, node, host.market
        finally:
            await asyncio.to_thread(node.stop)
            await host.stop()


async def run(node, *arguments, stdin=b""):
    return await asyncio.to_thread(quire, *arguments, api=node.api, stdin=stdin)


async def until(node, request_id, state):
    async with asyncio.timeout(PATIENCE):
        while True:
            found = (await run(node, "purchases", request_id, "--json")).json
            if found["state"] == state and (state == "started" or found["ended"]):
                return found
            await asyncio.sleep(0.1)


async def fill(host, request_id):
    wanted = bytes.fromhex(request_id[2:])
    for slot in range(3):
        await host.reserve_slot(wanted, slot)
        await host.fill_slot(wanted, slot, PROOF)


@pytest.mark.timeout(180)
async def test_a_contract_is_bought_filled_and_ends_while_the_node_is_killed_twice(tmp_path):
    async with shop_in(tmp_path) as (chain, node, host):
        put = await run(node, "put", "--plain", "--no-name", "-", "--json", stdin=det(1_000_000))
        bought = await run(node, "request", put.json["cid"], *BUY, "--yes", "--json")
        assert bought.code == 0, bought.err
        request_id = bought.json["requestId"]
        await until_on_chain(host, request_id)
        await asyncio.to_thread(node.kill)
        await fill(host, request_id)
        await asyncio.to_thread(node.start)
        found = await until(node, request_id, "started")
        assert [slot["state"] for slot in found["slots"]] == ["filled"] * 3
        assert "this node may leave" in found["words"]
        kept = await run(node, "why-kept", found["cid"])
        assert f"a storage request needs it: {request_id}" in kept.out.decode()
        await asyncio.to_thread(node.kill)
        await chain.advance(3700)
        await asyncio.to_thread(node.start)
        found = await until(node, request_id, "finished")
        assert found["money"]["withdrawn"]
        assert "request needs it" not in (await run(node, "why-kept", found["cid"])).out.decode()
        why = (await run(node, "why", request_id)).out.decode()
        assert (
            "it is finished: the contract came to its end; what is left of the money is back" in why
        )


async def until_on_chain(market, request_id):
    async with asyncio.timeout(PATIENCE):
        while not await market.can_reserve(bytes.fromhex(request_id[2:]), 0):
            await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_bad_input_ends_at_once_and_nothing_reaches_the_chain(tmp_path):
    async with shop_in(tmp_path) as (_, node, host):
        put = await run(node, "put", "--plain", "--no-name", "-", "--json", stdin=det(300_000))
        cid = put.json["cid"]
        for arguments, code, words in (
            (("--price", "999999999"), 4, "more are needed"),
            (("--expiry", "1h"), 2, "at most 3599 s"),
            (("--nodes", "5", "--tolerance", "3"), 2, "a tolerance from 1 to 2"),
            (("--nodes", "12"), 2, "that needs 720896 bytes"),
            (("--for", "1000d"), 2, "s works"),
        ):
            done = await run(node, "request", cid, *BUY, *arguments, "--yes")
            assert (done.code, words in done.err) == (code, True), done.err
        unknown = f"{cid[:-1]}{'A' if cid[-1] != 'A' else 'B'}"
        done = await run(node, "request", unknown, *BUY, "--yes")
        assert done.code in (3, 8), done.err
        assert (await run(node, "purchases", "--json")).json == []
        assert await host.past_events(0) == []
