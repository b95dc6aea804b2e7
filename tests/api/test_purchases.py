"""Buying storage over the API: as the reference answers, and with more words."""

import asyncio
import json
from pathlib import Path

import pytest

from quire.faces.rest.route import QUIRE_BASE
from quire.market.purchase import At
from support.http import send
from support.live import live_node
from support.memory_world import CLIENT, HOST, TOKENS
from support.protect_kit import det
from support.trading import fill_all, trading_node

RECORDED = json.loads(
    (Path(__file__).parents[2] / "vectors" / "rest" / "storage.json").read_text("utf-8")
)["requests"]
BASE = "/api/codex/v1"
LARGE, SMALL = (
    "zDvZRwzm9j8zNaKr2PyVvhSU2mhqyF6CokKNLYFgt5eG1JkrFx9m",
    "zDvZRwzkygbcVT6aYm4RpxkKUdiGds2v5YDzYMQwP2WwjsrSTKvH",
)
ID = "6de666f8146633588e551ab1b118010b90b60426f7f7e608583335c22a9da369"  # of the recorded request
OWN_WORDS = {"request bad json"}
BODY = {
    "duration": 600,
    "proofProbability": "1",
    "pricePerBytePerSecond": "1",
    "collateralPerByte": "1",
    "expiry": 240,
    "nodes": 3,
    "tolerance": 1,
}
NOBODY_S = "0x" + "11" * 32


async def ask(url, method, path, body=None):
    data = b"" if body is None else json.dumps(body).encode()
    reply = await send(url, method, QUIRE_BASE + path, {"Content-Type": "application/json"}, data)
    return reply.status, json.loads(reply.body) if reply.body else None


async def put(url, data):
    return (await send(url, "POST", f"{BASE}/data", {}, data)).text


async def submitted(trader, request_id):
    while trader.purchases.find(bytes.fromhex(request_id)).at is At.PENDING:
        await asyncio.sleep(0.002)


async def test_every_recorded_request_is_answered_as_the_reference_did(tmp_path):
    wrong = []
    async with trading_node(tmp_path) as trader:
        own = {LARGE: await put(trader.url, det(1_000_000)), SMALL: await put(trader.url, det(100))}
        for vector in RECORDED:
            path = BASE + vector["path"]
            for theirs, ours in own.items():
                path = path.replace(theirs, ours)
            reply = await send(
                trader.url, vector["method"], path, {}, vector["requestBody"].encode()
            )
            if vector["name"] == "REQUEST":
                own[ID] = reply.text
                await submitted(trader, reply.text)
            fault = compare(vector, reply, own)
            if fault:
                wrong.append(f"{vector['name']}: {fault}")
    assert not wrong, "\n".join(wrong)
    assert len(RECORDED) > 25


def compare(vector, reply, own) -> str:
    if (reply.status, reply.headers["content-type"]) != (vector["status"], vector["type"]):
        return f"{reply.status} {reply.headers} {reply.text}"
    if vector["name"] in OWN_WORDS:
        return ""
    expected = vector["body"]
    for theirs, ours in own.items():
        expected = expected.replace(theirs, ours)
    if vector["name"] == "purchase final":
        return compare_purchase(json.loads(reply.text), json.loads(expected))
    return "" if reply.text == expected else f"{reply.text!r} is not {expected!r}"


def compare_purchase(ours, theirs) -> str:
    """Names, their order, kinds of values; and the values that are not of accounts or chance."""
    theirs["state"] = "submitted"  # nobody fills its slots here
    for name in ("client", "nonce", "content"):
        theirs["request"][name] = ours["request"][name]
    same = json.dumps(ours) == json.dumps(theirs)
    return "" if same else f"{ours} is not {theirs}"


async def test_a_node_without_a_chain_says_so_everywhere(tmp_path):
    async with live_node(tmp_path) as (_, url):
        for method, path in (
            ("POST", f"{BASE}/storage/request/{LARGE}"),
            ("GET", f"{BASE}/storage/purchases"),
            ("GET", f"{BASE}/storage/purchases/{NOBODY_S}"),
            ("POST", f"{QUIRE_BASE}/datasets/{LARGE}/quote"),
            ("POST", f"{QUIRE_BASE}/datasets/{LARGE}/request"),
            ("GET", f"{QUIRE_BASE}/purchases"),
            ("GET", f"{QUIRE_BASE}/purchases/{NOBODY_S}"),
        ):
            reply = await send(url, method, path, {}, b"{}" if method == "POST" else b"")
            assert reply.status == 503
            assert "Persistence is not enabled" in reply.text


async def test_a_quote_tells_the_cost_and_does_nothing(tmp_path):
    async with trading_node(tmp_path) as trader:
        cid = await put(trader.url, det(1_000_000))
        status, quote = await ask(trader.url, "POST", f"/datasets/{cid}/quote", BODY)
        assert status == 200
        assert (quote["cid"], quote["slotSize"], quote["nodes"]) == (cid, 524_288, 3)
        assert quote["maxPrice"] == str(3 * 600 * 524_288)
        assert quote["pricePerDay"] == str(3 * 86_400 * 524_288)
        assert quote["collateral"] == str(3 * 524_288)
        assert (quote["balance"], quote["missing"], quote["affordable"]) == (
            str(TOKENS),
            "0",
            True,
        )
        assert trader.world.state.requests == {}
        assert (await ask(trader.url, "GET", "/purchases"))[1] == {"purchases": []}


async def test_a_purchase_is_told_in_words_with_its_slots_and_its_money(tmp_path):
    async with trading_node(tmp_path) as trader:
        cid = await put(trader.url, det(300_000))
        status, bought = await ask(trader.url, "POST", f"/datasets/{cid}/request", BODY)
        assert status == 201
        path = f"/purchases/{bought['requestId']}"
        while (found := (await ask(trader.url, "GET", path))[1])["state"] == "pending":
            pass
        assert found["state"] == "submitted"
        assert found["words"].startswith("hosts can fill the slots, until ")
        assert found["waitsFor"] == {
            "reason": "hosts fill every slot",
            "at": found["expiresAt"] + 1,
        }
        assert [slot["state"] for slot in found["slots"]] == ["free"] * 3
        assert found["money"]["maxPrice"] == str(3 * 600 * found["request"]["ask"]["slotSize"])
        assert [note["note"] for note in found["history"]] == [
            "the request is being written to the chain, with its payment",
            found["words"],
        ]
        await fill_all(trader, bought["requestId"])
        while (found := (await ask(trader.url, "GET", path))[1])["state"] == "submitted":
            pass
        assert "this node may leave" in found["words"]
        assert [slot["state"] for slot in found["slots"]] == ["filled"] * 3
        assert found["slots"][0]["host"].lower() == "0x" + HOST.hex()
        _, listed = await ask(trader.url, "GET", "/purchases")
        assert [each["requestId"] for each in listed["purchases"]] == [bought["requestId"]]
        _, why = await ask(trader.url, "GET", f"/contracts/{bought['requestId']}/why")
        assert any("Its slots now: 3 filled." in sentence for sentence in why["sentences"])
        assert any("It waits: purchase started" in sentence for sentence in why["sentences"])


async def test_a_plan_chooses_nodes_tolerance_and_proof_rate(tmp_path):
    async with trading_node(tmp_path) as trader:
        cid = await put(trader.url, det(4_000_000))
        wish = {key: BODY[key] for key in ("pricePerBytePerSecond", "collateralPerByte", "expiry")}
        wish |= {"duration": 2_592_000, "nines": 3}
        status, quote = await ask(trader.url, "POST", f"/datasets/{cid}/quote", wish)
        assert status == 200
        assert quote["nines"] >= 3
        assert quote["nodes"] >= 2 * quote["tolerance"] >= 2
        assert quote["proofProbability"] == str(12 * 3600 // 30)
        status, refused = await ask(
            trader.url, "POST", f"/datasets/{cid}/quote", wish | {"nines": 99}
        )
        assert (status, refused["code"]) == (400, "input")


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"expiry": 600}, 422, "at most 599 s"),
        ({"tolerance": 2}, 422, "with 3 nodes a tolerance from 1 to 1"),
        ({"nodes": 12, "tolerance": 2}, 422, "that needs 655360 bytes"),
        ({"nodes": 300, "tolerance": 100}, 422, "200 nodes for the data"),
        ({"duration": 2_592_001}, 422, "2592000 s works"),
        ({"pricePerBytePerSecond": str(10**9)}, 402, "a price of "),
        ({"duration": -1}, 400, "Parsed integer outside of valid range"),
        ({"duration": 1.5}, 400, "duration is not a whole number"),
        ({"duration": True}, 400, "duration is not a whole number"),
        ({"collateralPerByte": "abc"}, 400, "collateralPerByte is not a whole number"),
        ({"collateralPerByte": str(2**256)}, 400, "outside of valid range"),
        ({"nines": "many"}, 400, "nines is not a number"),
    ],
)
async def test_bad_input_is_refused_early_with_numbers_that_work(tmp_path, change, status, words):
    async with trading_node(tmp_path) as trader:
        cid = await put(trader.url, det(300_000))
        for what in ("quote", "request"):
            path = f"/datasets/{cid}/{what}"
            found, error = await ask(trader.url, "POST", path, BODY | change)
            if (what, status) == ("quote", 402):
                assert not error["affordable"]
            else:
                assert (found, words in error["message"]) == (status, True), error
        assert trader.world.state.requests == {}
        assert trader.world.state.tokens[CLIENT] == TOKENS


async def test_bodies_that_are_none_and_unknown_things_are_refused(tmp_path):
    async with trading_node(tmp_path, request_timeout="0.2s") as trader:
        url, cid = trader.url, await put(trader.url, det(300_000))
        for body, words in ((b"[]", "not a JSON object"), (b"", "no JSON"), (b"\xff", "no JSON")):
            reply = await send(url, "POST", f"{BASE}/storage/request/{cid}", {}, body)
            assert (reply.status, words in reply.text) == (400, True)
        reply = await send(url, "POST", f"{BASE}/storage/request/{cid}", {}, b" " * 70_000)
        assert reply.status == 413
        assert (await ask(url, "GET", f"/purchases/{NOBODY_S}"))[0] == 404
        assert (await ask(url, "GET", f"/contracts/{NOBODY_S}/why"))[0] == 404
        assert (await ask(url, "GET", "/contracts/zz/why"))[0] == 400


async def test_a_dataset_that_nobody_has_is_refused(tmp_path):
    async with trading_node(tmp_path, request_timeout="0.2s") as trader:
        status, error = await ask(trader.url, "POST", f"/datasets/{SMALL}/request", BODY)
        assert status in (404, 504)
        assert SMALL in error["message"]
