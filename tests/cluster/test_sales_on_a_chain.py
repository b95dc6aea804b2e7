"""Hosts that sell on a real chain: real contract, proofs and journal; the network is in memory."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

from quire.chain.abi import address_text
from quire.chain.contract_config import ContractConfig
from quire.chain.deployment import ADDRESSES
from quire.chain.dev_accounts import dev_account
from quire.faces.rest.route import QUIRE_BASE
from quire.kernels.groth16 import ProvingKey
from support.http import send
from support.live import live_node, memory_network
from support.local_chain import deployed_chain
from support.protect_kit import det
from support.prove_kit import TINY_SETTINGS, tiny_keys

CONFIG = ContractConfig(period=12, timeout=6, downtime=32, max_slashes=2)
SLOT_BYTES = 32_768
OFFER = {
    "totalSize": 10_000_000,
    "duration": 7200,
    "minPricePerBytePerSecond": "1",
    "totalCollateral": "100000000000",
}


async def ask(url, method, path, body=None):
    data = b"" if body is None else json.dumps(body).encode()
    reply = await send(url, method, QUIRE_BASE + path, {"Content-Type": "application/json"}, data)
    assert reply.status < 400, reply.text
    return json.loads(reply.body) if reply.body else None


def tiny_words() -> bytes:
    """The verifying key of the tiny circuit."""
    return ProvingKey.open(next(tiny_keys().rglob("*.zkey"))).verifying_key.words


@asynccontextmanager
async def trader(directory: Path, chain, account: int, network, **more):
    directory.mkdir(parents=True, exist_ok=True)
    key = directory / "eth-key"
    key.write_text("0x" + dev_account(account).key.hex())
    key.chmod(0o600)
    flags = {
        **TINY_SETTINGS,
        "circuit_dir": str(tiny_keys()),
        "eth_provider": chain.url,
        "eth_private_key": str(key),
        "marketplace_address": address_text(ADDRESSES["Marketplace"]),
        "persistence": True,
        **more,
    }
    async with live_node(directory, network, **flags) as (node, url):
        yield node, url


async def until(url, path, wanted, seconds=90):
    found = None
    for _ in range(seconds * 5):
        found = await ask(url, "GET", path)
        if wanted(found):
            return found
        await asyncio.sleep(0.2)
    raise AssertionError(json.dumps(found)[:3000])


async def connect(url, *others) -> None:
    for node in others:
        (address,) = node.transport.listen_addresses()
        path = f"/connect/{node.transport.peer_id}?addrs={address}"
        assert (await send(url, "GET", QUIRE_BASE + path, {}, b"")).status == 200


async def buy(url, duration: int) -> str:
    """Three slots of which one may be lost; the request's id."""
    reply = await send(url, "POST", f"{QUIRE_BASE}/data?blockSize=4096", {}, det(40_000))
    bid = {
        "duration": duration,
        "expiry": 120,
        "proofProbability": "1",
        "pricePerBytePerSecond": "1",
        "collateralPerByte": "1",
        "nodes": 3,
        "tolerance": 1,
    }
    return (await ask(url, "POST", f"/datasets/{reply.text}/request", bid))["requestId"]


def is_in(state: str):
    return lambda found: found["state"] == state


async def test_a_contract_is_filled_proved_and_paid(tmp_path):
    network = memory_network()
    async with (
        deployed_chain(CONFIG, tiny_words()) as (chain, _),
        trader(tmp_path / "client", chain, 1, network) as (client, client_url),
        trader(tmp_path / "host", chain, 2, network) as (host, url),
    ):
        await chain.mine_every(1)
        await connect(url, client)
        await ask(url, "POST", "/sales/availability", OFFER)
        request = await buy(client_url, 300)
        await until(client_url, f"/purchases/{request}", is_in("started"))
        sales = (await ask(url, "GET", "/sales"))["sales"]
        assert [sale["state"] for sale in sales] == ["SaleProving"] * 3
        await until(
            url,
            f"/sales/{sales[0]['slotId']}",
            lambda found: found["proving"] and found["proving"].get("lastProof"),
        )
        await chain.advance(320)
        for sale in sales:
            paid = await until(url, f"/sales/{sale['slotId']}", is_in("SaleFinished"))
            assert paid["money"]["returned"] == paid["money"]["collateral"], paid
        await until(url, f"/sales/{sales[2]['slotId']}", lambda found: found["ended"])
        assert host.trading.sales.live() == []


async def test_a_slot_of_a_host_that_is_gone_is_repaired_by_another(tmp_path):
    """Misses are marked by a validator; the host is evicted; the other computes the slot."""
    network = memory_network()
    async with (
        deployed_chain(CONFIG, tiny_words()) as (chain, _),
        trader(tmp_path / "guard", chain, 4, network, validator=True),
        trader(tmp_path / "two", chain, 3, network) as (two, url),
    ):
        await chain.mine_every(1)
        async with trader(tmp_path / "one", chain, 2, network) as (_, one_url):
            async with trader(tmp_path / "client", chain, 1, network) as (client, client_url):
                await connect(one_url, client, two)
                await connect(url, client)
                _, offer = [
                    await ask(each, "POST", "/sales/availability", OFFER | {"totalSize": size})
                    for each, size in ((one_url, SLOT_BYTES), (url, 2 * SLOT_BYTES))
                ]
                request = await buy(client_url, 1200)
                await until(client_url, f"/purchases/{request}", is_in("started"))
            (lost,) = [s for s in (await ask(one_url, "GET", "/sales"))["sales"] if s["filledAt"]]
        path = f"/sales/availability/{offer['id']}"
        await ask(url, "PATCH", path, {"totalSize": 3 * SLOT_BYTES})
        slot = lost["slotId"]
        found = await until(
            url,
            "/sales",
            lambda found: any(
                (s["slotId"], s["state"]) == (slot, "SaleProving") for s in found["sales"]
            ),
            seconds=200,
        )
        (repaired,) = [sale for sale in found["sales"] if sale["slotId"] == slot]
        assert repaired["repair"] is True
        (job,) = two.parts.rebuilds.all()
        assert (job.state, job.slots) == ("complete", (lost["slotIndex"],))
