"""Parts of content, conditions, names and types on the wire; blocks; empty datasets; lists."""

import base64
import hashlib
import json
import random
from email import message_from_bytes

import pytest

from quire.faces.rest.route import QUIRE_BASE
from quire.formats.cid import Cid, block_cid
from quire.formats.merkle import decode_proof
from support.http import send
from support.live import live_node, memory_network

BASE = "/api/codex/v1"
DATA = random.Random(1).randbytes(200_000)
EMPTY = "zDvZRwzkxiLvo2qrK9a74T9meg7wuk7q436Lb8GxT6HcZeu95eZF"


async def put(url, data=DATA, query="", **headers):
    reply = await send(url, "POST", f"{BASE}/data{query}", headers, data)
    assert reply.status == 200, reply.text
    return reply.text


async def test_several_ranges_come_as_parts_of_one_answer(tmp_path):
    async with live_node(tmp_path) as (_, url):
        path = f"{BASE}/data/{await put(url, **{'Content-Type': 'video/mp4'})}"
        reply = await send(url, "GET", path, {"Range": "bytes=100000-100009,0-4,-3"})
        assert reply.status == 206
        assert "content-range" not in reply.headers
        kind = reply.headers["content-type"]
        assert kind.startswith("multipart/byteranges; boundary=")
        whole = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + reply.body)
        parts = [(p["Content-Range"], p.get_payload(decode=True)) for p in whole.get_payload()]
        assert parts == [
            ("bytes 100000-100009/200000", DATA[100_000:100_010]),
            ("bytes 0-4/200000", DATA[:5]),
            ("bytes 199997-199999/200000", DATA[-3:]),
        ]
        assert {p.get_content_type() for p in whole.get_payload()} == {"video/mp4"}


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [("bytes=0-9,5-20", 0, 21), ("bytes=0-,0-,1-", 0, 200_000), ("bytes=9-9,300000-", 9, 10)],
)
async def test_ranges_that_overlap_are_one(tmp_path, wanted, start, stop):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, "GET", f"{BASE}/data/{await put(url)}", {"Range": wanted})
        assert (reply.status, reply.body) == (206, DATA[start:stop])
        assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/200000"


async def test_a_hundred_tiny_ranges_give_the_whole_once(tmp_path):
    async with live_node(tmp_path) as (_, url):
        wanted = "bytes=" + ",".join(f"{n * 2000}-{n * 2000}" for n in range(100))
        reply = await send(url, "GET", f"{BASE}/data/{await put(url)}", {"Range": wanted})
        assert (reply.status, reply.body) == (200, DATA)


@pytest.mark.parametrize("tail", ["", "/network/stream"])
async def test_conditions_and_headers_are_the_same_everywhere(tmp_path, tail):
    async with live_node(tmp_path) as (_, url):
        cid = await put(url)
        path = f"{BASE}/data/{cid}{tail}"
        head = await send(url, "HEAD", path, {"Range": "bytes=0-1"})
        assert (head.status, head.headers["content-length"]) == (200, "200000")
        assert head.headers["etag"] == f'"{cid}"'
        assert head.headers["accept-ranges"] == "bytes"
        assert "immutable" in head.headers["cache-control"]
        unchanged = await send(url, "GET", path, {"If-None-Match": f'W/"{cid}", "x"'})
        assert (unchanged.status, unchanged.headers["etag"]) == (304, f'"{cid}"')
        assert (await send(url, "HEAD", path, {"If-None-Match": "*"})).status == 304
        failed = await send(url, "GET", path, {"If-Match": '"x"'})
        assert failed.status == 412
        assert cid in failed.text
        assert (await send(url, "GET", path, {"If-Match": f'"{cid}"'})).status == 200


@pytest.mark.parametrize(
    ("media_type", "shown"),
    [("image/png", True), ("text/plain", True), ("text/html", False), ("image/svg+xml", False)],
)
async def test_only_safe_types_are_shown_inline(tmp_path, media_type, shown):
    async with live_node(tmp_path) as (_, url):
        named = {"Content-Type": media_type, "Content-Disposition": 'attachment; filename="a.b"'}
        path = f"{BASE}/data/{await put(url, b'x', **named)}"
        plain = await send(url, "GET", path)
        assert plain.headers["content-disposition"] == 'attachment; filename="a.b"'
        asked = await send(url, "GET", f"{path}?inline=1")
        kind = "inline" if shown else "attachment"
        assert asked.headers["content-disposition"] == f'{kind}; filename="a.b"'
        assert asked.headers["x-content-type-options"] == "nosniff"
        assert (await send(url, "GET", f"{path}?inline=maybe")).status == 400


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("text/plain; charset=utf-8", "text/plain"),
        ("image/avif", "image/avif"),
        ("application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
        ("Text/Markdown;variant=GFM", "Text/Markdown"),
        ("application/x-tar", "application/x-tar"),
    ],
)
async def test_any_valid_media_type_is_kept_without_parameters(tmp_path, given, stored):
    async with live_node(tmp_path) as (_, url):
        path = f"{BASE}/data/{await put(url, b'x', **{'Content-Type': given})}"
        assert (await send(url, "GET", path)).headers["content-type"] == stored


async def test_a_type_of_no_registered_kind_is_422_in_the_reference_s_words(tmp_path):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, "POST", f"{BASE}/data", {"Content-Type": "hello/world"}, b"x")
        assert (reply.status, reply.text) == (422, "The MIME type 'hello/world' is not valid.")


async def test_name_type_and_block_size_may_be_in_the_query(tmp_path):
    async with live_node(tmp_path) as (node, url):
        query = "?filename=na%C3%AFve%20a.txt&mimetype=text/markdown&blockSize=4096"
        header = {"Content-Type": "text/plain;charset=UTF-8", "Content-Disposition": "inline"}
        cid = await put(url, DATA, query, **header)
        manifest = (await node.store.dataset(Cid.parse(cid))).manifest
        assert (manifest.filename, manifest.mimetype) == ("naïve a.txt", "text/markdown")
        assert (manifest.block_size, manifest.block_count) == (4096, 49)
        assert (await send(url, "GET", f"{BASE}/data/{cid}")).body == DATA


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("blockSize=big", 400, "Invalid blockSize parameter"),
        ("blockSize=-4096", 400, "Invalid blockSize parameter"),
        ("blockSize=5000", 400, "blockSize must be a power of two between 4096 and 524288 bytes"),
        ("blockSize=0", 400, "blockSize must be a power of two between 4096 and 524288 bytes"),
        ("blockSize=1048576", 400, "blockSize must be a power of two"),
        ("mimetype=hello/world", 422, "The MIME type 'hello/world' is not valid."),
        ("mimetype=text", 422, "The MIME type 'text' is not valid."),
        ("filename=a/b", 422, "The filename is not valid."),
        ("filename=", 422, "The filename is not valid."),
    ],
)
async def test_what_the_query_may_not_say(tmp_path, query, status, text):
    async with live_node(tmp_path) as (node, url):
        reply = await send(url, "POST", f"{BASE}/data?{query}", {}, b"x")
        assert reply.status == status
        assert reply.text.startswith(text)
        assert await node.store.datasets() == []


async def test_a_single_block_is_had_by_its_own_cid_here_and_from_elsewhere(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (one, url_one),
        live_node(tmp_path / "b", network) as (_, url_two),
    ):
        await put(url_one)
        block = DATA[65536:131072]
        cid = block_cid(hashlib.sha256(block).digest())
        here = await send(url_one, "GET", f"{BASE}/data/{cid}")
        assert (here.status, here.body) == (200, block)
        assert here.headers["etag"] == f'"{cid}"'
        part = await send(url_one, "GET", f"{BASE}/data/{cid}", {"Range": "bytes=5-9"})
        assert (part.status, part.body) == (206, block[5:10])
        assert (await send(url_two, "GET", f"{BASE}/data/{cid}")).status == 404
        address = one.transport.listen_addresses()[0]
        await send(url_two, "GET", f"{BASE}/connect/{one.transport.peer_id}?addrs={address}")
        there = await send(url_two, "GET", f"{BASE}/data/{cid}/network/stream?timeout=20s")
        assert (there.status, there.body) == (200, block)
        deleted = await send(url_one, "DELETE", f"{BASE}/data/{cid}")
        assert deleted.status == 409
        assert deleted.text.startswith("Directly deleting a block")
        assert (await send(url_two, "DELETE", f"{BASE}/data/{cid}")).status == 204


@pytest.mark.parametrize("size", [1, 65536, 65537, 200_000, 70 * 65536])
async def test_every_block_comes_with_a_proof_that_leads_to_the_tree(tmp_path, size):
    data = random.Random(size).randbytes(size)
    async with live_node(tmp_path) as (node, url):
        cid = await put(url, data)
        dataset = await node.store.dataset(Cid.parse(cid))
        count = dataset.block_count
        for index in {0, count // 2, count - 1}:
            reply = await send(url, "GET", f"{BASE}/data/{cid}/blocks/{index}")
            assert reply.status == 200
            assert reply.body.startswith(data[index * 65536 : (index + 1) * 65536])
            assert len(reply.body) == 65536
            leaf = hashlib.sha256(reply.body).digest()
            assert reply.headers["quire-block-cid"] == str(block_cid(leaf))
            proof = decode_proof(base64.b64decode(reply.headers["quire-block-proof"]))
            proof.check(leaf, dataset.tree_root, index=index, leaf_count=count)
        assert (await send(url, "GET", f"{BASE}/data/{cid}/blocks/{count}")).status == 404
        for odd in ("-1", "x", "1.5", "9" * 30):
            assert (await send(url, "GET", f"{BASE}/data/{cid}/blocks/{odd}")).status == 400


@pytest.mark.parametrize("how", ["length 0", "no length", "no chunks"])
async def test_an_upload_without_bytes_is_a_dataset_and_comes_back(tmp_path, how):
    headers, body = {
        "length 0": ({"Content-Length": "0"}, b""),
        "no length": ({"Content-Length": None}, b""),
        "no chunks": ({"Content-Length": None, "Transfer-Encoding": "chunked"}, b"0\r\n\r\n"),
    }[how]
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (one, url_one),
        live_node(tmp_path / "b", network) as (_, url_two),
    ):
        stored = await send(url_one, "POST", f"{BASE}/data", headers, body)
        assert (stored.status, stored.text) == (200, EMPTY)
        path = f"{BASE}/data/{EMPTY}"
        (item,) = json.loads((await send(url_one, "GET", f"{BASE}/data")).body)["content"]
        assert (item["cid"], item["manifest"]["datasetSize"]) == (EMPTY, 0)
        for method in ("GET", "HEAD"):
            reply = await send(url_one, method, path, {"Range": "bytes=0-"})
            assert (reply.status, reply.body) == (200, b"")
            assert reply.headers["content-length"] == "0"
        state = json.loads((await send(url_one, "GET", f"{path}/status")).body)
        assert (state["presentBlocks"], state["totalBlocks"], state["complete"]) == (0, 0, True)
        assert (await send(url_one, "GET", f"{path}/blocks/0")).status == 404
        address = one.transport.listen_addresses()[0]
        await send(url_two, "GET", f"{BASE}/connect/{one.transport.peer_id}?addrs={address}")
        fetched = await send(url_two, "GET", f"{path}/network/stream?timeout=20s")
        assert (fetched.status, fetched.body) == (200, b"")
        assert json.loads((await send(url_two, "GET", f"{path}/exists")).body)["has"]
        for url in (url_one, url_two):
            assert (await send(url, "DELETE", path)).status == 204
            assert (await send(url, "GET", path)).status == 404
            space = json.loads((await send(url, "GET", f"{BASE}/space")).body)
            assert (space["totalBlocks"], space["quotaUsedBytes"]) == (0, 0)


async def test_deleting_one_of_two_datasets_with_the_same_blocks_leaves_the_other(tmp_path):
    async with live_node(tmp_path) as (node, url):
        first = await put(url, **{"Content-Disposition": 'attachment; filename="one"'})
        second = await put(url, **{"Content-Disposition": 'attachment; filename="two"'})
        longer = await put(url, DATA + bytes(65536))
        size = {cid: len((await node.store.dataset(Cid.parse(cid))).manifest_bytes)
                for cid in (first, second, longer)}  # fmt: skip

        async def space():
            await node.store.reclaimed()
            body = json.loads((await send(url, "GET", f"{BASE}/space")).body)
            return body["totalBlocks"], body["quotaUsedBytes"]

        # Three whole blocks are shared by all; the padded last ones and a block of zeros differ.
        last = len({hashlib.sha256(DATA[196608:].ljust(65536, b"\0")).digest()})
        blocks = 3 + last + 1
        assert await space() == (blocks + 3, blocks * 65536 + sum(size.values()))
        assert (await send(url, "DELETE", f"{BASE}/data/{first}")).status == 204
        assert await space() == (blocks + 2, blocks * 65536 + size[second] + size[longer])
        assert (await send(url, "GET", f"{BASE}/data/{second}")).body == DATA
        assert (await send(url, "DELETE", f"{BASE}/data/{longer}")).status == 204
        assert (await send(url, "GET", f"{BASE}/data/{second}")).body == DATA
        assert (await send(url, "DELETE", f"{BASE}/data/{second}")).status == 204
        assert await space() == (0, 0)


async def test_a_long_list_comes_in_pages_that_miss_and_repeat_nothing(tmp_path):
    async with live_node(tmp_path) as (_, url):
        cids = [await put(url, b"%d" % n) for n in range(7)]
        found, cursor = [], ""
        while True:
            reply = await send(url, "GET", f"{BASE}/data?limit=3{cursor}")
            body = json.loads(reply.body)
            found.append([item["cid"] for item in body["content"]])
            if len(found) == 1:
                await send(url, "DELETE", f"{BASE}/data/{cids[2]}")  # the cursor's own
                cids.append(await put(url, b"newer"))
            if "cursor" not in body:
                break
            cursor = f"&cursor={body['cursor']}"
        assert found == [cids[:3], cids[3:6], cids[6:]]
        assert list(json.loads((await send(url, "GET", f"{BASE}/data")).body)) == ["content"]
        for bad in ("limit=0", "limit=x", "limit=1&cursor=zDv", "limit=-1", f"limit={'9' * 20}"):
            assert (await send(url, "GET", f"{BASE}/data?{bad}")).status == 400


async def test_head_is_answered_wherever_get_is(tmp_path):
    async with live_node(tmp_path) as (_, url):
        cid = await put(url)
        for path in ("/data", "/space", f"/data/{cid}/exists", "/spr", "/peerid", "/debug/info"):
            get = await send(url, "GET", BASE + path)
            head = await send(url, "HEAD", BASE + path)
            assert (head.status, head.body) == (get.status, b"")
            assert head.headers["content-type"] == get.headers["content-type"]
        for path in ("/events", "/health", "/openapi.json", "/metrics", f"/datasets/{cid}/why"):
            assert (await send(url, "HEAD", QUIRE_BASE + path)).status == 200


async def test_a_method_that_a_path_does_not_know(tmp_path):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, "PUT", f"{BASE}/space")
        assert (reply.status, reply.body) == (404, b"")
        reply = await send(url, "PUT", f"{QUIRE_BASE}/space")
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert json.loads(reply.body)["code"] == "unknown-method"
