"""A node that keeps replicas: what its operator sees in the API and on the terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from quire.base.clock import Clock
from quire.base.units import MIB
from quire.chain.abi import address_text
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.dataset.envelope.derive import repair_of
from quire.dataset.envelope.header import Header
from quire.faces.rest.route import QUIRE_BASE
from quire.flow.encrypt import Encryption, encrypted
from quire.formats.cap import Suite
from quire.formats.replica_asking import ReleaseRequest
from quire.formats.replica_codes import Code
from quire.net.memory import MemoryNetwork
from quire.point.values import BLOCK_BYTES
from quire.services.paying.payee import Payee
from quire.services.retail.uploads import UploadOrder
from support.command import quire
from support.http import send
from support.live import live_node, memory_network
from support.memory_world import RIGHT_NOW, TERMS
from support.provider_kit import (
    CLIENT,
    CLIENT_KEY,
    DAY,
    PROVIDER,
    PROVIDER_KEY,
    SETTINGS,
    Customer,
    Replica,
    customer_of,
)
from support.retail_nodes import RetailNode, introduce, retail_node

LINK = bytes(range(16))
REPLICA = Replica.random(1, 5 * BLOCK_BYTES + 100)
OWED = REPLICA.sealed_bytes * (SETTINGS.fee_put_byte + SETTINGS.price_byte_second * DAY)


@dataclass
class _At:
    provider_peer: str
    addresses: list[str]
    hub: MemoryHub
    clock: Clock
    network: MemoryNetwork
    income: Payee


@asynccontextmanager
async def shop(directory: Path) -> AsyncGenerator[tuple[RetailNode, Customer]]:
    """A provider that lives, and a customer."""
    world, network = MemoryWorld(TERMS, RIGHT_NOW), memory_network()
    for account in (PROVIDER, CLIENT):
        world.mint(account, 10**15)
    async with retail_node(directory, world, PROVIDER_KEY, network, providing=SETTINGS) as node:
        addresses = node.node.transport.listen_addresses()
        income = node.retail.income
        at = _At(node.peer, addresses, node.hub, node.node.clock, network, income)
        customer = await customer_of(at, CLIENT_KEY, 0, 10**13)
        try:
            yield node, customer
        finally:
            await customer.leave()


async def run(url, *arguments):
    return await asyncio.to_thread(quire, *arguments, api=url)


async def read(url, path):
    reply = await send(url, "GET", f"{QUIRE_BASE}{path}", {}, b"")
    return reply.status, json.loads(reply.body)


async def test_who_has_what_until_when_and_what_he_owes(tmp_path):
    async with shop(tmp_path) as (node, customer):
        status, empty = await read(node.url, "/leases")
        assert (status, empty["leases"], empty["clients"]) == (200, [], [])
        assert empty["freeBytes"] > MIB
        await customer.put(LINK, REPLICA, DAY)
        status, found = await read(node.url, "/leases")
        (lease,) = found["leases"]
        assert (lease["linkId"], lease["state"], lease["ended"]) == (LINK.hex(), "STORED", False)
        assert lease["client"] == address_text(CLIENT)
        assert (lease["sealedBytes"], lease["blocks"]) == (REPLICA.sealed_bytes, 6)
        assert lease["words"].startswith("kept until 2027-")
        (client,) = found["clients"]
        due = int(client["due"])
        assert 0 < due <= OWED
        assert client["words"].startswith(f"owes {due} tokens")
        assert found["heldBytes"] == 6 * BLOCK_BYTES
        await customer.pay(due)
        _, found = await read(node.url, "/leases")
        (client,) = found["clients"]
        assert (client["due"], client["words"]) == ("0", "owes nothing")
        assert client["received"] == str(due)
        status, one = await read(node.url, f"/leases/{LINK.hex()}")
        assert (status, one["state"]) == (200, "STORED")
        assert one["history"][0]["note"].startswith("room for 6 blocks")


async def test_the_terminal_shows_leases_and_one_of_them(tmp_path):
    async with shop(tmp_path) as (node, customer):
        nothing = await run(node.url, "leases")
        assert (nothing.code, "are free" in nothing.err) == (0, True)
        await customer.put(LINK, REPLICA, DAY)
        listed = (await run(node.url, "leases")).out.decode()
        assert f"{LINK.hex()}  STORED" in listed
        assert "owes" in listed
        assert address_text(CLIENT) in listed
        shown = (await run(node.url, "leases", LINK.hex())).out.decode()
        assert "6 of 6 blocks are here" in shown
        assert "every block is here" in shown  # its history
        (lease,) = (await run(node.url, "leases", "--json")).json["leases"]
        assert lease["linkId"] == LINK.hex()
        unknown = await run(node.url, "leases", "00" * 16)
        assert (unknown.code, "no lease of link" in unknown.err) == (3, True)
        why = (await run(node.url, "why", LINK.hex())).out.decode()
        assert "It is STORED: kept until" in why
        assert "The client has 1 replicas here and owes" in why


async def test_a_lease_is_watched_until_its_end(tmp_path):
    async with shop(tmp_path) as (node, customer):
        await customer.put(LINK, REPLICA, DAY)
        watching = asyncio.ensure_future(run(node.url, "leases", LINK.hex(), "--watch"))
        assert (await customer.ask(LINK, ReleaseRequest())).code is Code.OK
        watched = await watching
        assert watched.code == 1
        assert "the client does not want it any more" in watched.err


async def test_why_tells_of_a_link_at_both_ends(tmp_path):
    world, network = MemoryWorld(TERMS, RIGHT_NOW), memory_network()
    for account in (PROVIDER, CLIENT):
        world.mint(account, 10**18)
    terms = replace(SETTINGS, price_byte_second=1)
    async with (
        retail_node(tmp_path / "p", world, PROVIDER_KEY, network, providing=terms) as provider,
        retail_node(tmp_path / "c", world, CLIENT_KEY, network) as client,
    ):
        await introduce(client, provider)
        await client.hub.deposit(10**15)
        file = Encryption.of(bytes(32), Suite.AES_256_GCM, Header(100_000, "a.bin"))

        async def content(start: int) -> AsyncGenerator[bytes]:
            yield bytes(100_000)[start:]

        upload = client.node.store.begin_upload(block_size=BLOCK_BYTES)
        async for piece in encrypted(file, content):
            await upload.write(piece)
        cap = file.read_cap((await upload.commit()).manifest_cid)
        assert client.retail.keeping is not None
        uploads = client.retail.keeping.uploads
        key = await uploads.put(repair_of(cap), UploadOrder(redundancy=1, seconds=DAY))
        status = await uploads.wait(key, client.node.clock.monotonic() + 20)
        assert status.state == "UPLOADED"
        (link,) = status.links
        why = (await run(client.url, "why", key)).out.decode()
        assert "at providers: UPLOADED" in why
        assert "Its links: 1 SIGNED." in why
        why = (await run(client.url, "why", link.link_id)).out.decode()
        assert "replica 0 of chunk 0" in why
        assert "2 of 2 blocks were acknowledged" in why
        why = (await run(provider.url, "why", link.link_id)).out.decode()
        assert "It is STORED" in why
        assert "1 replicas here and owes nothing" in why


@pytest.mark.parametrize("path", ["/leases/12", "/leases/zz", "/links/0x12/why"])
async def test_what_is_no_link_is_refused(tmp_path, path):
    async with shop(tmp_path) as (node, _):
        status, body = await read(node.url, path)
        assert (status, "32 hexadecimal digits" in body["message"]) == (400, True)
        status, _ = await read(node.url, f"/links/{'00' * 16}/why")
        assert status == 404


async def test_a_node_that_keeps_no_replicas_says_so(tmp_path):
    async with live_node(tmp_path) as (_, url):
        status, body = await read(url, "/leases")
        assert (status, "--provider" in body["message"]) == (503, True)
        assert (await run(url, "leases")).code == 4


async def test_metrics_tell_of_leases(tmp_path):
    async with shop(tmp_path) as (node, customer):
        await customer.put(LINK, REPLICA, DAY)
        reply = await send(node.url, "GET", f"{QUIRE_BASE}/metrics", {}, b"")
        text = reply.body.decode()
        assert 'quire_leases{state="STORED"} 1.0' in text
        assert f"quire_lease_bytes {6 * BLOCK_BYTES}.0" in text
        assert 'quire_provider_answers_total{code="OK"}' in text
