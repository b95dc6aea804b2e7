"""Files kept at providers, through the API and the client for programs, on whole nodes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from quire import Client
from quire.base.errors import BadCap, InputError, NotFound, QuireError, Refused
from quire.base.units import MIB
from quire.chain.memory.world import MemoryWorld
from quire.formats.cap import ReadCap
from quire.kernels.signing import address_of
from quire.services.providing.settings import ProviderSettings
from support.command import quire
from support.http import send
from support.live import live_node, memory_network
from support.memory_world import RIGHT_NOW, TERMS
from support.retail_nodes import RetailNode, introduce, retail_node

DATA = random.Random(7).randbytes(2 * MIB)
TOKENS = 10**18
SETTINGS = ProviderSettings(1, 1, 1)


@dataclass
class Street:
    """Providers, a client that knows them, and a reader."""

    keepers: list[RetailNode]
    client: RetailNode
    reader: RetailNode


@asynccontextmanager
async def street(tmp_path, count: int = 3) -> AsyncGenerator[Street, None]:
    network = memory_network()
    keys = [bytes([0x40 + number]) * 32 for number in range(count + 2)]
    world = MemoryWorld(TERMS, RIGHT_NOW)
    for key in keys:
        world.mint(address_of(key), TOKENS)
    async with AsyncExitStack() as stack:
        keepers = [
            await stack.enter_async_context(
                retail_node(tmp_path / f"p{n}", world, key, network, providing=SETTINGS)
            )
            for n, key in enumerate(keys[:count])
        ]
        others = [
            await stack.enter_async_context(retail_node(tmp_path / f"c{n}", world, key, network))
            for n, key in enumerate(keys[count:])
        ]
        for one in others:
            for keeper in keepers:
                await introduce(one, keeper)
        for one in others:
            await one.hub.deposit(TOKENS // 10)
        yield Street(keepers, *others)


async def read(client: Client, cap: ReadCap | str, **span: int) -> bytes:
    return b"".join([piece async for piece in client.get_file(cap, **span)])


async def test_a_file_is_put_followed_renewed_and_read_elsewhere(tmp_path):
    async with (
        street(tmp_path) as here,
        Client(here.client.url) as client,
        Client(here.reader.url) as reader,
    ):
        put = await client.put_file(
            DATA, redundancy=2, expires_in=timedelta(hours=2), wait="durable"
        )
        assert put.read_cap is not None
        assert put.upload_id is not None
        status = await client.status(put.upload_id)
        assert (status["state"], status["replicas"]) == ("UPLOADED", [2])
        assert {link["state"] for link in status["links"]} == {"SIGNED"}
        assert status["cid"] == str(put.manifest_cid)
        paid = sum(keeper.retail.income.account(client_account(here)).received
                   for keeper in here.keepers)  # fmt: skip
        assert int(status["paid"]) == paid > 0
        assert put.read_cap.text not in str(status)
        again = await client.renew(put.upload_id, timedelta(hours=2))
        assert again["id"] == put.upload_id
        await until_shown(reader, put.read_cap)
        assert await read(reader, put.read_cap) == DATA
        assert (
            await read(reader, put.read_cap.text, start=100_000, end=100_100)
            == (DATA[100_000:100_100])
        )
        answer = await send(
            here.reader.url, "GET", "/api/quire/v1/files", {"Quire-Cap": put.read_cap.text}, b""
        )
        assert (answer.status, answer.body) == (200, DATA)
        assert sum(k.retail.income.account(address_of(b"\x44" * 32)).received
                   for k in here.keepers) > 0  # fmt: skip
        await client.release(put.upload_id)
        assert (await client.status(put.upload_id))["state"] == "RELEASED"
        with pytest.raises(Refused, match="released"):
            await client.renew(put.upload_id)


def client_account(here: Street) -> bytes:
    return here.client.retail.payments.payer


async def until_shown(reader: Client, cap: ReadCap) -> None:
    """Maps of replicas take their time."""
    async with asyncio.timeout(30):
        while True:
            body = {"cap": repair_text(cap)}
            try:
                found = await reader.node.json("POST", "/replicas/find", body=body)
                assert len(found["holders"]) == 2
                return
            except NotFound:
                await asyncio.sleep(0.2)


def repair_text(cap: ReadCap) -> str:
    from quire.dataset.envelope.derive import repair_of

    return repair_of(cap).text


async def test_events_tell_every_step_of_every_link(tmp_path):
    async with street(tmp_path, 1) as here, Client(here.client.url) as client:
        caps = await client.put(DATA)
        told: list[str] = []

        async def listen() -> None:
            async for event in client.node.events():
                told.append(event["kind"])
                if event["kind"] == "upload.uploaded":
                    return

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.2)
        upload = await client.node.json(
            "POST", "/replicas", body={"cap": repair_text(caps.read), "redundancy": 1}
        )
        async with asyncio.timeout(30):
            await listening
        steps = [kind for kind in told if kind.startswith("link.")]
        assert steps[:2] == ["link.CREATED", "link.AGREED"]
        assert steps[-1] == "link.SIGNED"
        history = (await client.status(upload["id"]))["history"]
        assert history[0]["note"].startswith("ordered: 1 replicas")


async def test_bad_orders_are_refused_in_words_and_leave_nothing(tmp_path):
    async with street(tmp_path, 1) as here, Client(here.client.url) as client:
        caps = await client.put(DATA)
        cap = repair_text(caps.read)
        flipped = cap[:40] + ("a" if cap[40] != "a" else "b") + cap[41:]
        for body, words in [
            ({}, "give a repair capability"),
            ({"cap": flipped}, "character 41"),
            ({"cap": caps.verify.text}, "cannot be made from a verify capability"),
            ({"cap": cap, "redundancy": 0}, "1 to 32 would work"),
            ({"cap": cap, "seconds": 5}, "600 to"),
            ({"cap": cap, "chunkBlocks": 3}, "4 to 1024 would work"),
            ({"cap": cap, "autorenew": 3}, "neither true nor false"),
            ({"cap": 3}, "is no text"),
        ]:
            with pytest.raises((InputError, BadCap)) as refused:
                await client.node.json("POST", "/replicas", body=body)
            assert words in refused.value.message
            assert cap not in str(refused.value.as_dict())
        assert await client.node.json("GET", "/replicas") == {"content": []}
        with pytest.raises(NotFound):
            await client.status("00" * 16)
        body = {"cap": cap, "start": 5, "stop": 1}
        with pytest.raises((InputError, NotFound)):
            await client.node.json("POST", "/replicas/read", body=body)
        with pytest.raises(InputError):
            await client.put_file(DATA, encrypt="none")
        with pytest.raises(InputError):
            await client.put_file(DATA, mode="both")


async def test_ciphertext_that_is_not_here_is_not_kept(tmp_path):
    async with street(tmp_path, 1) as here, Client(here.client.url) as client:
        caps = await client.put(DATA)
        await here.client.node.store.delete(caps.cid)
        with pytest.raises(NotFound, match="not on this node"):
            await client.node.json("POST", "/replicas", body={"cap": repair_text(caps.read)})


async def run(here: Street, *arguments: str, stdin: bytes = b""):
    return await asyncio.to_thread(quire, *arguments, api=here.client.url, stdin=stdin)


async def test_the_command_line_puts_follows_renews_releases_and_gets(tmp_path):
    async with street(tmp_path, 2) as here:
        empty = await run(here, "uploads")
        assert "nothing is kept" in empty.err
        done = await run(here, "put", "-", "--no-catalogue", "--retail", "--copies", "2",
                         "--for", "2h", "--wait", stdin=DATA)  # fmt: skip
        assert done.code == 0, done.err
        cap, *shown = done.out.decode().splitlines()
        assert cap.startswith("pn1r:")
        assert "UPLOADED" in shown[1]
        assert sum("SIGNED" in line for line in shown) == 2
        assert "ESTABLISH_PAYMENT_CHANNEL" in done.err or "SIGNED" in done.err
        (upload,) = (await run(here, "uploads", "--json")).json
        assert upload["state"] == "UPLOADED"
        assert (await run(here, "uploads", "--watch")).code == 0
        assert upload["id"] in (await run(here, "uploads")).out.decode()
        assert "kept until" in (await run(here, "renew", upload["id"], "--for", "2h")).err
        got = await asyncio.to_thread(quire, "get", cap, api=here.reader.url)
        assert got.out == DATA, got.err
        assert (await run(here, "release", upload["id"])).code == 0
        refused = await run(here, "uploads", upload["id"], "--watch")
        assert (refused.code, "released" in refused.out.decode()) == (1, True)
        for bad, words in [
            (("put", "-", "--retail", "--plain"), "does not go with --plain"),
            (("put", "-", "--budget", "3"), "go with --retail"),
            (("renew", "00"), "has no upload"),
        ]:
            failed = await run(here, *bad, stdin=b"x" * 100)
            assert (failed.code != 0, words in failed.err) == (True, True)


async def test_a_node_without_a_hub_says_so(tmp_path):
    async with live_node(tmp_path) as (_, url), Client(url) as client:
        with pytest.raises(QuireError, match="hub of payment channels"):
            await client.node.json("GET", "/replicas")
        answer = await send(url, "GET", "/api/quire/v1/replicas/1/events", {}, b"")
        assert answer.status == 503
