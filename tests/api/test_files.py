"""/files: the node encrypts and decrypts; ranges, names, wrong capabilities, another node."""

import json
import random

import pytest

from quire.dataset.envelope.derive import repair_of, verify_of
from quire.formats.cap import LiteralCap, ReadCap, parse_cap
from support.http import send
from support.live import live_node, memory_network

FILES = "/api/quire/v1/files"
DATA = random.Random(7).randbytes(200_000)


async def put(url, data=DATA, query="", **headers):
    reply = await send(url, "POST", FILES + query, headers, data)
    assert reply.status == 201, reply.text
    assert reply.headers["cache-control"] == "no-store"
    return json.loads(reply.body)


async def get(url, cap, method="GET", query="", **headers):
    return await send(url, method, FILES + query, {"Quire-Cap": cap} | headers)


@pytest.mark.parametrize("size", [0, 1, 65_000, 65_520, 200_000])
async def test_what_was_put_comes_back_under_its_capability(tmp_path, size):
    async with live_node(tmp_path) as (_, url):
        made = await put(url, DATA[:size], **{"Content-Type": "image/png"})
        assert made["size"] == size <= made["storedSize"]
        reply = await get(url, made["cap"])
        assert (reply.status, reply.body) == (200, DATA[:size])
        assert reply.headers["content-type"] == "image/png"
        assert (reply.headers["cache-control"], reply.headers["vary"]) == ("no-store", "Quire-Cap")
        read = parse_cap(made["cap"])
        assert repair_of(read).text == made["repairCap"]
        assert verify_of(read).text == made["verifyCap"]
        assert str(read.cid) == made["cid"]


async def test_the_store_holds_neither_content_nor_name(tmp_path):
    async with live_node(tmp_path / "node") as (node, url):
        made = await put(url, query="?filename=tax-return-2026.pdf")
        reply = await get(url, made["cap"])
        assert 'filename="tax-return-2026.pdf"' in reply.headers["content-disposition"]
        manifest = (await node.store.datasets())[0].manifest
        assert (manifest.filename, manifest.mimetype) == (None, None)
        assert manifest.dataset_size == made["storedSize"]
    windows = {DATA[i : i + 32] for i in range(len(DATA) - 31)}
    for path in tmp_path.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            assert b"tax-return" not in held
            assert parse_cap(made["cap"]).file_key not in held
            assert not any(held[i : i + 32] in windows for i in range(max(0, len(held) - 31)))


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=65400-65600", 65_400, 65_601),
        ("bytes=131000-", 131_000, 200_000),
        ("bytes=-5", 199_995, 200_000),
    ],
)
async def test_a_range_is_206_and_exactly_those_bytes(tmp_path, wanted, start, stop):
    async with live_node(tmp_path) as (_, url):
        cap = (await put(url))["cap"]
        reply = await get(url, cap, Range=wanted)
        assert (reply.status, reply.body) == (206, DATA[start:stop])
        assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/200000"


async def test_head_and_validators_know_the_content(tmp_path):
    async with live_node(tmp_path) as (_, url):
        cap = (await put(url))["cap"]
        head = await get(url, cap, "HEAD")
        assert (head.status, head.headers["content-length"]) == (200, "200000")
        etag = head.headers["etag"]
        unchanged = await get(url, cap, **{"If-None-Match": etag})
        assert (unchanged.status, unchanged.headers["cache-control"]) == (304, "no-store")
        assert (await get(url, cap, Range="bytes=200000-")).status == 416


async def test_a_range_of_another_node_costs_three_blocks_at_most(tmp_path):
    """Record 0 for the header, and one or two with the bytes."""
    network = memory_network()
    data = random.Random(8).randbytes(3 << 20)
    async with (
        live_node(tmp_path / "a", network) as (one, url_one),
        live_node(tmp_path / "b", network) as (two, url_two),
    ):
        cap = (await put(url_one, data))["cap"]
        connect = f"/api/quire/v1/connect/{one.transport.peer_id}"
        address = one.transport.listen_addresses()[0]
        await send(url_two, "GET", f"{connect}?addrs={address}")
        reply = await get(url_two, cap, query="?timeout=20s", Range="bytes=1000000-1000099")
        assert (reply.status, reply.body) == (206, data[1_000_000:1_000_100])
        (dataset,) = await two.store.datasets()
        assert two.store.tree(dataset.tree_root).blocks.count() <= 3


async def test_a_capability_of_another_key_is_refused_after_one_block(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (one, url_one),
        live_node(tmp_path / "b", network) as (two, url_two),
    ):
        read = parse_cap((await put(url_one))["cap"])
        wrong = ReadCap(read.suite, read.flags, read.cid, bytes(31) + b"\1")
        connect = f"/api/quire/v1/connect/{one.transport.peer_id}"
        address = one.transport.listen_addresses()[0]
        await send(url_two, "GET", f"{connect}?addrs={address}")
        reply = await get(url_two, wrong.text, query="?timeout=20s")
        assert (reply.status, json.loads(reply.body)["code"]) == (422, "wrong-key")
        (dataset,) = await two.store.datasets()
        assert two.store.tree(dataset.tree_root).blocks.count() <= 1


async def test_a_literal_needs_no_dataset(tmp_path):
    async with live_node(tmp_path) as (_, url):
        reply = await get(url, LiteralCap(b"hello").text, Range="bytes=1-3")
        assert (reply.status, reply.body) == (206, b"ell")


@pytest.mark.parametrize("kind", ["", "pn1r:abc", "verify", "repair", "flipped", "twice", "plain"])
async def test_other_capabilities_are_refused_without_being_told(tmp_path, kind):
    async with live_node(tmp_path) as (_, url):
        made = await put(url)
        flipped = made["cap"][:80] + ("a" if made["cap"][80] != "a" else "b") + made["cap"][81:]
        kinds = {"verify": made["verifyCap"], "repair": made["repairCap"], "flipped": flipped}
        cap = kinds.get(kind, made["cid"] if kind == "plain" else kind)
        more = [("Quire-Cap", made["cap"])] * 2 if kind == "twice" else [("Quire-Cap", cap)]
        reply = await send(url, "GET", FILES, more=more)
        assert (reply.status, json.loads(reply.body)["code"]) == (400, "bad-cap")
        assert made["cap"][6:30] not in reply.text
        if kind == "flipped":
            assert "character 81 of" in reply.text


async def test_a_plain_dataset_is_no_encrypted_one(tmp_path):
    async with live_node(tmp_path) as (_, url):
        read = parse_cap((await put(url))["cap"])
        for data in (b"", b"short", DATA):
            plain = await send(url, "POST", "/api/quire/v1/data", {}, data)
            cid = type(read.cid).parse(plain.text)
            cap = ReadCap(read.suite, read.flags, cid, read.file_key)
            assert (await get(url, cap.text)).status in (422, 500)


async def test_a_body_without_length_or_cut_short_leaves_nothing(tmp_path):
    async with live_node(tmp_path) as (node, url):
        chunked = {"Content-Length": None, "Transfer-Encoding": "chunked"}
        reply = await send(url, "POST", FILES, chunked, b"3\r\nabc\r\n0\r\n\r\n")
        assert reply.status == 411
        assert await node.store.datasets() == []


async def test_padding_can_be_left_away(tmp_path):
    async with live_node(tmp_path) as (_, url):
        exact = await put(url, query="?exact=1")
        assert exact["storedSize"] == 200_000 + 12 + 4 * 16
        assert (await put(url))["storedSize"] > exact["storedSize"]
        assert (await get(url, exact["cap"])).body == DATA
