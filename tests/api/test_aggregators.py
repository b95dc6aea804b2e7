"""Aggregators and their jobs at the API, on the command line, in the metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from quire.base.units import GIB, MIB
from quire.chain.abi import address_text
from quire.chain.memory.world import MemoryWorld
from quire.faces.rest.route import QUIRE_BASE
from quire.formats.aggregator_asking import AcceptEncode, QuoteRequest
from quire.formats.aggregator_codes import Service
from quire.kernels.signing import address_of
from quire.services.aggregating.settings import AggregatorSettings
from support.command import quire
from support.http import send
from support.live import live_node, memory_network
from support.memory_world import RIGHT_NOW, TERMS
from support.retail_nodes import RetailNode, introduce, retail_node

CLIENT, AGGREGATOR = bytes([1]) * 32, bytes([2]) * 32
TERMS_OF_WORK = AggregatorSettings(
    services=(Service.ENCODE,), encode_price=1024 * 1000, first_percent=60, max_bytes=64 * MIB
)


@dataclass
class Town:
    client: RetailNode
    aggregator: RetailNode


@asynccontextmanager
async def town(directory: Path) -> AsyncGenerator[Town]:
    """A client, and an aggregator that he is connected to."""
    world, network = MemoryWorld(TERMS, RIGHT_NOW), memory_network()
    for key in (CLIENT, AGGREGATOR):
        world.mint(address_of(key), 10**15)
    async with (
        retail_node(
            directory / "a", world, AGGREGATOR, network, aggregating=TERMS_OF_WORK
        ) as aggregator,
        retail_node(directory / "c", world, CLIENT, network) as client,
    ):
        await introduce(client, aggregator)
        yield Town(client, aggregator)


async def run(url, *arguments):
    return await asyncio.to_thread(quire, *arguments, api=url)


async def call(url, method, path, body=None):
    data = b"" if body is None else json.dumps(body).encode()
    reply = await send(url, method, f"{QUIRE_BASE}{path}", {}, data)
    return reply.status, json.loads(reply.body) if reply.body else None


async def test_aggregators_are_asked_what_they_take(tmp_path):
    async with town(tmp_path) as at:
        status, found = await call(at.client.url, "GET", "/aggregators?size=32m&service=encode")
        assert (status, found["size"], found["nodes"]) == (200, 32 * MIB, 3)
        (one,) = found["aggregators"]
        assert (one["peerId"], one["services"]) == (at.aggregator.peer, ["encode"])
        (offer,) = one["offers"]
        assert offer["payee"] == address_text(address_of(AGGREGATOR))
        assert (offer["price"], offer["priceFirst"]) == ("32000", "19200")
        assert offer["maxBytes"] == 64 * MIB
        shown = (await run(at.client.url, "aggregators", "--size", "32m")).out.decode()
        assert "32,000 tokens for 32.0 MiB in 2 + 1 rows" in shown
        assert "19,200 once checked" in shown


async def test_who_makes_no_offer_says_why(tmp_path):
    async with town(tmp_path) as at:
        via = f"via={at.aggregator.peer}"
        _, found = await call(at.client.url, "GET", f"/aggregators?size={GIB}&{via}")
        (one,) = found["aggregators"]
        assert one["offers"] == []
        assert "at most 64.0 MiB" in one["problems"]["encode"]
        assert "offered: ENCODE" in one["problems"]["prove"]
        shown = (await run(at.client.url, "aggregators", "--size", "1g")).out.decode()
        assert "at most 64.0 MiB" in shown


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("size=much", "not a size"),
        ("nodes=1", "nodes=1"),
        ("nodes=4&tolerance=4", "tolerance=4"),
        ("service=cook", "none of encode, prove, submit"),
        ("via=nobody", "names no peer"),
        ("via=auto&via=x", "not both"),
    ],
)
async def test_what_makes_no_sense_is_refused(tmp_path, query, words):
    async with retail_node(tmp_path, MemoryWorld(TERMS, RIGHT_NOW), CLIENT) as node:
        status, body = await call(node.url, "GET", f"/aggregators?{query}")
        assert (status, words in body["message"]) == (400, True), body


async def test_the_bond_is_put_in_and_announced_to_leave(tmp_path):
    async with town(tmp_path) as at:
        url = at.aggregator.url
        status, bond = await call(url, "GET", "/bond")
        assert (status, bond["amount"], bond["promised"]) == (200, "0", "0")
        status, bond = await call(url, "POST", "/bond/deposit", {"amount": "5000"})
        assert (status, bond["amount"]) == (200, "5000")
        status, error = await call(url, "POST", "/bond/announce", {"amount": "5001"})
        assert (status, "the bond has 5000" in error["message"]) == (400, True)
        shown = await run(url, "bond", "withdraw", "2000")
        assert (shown.code, "2,000 of them leave at" in shown.out.decode()) == (0, True)
        early = await run(url, "bond", "withdraw")
        assert (early.code != 0, early.out) == (True, b"")
        back = (await run(url, "bond", "withdraw", "0", "--json")).json
        assert (back["leaving"], back["leavesAt"]) == ("0", 0)
        status, error = await call(url, "POST", "/bond/deposit", {"amount": "0"})
        assert (status, "above 0" in error["message"]) == (400, True)


async def test_a_node_without_a_hub_says_so(tmp_path):
    async with live_node(tmp_path) as (_, url):
        for path in ("/jobs", f"/jobs/{'00' * 16}", "/aggregators", "/bond"):
            status, _ = await call(url, "GET", path)
            assert status == 503


async def test_what_is_no_job_is_refused(tmp_path):
    async with retail_node(tmp_path, MemoryWorld(TERMS, RIGHT_NOW), CLIENT) as node:
        for path in ("/jobs/12", "/jobs/zz", "/jobs/0x12/why"):
            status, body = await call(node.url, "GET", path)
            assert (status, "32 hexadecimal digits" in body["message"]) == (400, True)
        for path in (f"/jobs/{'00' * 16}", f"/jobs/{'00' * 16}/why"):
            assert (await call(node.url, "GET", path))[0] == 404
        assert (await call(node.url, "DELETE", f"/jobs/{'00' * 16}"))[0] == 404
        nothing = await run(node.url, "jobs")
        assert (nothing.code, "nothing is ordered" in nothing.err) == (0, True)


async def ended(url, path):
    """What is at a path, once it has ended."""
    while True:
        _, found = await call(url, "GET", path)
        if found["ended"]:
            return found
        await asyncio.sleep(0.05)


async def put(url, data):
    reply = await send(url, "POST", f"{QUIRE_BASE}/data", {}, data)
    return reply.body.decode().strip()


async def deposit(node, amount=10**12):
    assert (await call(node.url, "POST", "/channels/deposit", {"amount": str(amount)}))[0] == 200


async def test_a_dataset_is_coded_checked_and_its_first_part_paid(tmp_path):
    async with town(tmp_path) as at:
        await deposit(at.client)
        client, content = at.client.url, bytes(range(256)) * 4096
        cid = await put(client, content)
        body = {"cid": cid, "nodes": 6, "tolerance": 2, "via": at.aggregator.peer}
        status, begun = await call(client, "POST", "/encodings", body)
        assert (status, begun["columns"], begun["checks"]) == (202, 4, 4)
        done = await ended(client, f"/encodings/{begun['id']}")
        assert (done["state"], done["error"]) == ("complete", None), done
        (order,) = done["orders"]
        assert order["result"]["cid"] == done["result"]
        job = order["jobId"]
        async with asyncio.timeout(60):  # the result is there before it is paid
            while (found := (await call(client, "GET", f"/jobs/{job}"))[1])["state"] != "serving":
                await asyncio.sleep(0.01)
        assert (found["side"], found["service"], found["subject"]) == ("order", "encode", cid)
        assert (found["price"], found["paid"]) == ("1000", "600")
        _, other = await call(at.aggregator.url, "GET", f"/jobs/{job}")
        assert (other["side"], other["state"], other["paid"]) == ("job", "serving", "600")
        assert other["subject"] == cid
        why = (await run(client, "why", job)).out.decode()
        assert f"at the aggregator {at.aggregator.peer}: coding {cid} (1.0 MiB)" in why
        assert "It was checked before it was paid" in why
        assert "600 of 1,000 tokens were paid." in why
        why = (await run(at.aggregator.url, "why", job)).out.decode()
        assert f"does it for {address_text(address_of(CLIENT))}" in why
        assert "600 of 1,000 tokens were paid." in why
        told = [event.kind for event in at.client.node.events.history(job)]
        assert {"order.waiting", "order.progress", "order.check", "order.serving"} <= set(told)
        about = (await run(client, "why", cid)).out.decode()
        assert f"Order {job} at {at.aggregator.peer}" in about
        about = (await run(client, "why", done["result"])).out.decode()
        assert f"Order {job} at {at.aggregator.peer}" in about
        listed = (await run(client, "jobs")).out.decode()
        assert f"{job}  encode  serving    600 of 1,000 tokens paid" in listed
        text = (await send(client, "GET", f"{QUIRE_BASE}/metrics", {}, b"")).body.decode()
        assert 'quire_orders{service="encode",state="serving"} 1.0' in text
        assert 'quire_order_paid_tokens_total{service="encode"} 600.0' in text
        assert 'quire_order_check_seconds_count{service="encode"} 1.0' in text
        text = (await send(at.aggregator.url, "GET", f"{QUIRE_BASE}/metrics", {}, b"")).body
        assert b'quire_job_earned_tokens_total{service="encode"} 600.0' in text
        status, error = await call(client, "DELETE", f"/jobs/{job}")
        assert (status, "cannot be cancelled any more" in error["message"]) == (409, True)
        status, error = await call(client, "POST", f"/jobs/{'00' * 16}/settle")
        assert status == 404
        settled = await run(client, "jobs", "settle", job)
        assert (settled.code, "1,000 of 1,000 tokens paid" in settled.out.decode()) == (0, True)
        status, error = await call(client, "POST", f"/jobs/{job}/settle")
        assert (status, "nothing is served" in error["message"]) == (409, True)
        status, error = await call(at.aggregator.url, "DELETE", f"/jobs/{job}")
        assert (status, "another node's order" in error["message"]) == (409, True)


async def test_a_stream_is_coded_and_nothing_of_it_is_kept(tmp_path):
    async with town(tmp_path) as at:
        await deposit(at.client)
        content, run_id = bytes(range(256)) * 4096, "ab" * 16
        path = f"/encodings/stream?nodes=6&tolerance=2&id={run_id}&filename=a.bin"
        reply = await send(at.client.url, "POST", f"{QUIRE_BASE}{path}", {}, content)
        done = json.loads(reply.body)
        assert (reply.status, done["state"], done["id"]) == (201, "complete", run_id), done
        assert done["orders"][0]["subject"] == run_id
        _, stat = await call(at.client.url, "GET", f"/datasets/{done['result']}")
        assert stat["presentBlocks"] == 0
        again = await send(at.client.url, "POST", f"{QUIRE_BASE}{path}", {}, content)
        assert (again.status, b"take another id" in again.body) == (400, True)


async def test_what_nobody_codes_is_told_with_the_reason(tmp_path):
    async with town(tmp_path) as at:
        cid = await put(at.client.url, bytes(65 * MIB))
        _, begun = await call(at.client.url, "POST", "/encodings", {"cid": cid})
        done = await ended(at.client.url, f"/encodings/{begun['id']}")
        assert (done["state"], done["result"]) == ("failed", None)
        assert "at most 64.0 MiB" in done["words"]
        status, _ = await call(at.client.url, "DELETE", f"/encodings/{begun['id']}")
        assert status == 409


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"cid": "zzz"}, 400),
        ({"cid": "zDvZRwzm2mMbT9Vxb8oYm8M1dBBqAkvWKZ3nM7CZjTBPCMHnmbCc"}, 404),
        ({"nodes": 6, "tolerance": 4}, 422),
        ({"nodes": 6, "tolerance": 0}, 400),
        ({"confidence": 2}, 400),
        ({"confidence": "much"}, 400),
        ({"via": 5}, 400),
        ({"via": ["auto", "x"]}, 400),
    ],
)
async def test_an_encoding_that_makes_no_sense_is_refused(tmp_path, body, status):
    async with retail_node(tmp_path, MemoryWorld(TERMS, RIGHT_NOW), CLIENT) as node:
        if body and "cid" not in body:
            body = {"cid": await put(node.url, bytes(MIB)), **body}
        found = await call(node.url, "POST", "/encodings", body)
        assert found[0] == status, found


TERMS_OF_BID = ("--for", "1h", "--price", "1", "--collateral", "1", "--nodes", "6",
                "--tolerance", "2")  # fmt: skip


async def test_a_request_is_coded_elsewhere_and_tells_what_happens(tmp_path):
    async with town(tmp_path) as at:
        cid = await put(at.client.url, bytes(range(256)) * 4096)
        quoted = await run(at.client.url, "request", cid, *TERMS_OF_BID, "--via", "auto", "--quote")
        assert "coding   1,000 tokens to …" in quoted.out.decode()
        assert "600 of them once checked" in quoted.out.decode()
        bought = await run(at.client.url, "request", cid, *TERMS_OF_BID, "--via", "auto", "--yes")
        assert bought.code == 0, bought.err
        out = bought.out.decode()
        assert "checked  " in out
        assert "paid     600 tokens for the coding; 400 more when hosts have" in out
        request_id = out.splitlines()[-1]
        (purchase,) = (await call(at.client.url, "GET", "/purchases"))[1]["purchases"]
        assert purchase["requestId"] == request_id
        (order,) = (await run(at.client.url, "jobs", "--json")).json["orders"]
        assert purchase["cid"] == order["result"]["cid"]
        assert f"{order['state']}: " in bought.err or "waiting: " in bought.err


async def test_one_request_at_the_api_does_all_of_it(tmp_path):
    async with town(tmp_path) as at:
        cid = await put(at.client.url, bytes(range(256)) * 4096)
        body = {"duration": 3600, "expiry": 1800, "proofProbability": "100",
                "pricePerBytePerSecond": "1", "collateralPerByte": "1",
                "nodes": 6, "tolerance": 2, "via": "auto"}  # fmt: skip
        status, purchase = await call(at.client.url, "POST", f"/datasets/{cid}/request", body)
        assert status == 201, purchase
        (order,) = (await call(at.client.url, "GET", "/jobs"))[1]["orders"]
        assert purchase["cid"] == order["result"]["cid"]
        body |= {"nodes": 5, "maxPrice": "999"}
        status, error = await call(at.client.url, "POST", f"/datasets/{cid}/request", body)
        assert (status, "no more than 999 tokens" in error["message"]) == (409, True), error
        body |= {"via": at.client.peer, "maxPrice": "1000"}
        status, error = await call(at.client.url, "POST", f"/datasets/{cid}/request", body)
        assert (status, "no aggregator offers" in error["message"]) == (409, True), error


async def test_a_stream_is_encrypted_on_its_way_and_bought_for(tmp_path):
    async with town(tmp_path) as at:
        file = tmp_path / "letter.txt"
        file.write_bytes(b"dear aggregator, " * 60_000)
        bought = await run(
            at.client.url, "request", "--stream", str(file), *TERMS_OF_BID, "--via",
            at.aggregator.peer, "--yes", "--json",
        )  # fmt: skip
        assert bought.code == 0, bought.err
        assert bought.json["cap"]
        stat = (await call(at.client.url, "GET", f"/datasets/{bought.json['cid']}"))[1]
        assert stat["presentBlocks"] == 0
        got = await run(at.client.url, "get", bought.json["cap"], "-o", str(tmp_path / "back"))
        assert got.code == 0, got.err
        assert (tmp_path / "back").read_bytes() == file.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a CID, or --stream FILE"),
        (("CID", "--stream", "x"), "a CID, or --stream FILE"),
        (("CID", "--size", "5"), "about --stream"),
        (("CID", "--plain"), "about --stream"),
        (("--stream", "x"), "give --via auto"),
        (("--stream", "x", "--via", "auto"), "cannot be read"),
        (("--stream", "-", "--via", "auto"), "give its --size"),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(tmp_path, arguments, words):
    found = await run("http://127.0.0.1:1", "request", *arguments, *TERMS_OF_BID, "--yes")
    assert (found.code, words in found.err) == (2, True), found.err


@pytest.mark.parametrize("asked", [QuoteRequest, AcceptEncode])
async def test_an_encoding_is_given_up_before_anything_is_paid(tmp_path, asked):
    async with town(tmp_path) as at:
        aggregator, silent = at.aggregator.aggregation.aggregator, asyncio.Event()
        answer = aggregator._answer

        async def hang(peer, request):
            if isinstance(request.body, asked):
                silent.set()
                await asyncio.sleep(1000)
            return await answer(peer, request)

        aggregator._answer = hang
        cid = await put(at.client.url, bytes(MIB))
        _, begun = await call(at.client.url, "POST", "/encodings", {"cid": cid})
        await silent.wait()
        path = f"/encodings/{begun['id']}"
        assert (await call(at.client.url, "DELETE", path))[0] == 204
        done = await ended(at.client.url, path)
        assert (done["state"], done["result"]) == ("cancelled", None)
        assert [order["state"] for order in done["orders"]] in ([], ["cancelled"])
        assert all(order["paid"] == "0" for order in done["orders"])
        assert (await call(at.client.url, "DELETE", path))[0] == 409
