"""/pointers: signed values are kept, offered to peers, found again; others are refused."""

import json
import random

import pytest

from quire.dataset.envelope.signed_blob import CATALOGUE_LABEL, BlobKeys, decode_blob
from quire.formats.replica import ReplicaAnswer, ReplicaRequest, decode_answer
from quire.formats.replica_asking import MapGet, OfferRequest
from quire.formats.replica_codes import Code
from support.http import send
from support.live import live_node, memory_network

POINTERS = "/api/quire/v1/pointers"
OWNER = BlobKeys(CATALOGUE_LABEL, b"k" * 32, b"s" * 32)


def value(version, plain=b"plain"):
    return OWNER.seal(version, random.Random(version).randbytes(12), plain)


async def put(url, data):
    return await send(url, "PUT", POINTERS, {}, data)


async def get(url, locator=None, timeout="2s"):
    locator = OWNER.locator.hex() if locator is None else locator
    return await send(url, "GET", f"{POINTERS}/{locator}?timeout={timeout}")


async def connect(url, other):
    address = other.transport.listen_addresses()[0]
    path = f"/api/quire/v1/connect/{other.transport.peer_id}?addrs={address}"
    assert (await send(url, "GET", path)).status == 200


async def test_a_value_is_kept_at_peers_and_found_by_strangers(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (_, url_one),
        live_node(tmp_path / "b", network) as (two, _),
        live_node(tmp_path / "c", network) as (_, url_three),
    ):
        await connect(url_one, two)
        told = json.loads((await put(url_one, value(3).encode())).body)
        assert told | {"locator": ""} == {
            "locator": "", "version": 3, "peersKeeping": 1, "peersAsked": 1,
        }  # fmt: skip
        assert two.pointing.pointers.get(OWNER.locator) == value(3)
        await connect(url_three, two)
        reply = await get(url_three, timeout="10s")
        assert (reply.status, OWNER.open(decode_blob(reply.body))) == (200, b"plain")


async def test_the_highest_version_of_several_peers_counts(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (one, _),
        live_node(tmp_path / "b", network) as (two, _),
        live_node(tmp_path / "c", network) as (_, url),
    ):
        await one.pointing.pointers.put(value(3))
        await two.pointing.pointers.put(value(5))
        for other in (one, two):
            await connect(url, other)
        assert decode_blob((await get(url, timeout="10s")).body).version == 5


async def test_a_value_outlives_a_restart(tmp_path):
    async with live_node(tmp_path) as (_, url):
        assert (await put(url, value(1).encode())).status == 200
    async with live_node(tmp_path) as (_, url):
        assert decode_blob((await get(url)).body) == value(1)


async def test_old_forged_and_overlong_values_are_refused_in_words(tmp_path):
    async with live_node(tmp_path) as (_, url):
        assert (await put(url, value(4).encode())).status == 200
        older = await put(url, value(3).encode())
        assert (older.status, "has version 4" in older.text) == (409, True)
        forged = bytearray(value(9).encode())
        forged[-1] ^= 1
        assert (await put(url, bytes(forged))).status == 400
        assert (await put(url, b"short")).status == 400
        assert (await put(url, bytes(1024 * 1024 + 1))).status == 413
        assert decode_blob((await get(url)).body).version == 4


@pytest.mark.parametrize(("locator", "status"), [("00", 400), ("zz" * 32, 400), ("00" * 32, 404)])
async def test_other_locators_are_refused(tmp_path, locator, status):
    async with live_node(tmp_path) as (_, url):
        assert (await get(url, locator, timeout="0.2s")).status == status


async def test_a_node_without_replicas_answers_for_values_alone(tmp_path):
    async with live_node(tmp_path) as (node, _):
        exchange = node.pointing.exchange

        async def ask(body) -> ReplicaAnswer:
            asked = b"".join(ReplicaRequest(bytes(16), body).segments())
            return decode_answer(b"".join(await exchange.answer("peer", memoryview(asked))))

        assert (await ask(MapGet(bytes(32)))).code is Code.NOT_FOUND
        assert (await ask(OfferRequest(1, 1))).code is Code.REFUSED
        junk = await exchange.answer("peer", memoryview(b"junk"))
        assert decode_answer(b"".join(junk)).code is Code.REFUSED
