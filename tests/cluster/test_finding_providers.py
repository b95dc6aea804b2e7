"""Real nodes find paid providers on the real network, ask for their offers and say why not."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from quire.chain.abi import address_text
from quire.chain.deployment import ADDRESSES
from quire.chain.dev_accounts import dev_account
from quire.faces.local import LocalNode
from quire.faces.rest.route import QUIRE_BASE
from support.command import quire
from support.http import send
from support.local_chain import deployed_chain

PRICES = (1, 2, 3)
DEADLINE_SECONDS = 60.0


def arguments(directory: Path, chain_url: str, account: int, *more: str) -> list[str]:
    directory.mkdir(parents=True)
    key = directory / "eth-key"
    key.write_text("0x" + dev_account(account).key.hex())
    key.chmod(0o600)
    return [
        *("--eth-provider", chain_url, "--eth-private-key", str(key)),
        *("--marketplace-address", address_text(ADDRESSES["Marketplace"])),
        *("--circom-no-zkey", "--storage-quota", "200m"),
        *more,
    ]


async def providers(node: LocalNode, query: str = "") -> dict[str, dict]:
    reply = await send(node.api, "GET", f"{QUIRE_BASE}/providers{query}")
    assert reply.status == 200, reply.text
    return {each["peerId"]: each for each in json.loads(reply.text)["providers"]}


async def until_found(node: LocalNode, count: int) -> dict[str, dict]:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = await providers(node)
        if sum(each["offer"] is not None for each in found.values()) >= count:
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.5)


@pytest.mark.slow
async def test_providers_are_found_with_their_prices(tmp_path) -> None:
    loop = asyncio.get_running_loop()
    async with deployed_chain() as (chain, _):
        with ExitStack() as nodes:

            async def start(home: Path, account: int, *more: str, **options) -> LocalNode:
                flags = arguments(home, chain.url, account, *more)
                node = LocalNode(home, arguments=flags, **options)
                return await loop.run_in_executor(None, nodes.enter_context, node)

            client = await start(tmp_path / "client", 0)
            shops = await asyncio.gather(
                *(
                    start(
                        *(tmp_path / f"provider{number}", number, "--provider"),
                        *("--retail-price", str(price), "--operator", f"shop {number}"),
                        bootstrap=[client.address],
                    )
                    for number, price in enumerate(PRICES, 1)
                )
            )
            found = await until_found(client, len(PRICES))
            assert set(found) == {shop.peer_id for shop in shops}
            for number, (shop, price) in enumerate(zip(shops, PRICES, strict=True), 1):
                offer = found[shop.peer_id]["offer"]
                assert offer["priceByteSecond"] == str(price)
                assert offer["operator"] == f"shop {number}"
                assert offer["payee"] == address_text(dev_account(number).address)
                assert found[shop.peer_id]["networks"] == []  # all are on this machine
                assert found[shop.peer_id]["eligible"] is True
            budget = 2 * 65536 * 60
            dear = await providers(client, f"?bytes=64k&for=1m&budget={budget}")
            assert [dear[shop.peer_id]["eligible"] for shop in shops] == [True, True, False]
            assert "may be spent" in dear[shops[2].peer_id]["whyNot"]
            shown = await asyncio.to_thread(quire, "providers", api=client.api)
            assert shown.code == 0
            assert all(shop.peer_id.encode() in shown.out for shop in shops)
