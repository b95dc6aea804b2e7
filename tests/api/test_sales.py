"""Selling storage over the API: as the reference answers, and with more words."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from quire.chain.abi import id_text, request_id, slot_id
from quire.chain.memory.market import MemoryMarket
from quire.faces.rest.route import QUIRE_BASE
from support.http import send
from support.live import live_node, memory_network
from support.memory_world import CLIENT, HOST, OTHER, a_world
from support.selling import mining, request_for, selling_node, verifiable

RECORDED = json.loads(
    (Path(__file__).parents[2] / "vectors" / "rest" / "sales.json").read_text("utf-8")
)
BASE = "/api/codex/v1"
OWN_WORDS = {  # texts about what is no JSON, or no number, are ours
    "avail bad json",
    "avail no body",
    "avail minPricePerBytePerSecond='abc'",
}
DIFFERENCES = {"avail totalSize=-1": 400}  # the reference's process ended
GOOD = {
    "totalSize": 10_000_000,
    "duration": 7200,
    "minPricePerBytePerSecond": "1",
    "totalCollateral": "100000000000",
}
NOBODY_S = "0x" + "11" * 32


async def ask(url, method, path, body=None, base=QUIRE_BASE):
    data = b"" if body is None else json.dumps(body).encode()
    reply = await send(url, method, base + path, {}, data)
    as_json = reply.headers.get("content-type", "").startswith("application/json")
    return reply.status, json.loads(reply.body) if as_json else reply.text


async def test_every_recorded_request_is_answered_as_the_reference_did(tmp_path):
    wrong = []
    async with selling_node(tmp_path, a_world(), storage_quota="20GiB") as seller:
        own: dict[str, str] = {}
        for vector in RECORDED["requests"]:
            path = BASE + vector["path"]
            for theirs, ours in own.items():
                path = path.replace(theirs, ours)
            body = vector["requestBody"].encode()
            reply = await send(seller.url, vector["method"], path, {}, body)
            if reply.status == 201 and vector["status"] == 201:
                own[json.loads(vector["body"])["id"]] = json.loads(reply.body)["id"]
            if fault := compare(vector, reply, own):
                wrong.append(f"{vector['name']}: {fault}")
        seller.sales.offers.ledger.accounts()[0].check()
    assert not wrong, "\n".join(wrong)
    assert len(RECORDED["requests"]) > 30


def compare(vector, reply, own) -> str:
    if vector["name"] in DIFFERENCES:
        return "" if reply.status == DIFFERENCES[vector["name"]] else str(reply.status)
    if (reply.status, reply.headers.get("content-type", "")) != (vector["status"], vector["type"]):
        return f"{reply.status} {reply.headers} {reply.text}"
    if vector["name"] in OWN_WORDS:
        return ""
    expected = vector["body"]
    for theirs, ours in own.items():
        expected = expected.replace(theirs, ours)
    return "" if reply.text == expected else f"{reply.text!r} is not {expected!r}"


async def test_an_offer_is_changed_counted_in_the_quota_and_withdrawn(tmp_path):
    async with selling_node(tmp_path, a_world(), storage_quota="1GiB") as seller:
        url = seller.url
        status, offer = await ask(url, "POST", "/sales/availability", GOOD)
        assert status == 201
        path = f"/sales/availability/{offer['id']}"
        assert (await ask(url, "GET", "/space", base=BASE))[1]["quotaReservedBytes"] == 10_000_000
        changes = {"totalSize": 20_000_000, "enabled": False, "totalCollateral": 5}
        assert (await ask(url, "PATCH", path, changes))[0] == 204
        _, [found] = await ask(url, "GET", "/sales/availability")
        assert found == offer | {
            "totalSize": 20_000_000,
            "freeSize": 20_000_000,
            "enabled": False,
            "totalCollateral": "5",
            "totalRemainingCollateral": "5",
        }
        assert (await ask(url, "GET", "/space", base=BASE))[1]["quotaReservedBytes"] == 20_000_000
        for bad in (
            {"totalSize": 1 << 40},
            {"totalSize": -1},
            {"totalSize": 1.5},
            {"duration": 0},
            {"until": -1},
            {"until": "7"},
            {"enabled": "yes"},
            {"freeSize": 7},
            {"minPricePerBytePerSecond": "0"},
            {"totalCollateral": "x"},
        ):
            status, body = await ask(url, "PATCH", path, bad)
            assert status in (400, 422), (bad, body)
        assert (await ask(url, "GET", "/sales/availability"))[1] == [found]
        assert (await ask(url, "DELETE", path))[0] == 204
        assert (await ask(url, "GET", "/sales/availability"))[1] == []
        assert (await ask(url, "GET", "/space", base=BASE))[1]["quotaReservedBytes"] == 0
        assert (await ask(url, "DELETE", path))[0] == 404


async def test_a_node_without_a_chain_says_so(tmp_path):
    async with live_node(tmp_path) as (_, url):
        for path in ("/sales/slots", f"/sales/slots/{NOBODY_S}", "/sales/availability"):
            assert await ask(url, "GET", path, base=BASE) == (503, "Persistence is not enabled")
        assert (await ask(url, "GET", "/sales"))[0] == 503


async def connect(url, node):
    (address,) = node.transport.listen_addresses()
    path = f"/connect/{node.transport.peer_id}?addrs={address}"
    assert (await send(url, "GET", QUIRE_BASE + path, {}, b"")).status == 200


async def until_state(seller, slot, *states):
    """What the API says of a sale once it is in one of the states."""
    for _ in range(600):
        status, found = await ask(seller.url, "GET", f"/sales/{slot}")
        if status == 200 and found["state"] in states:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_slots_are_bought_held_and_shown_and_another_host_computes_a_lost_one(tmp_path):
    """Real blocks on real stores; nobody serves the lost slot any more, its owner is gone."""
    world, network = a_world(period=10, timeout=5, downtime=1), memory_network()
    async with (
        mining(world),
        selling_node(tmp_path / "one", world, HOST, network) as one,
        selling_node(tmp_path / "two", world, OTHER, network) as two,
    ):
        _, offer = await ask(one.url, "POST", "/sales/availability", GOOD)
        async with live_node(tmp_path / "owner", network) as (owner, owner_url):
            dataset = await verifiable(owner, owner_url)
            await connect(one.url, owner)
            request = request_for(dataset)
            await MemoryMarket(world, CLIENT).request_storage(request)
            ids = [id_text(slot_id(request_id(request), index)) for index in range(6)]
            shown = [await until_state(one, slot, "SaleProving") for slot in ids]
        check_shown(shown[5], request)
        await check_reference(one.url, offer, ids, dataset.manifest_cid, request)

        await one.market.free_slot(slot_id(request_id(request), 3))
        lost = await until_state(one, ids[3], "SaleErrored")
        assert lost["money"]["lost"] == str(request.ask.slot_size)
        while await is_held(one, dataset, 3):
            await asyncio.sleep(0.05)
        await connect(two.url, one.node)
        await ask(two.url, "POST", "/sales/availability", GOOD)
        repaired = await until_state(two, ids[3], "SaleProving")
        assert repaired["repair"] is True
        assert await is_held(two, dataset, 3)
        _, why = await ask(two.url, "GET", f"/contracts/{ids[3]}/why")
        assert "the slot is held and proved until its end" in str(why)
        assert "computed from others" in str(why)


def check_shown(shown, request):
    assert shown["waitsFor"]["at"] > 0
    assert shown["money"]["collateral"] == str(request.ask.slot_size)
    assert shown["words"] == "the slot is held and proved until its end"
    assert len(shown["history"]) >= 7


async def check_reference(url, offer, ids, cid, request):
    """What clients of the reference read."""
    status, agent = await ask(url, "GET", f"/sales/slots/{ids[0]}", base=BASE)
    assert (status, agent["state"]) == (200, "SaleProving")
    assert agent["request"]["content"]["cid"] == str(cid)
    assert agent["reservation"]["size"] == 0
    _, slots = await ask(url, "GET", "/sales/slots", base=BASE)
    assert sorted(each["slotIndex"] for each in slots) == list(range(6))
    path = f"/sales/availability/{offer['id']}"
    _, found = await ask(url, "GET", f"{path}/reservations", base=BASE)
    assert len(found) == 6
    assert shape_of(found[0]) == shape_of(told("reserv 18182")[0])
    assert shape_of(slots[0]) == shape_of(told("slots 18182")[0])
    assert (await ask(url, "DELETE", path))[0] == 409
    _, [shown] = await ask(url, "GET", "/sales/availability")
    assert shape_of(shown) == shape_of(told("avail 18182")[0])
    assert shown["freeSize"] == 10_000_000 - 6 * request.ask.slot_size


def told(name):
    """What the reference said of a host that holds a slot."""
    return next(json.loads(each["body"]) for each in RECORDED["held"] if each["name"] == name)


def shape_of(value):
    """Names in order, and kinds of values."""
    if isinstance(value, dict):
        return [(name, shape_of(each)) for name, each in value.items()]
    return type(value)


async def is_held(seller, dataset, slot):
    state = await seller.node.parts.slot_holds.state(dataset.manifest_cid, slot)
    return state is not None and state.is_held
