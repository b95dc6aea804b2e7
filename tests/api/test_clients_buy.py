"""The public clients, with their strict models, buy storage and follow it."""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

import codex_api_client as codex
import pytest

from support.npm import installed
from support.protect_kit import det
from support.trading import fill_all, trading_node

PROJECT = Path(__file__).parent / "js"


async def test_the_python_client_buys_and_follows(tmp_path):
    async with trading_node(tmp_path) as trader:
        client = codex.ApiClient(codex.Configuration(host=f"{trader.url}/api/codex/v1"))
        market, data = codex.MarketplaceApi(client), codex.DataApi(client)
        cid = await asyncio.to_thread(data.upload, body=det(300_000))
        bid = codex.StorageRequestCreation(
            duration=600,
            expiry=240,
            price_per_byte_per_second="1",
            collateral_per_byte="1",
            proof_probability="1",
            nodes=3,
            tolerance=1,
        )
        request_id = await asyncio.to_thread(market.create_storage_request, cid, bid)
        await fill_all(trader, f"0x{request_id}")
        assert await asyncio.to_thread(market.get_purchases) == [f"0x{request_id}"]
        purchase = await asyncio.to_thread(market.get_purchase, request_id)
        assert (purchase.state, purchase.error) == ("started", None)
        assert purchase.request.ask.slots == 3
        assert purchase.request.id == purchase.request_id == f"0x{request_id}"
        client.rest_client.pool_manager.clear()


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js on this machine")
async def test_the_javascript_client_buys_and_follows(tmp_path):
    async with trading_node(tmp_path) as trader:
        script = [str(PROJECT / "buy.cjs"), str(await asyncio.to_thread(installed, PROJECT))]
        done = await asyncio.to_thread(
            subprocess.run,
            ["node", *script, trader.url],
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        request_id = f"0x{found['created']}"
        assert found["ids"] == [request_id]
        assert found["detail"]["requestId"] == request_id
        assert found["detail"]["state"] in ("pending", "submitted")
        assert [each["requestId"] for each in found["purchases"]] == [request_id]
        assert found["refused"]["code"] == 422
        assert found["refused"]["message"].startswith("Expiry must be greater than zero")
