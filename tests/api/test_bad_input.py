"""Bad input: a clear answer in words, the right status, and nothing left behind."""

import asyncio
import json
import os

import pytest

from quire.base.errors import PortInUse, StoreLocked, UnsafePermissions
from quire.formats.cid import block_cid, manifest_cid, tree_cid
from support.http import read_reply, send, send_raw
from support.live import live_node, make_node, serving

BASE = "/api/codex/v1"
UNKNOWN = str(manifest_cid(b"nobody has this"))
LEAF, TREE = str(block_cid(bytes(32))), str(tree_cid(bytes(32)))


async def left_behind(node, url):
    """What a failed request left: datasets and bytes of the quota."""
    space = json.loads((await send(url, "GET", f"{BASE}/space")).body)
    await node.store.reclaimed()
    return await node.store.datasets(), space["quotaUsedBytes"], space["quotaReservedBytes"]


@pytest.mark.parametrize("cid", ["notacid", "z", "z0OIl", "zDv", "%00", "z" * 500])
@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/exists"),
        ("GET", "/network/manifest"),
        ("GET", "/network/stream"),
        ("POST", "/network"),
    ],
)
async def test_a_cid_that_cannot_be_read_is_400_everywhere(tmp_path, cid, method, tail):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, method, f"{BASE}/data/{cid}{tail}")
        assert (reply.status, reply.text) == (400, "Incorrect Cid")
        asked = {"Accept": "application/json"}  # as real clients send, which expect words
        same = await send(url, method, f"{BASE}/data/{cid}{tail}", asked)
        assert (same.status, same.text) == (400, "Incorrect Cid")
        asked = {"Accept": "application/problem+json"}
        as_json = json.loads((await send(url, method, f"{BASE}/data/{cid}{tail}", asked)).body)
        assert as_json["code"] == "bad-cid"


@pytest.mark.parametrize("tail", ["/network/manifest", "/network/stream"])
async def test_an_unknown_cid_is_answered_within_the_time_that_the_caller_sets(tmp_path, tail):
    async with live_node(tmp_path, request_timeout="1h") as (_, url):
        async with asyncio.timeout(20):
            reply = await send(url, "GET", f"{BASE}/data/{UNKNOWN}{tail}?timeout=0.3s")
        assert reply.status in (404, 504)
        assert UNKNOWN in reply.text


async def test_an_unknown_cid_is_answered_within_the_time_of_the_settings(tmp_path):
    async with live_node(tmp_path, request_timeout="0.3s") as (_, url):
        reply = await send(url, "POST", f"{BASE}/data/{UNKNOWN}/network")
        assert reply.status in (404, 504)


@pytest.mark.parametrize("timeout", ["-1", "0", "soon", "2h", "1e9", ""])
async def test_a_timeout_that_is_none_is_refused(tmp_path, timeout):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, "GET", f"{BASE}/data/{UNKNOWN}/network/stream?timeout={timeout}")
        assert reply.status == 400


@pytest.mark.parametrize("cid", [LEAF, TREE])
@pytest.mark.parametrize(
    ("method", "tail"),
    [("GET", "/network/manifest"), ("POST", "/network")],
)
async def test_a_cid_of_another_kind_is_answered_at_once(tmp_path, cid, method, tail):
    async with live_node(tmp_path, request_timeout="1h") as (_, url):
        async with asyncio.timeout(20):
            reply = await send(url, method, f"{BASE}/data/{cid}{tail}")
        assert (reply.status, reply.text) == (404, "Unable to decode as manifest")
        ours = await send(url, method, f"/api/quire/v1/data/{cid}{tail}")
        assert "not a manifest CID" in json.loads(ours.body)["message"]


HOSTILE_LENGTHS = {
    "length and chunked": "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n0\r\n\r\n",
    "two lengths": "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "negative": "Content-Length: -1\r\n\r\nhello",
    "no number": "Content-Length: five\r\n\r\nhello",
    "huge": f"Content-Length: {10**30}\r\n\r\nhello",
    "plus sign": "Content-Length: +5\r\n\r\nhello",
}


@pytest.mark.parametrize("case", HOSTILE_LENGTHS)
async def test_a_length_that_could_mean_two_things_is_400(tmp_path, case):
    async with live_node(tmp_path) as (node, url):
        raw = f"POST {BASE}/data HTTP/1.1\r\nHost: x\r\n{HOSTILE_LENGTHS[case]}".encode()
        reply = await send_raw(url, raw)
        assert reply.status == 400
        assert await left_behind(node, url) == ([], 0, 0)


@pytest.mark.parametrize("sent", [0, 10, 200_000])
async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path, sent):
    async with live_node(tmp_path) as (node, url):
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {BASE}/data HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n"
        writer.write(head.encode() + bytes(sent))
        await writer.drain()
        async with asyncio.timeout(20):
            while not node.uploads.active:
                await asyncio.sleep(0.005)
            writer.close()
            while node.uploads.active or not node.uploads.failed:
                await asyncio.sleep(0.005)
        assert await left_behind(node, url) == ([], 0, 0)
        assert node.events.history()[-1].kind == "upload.aborted"


async def test_an_upload_whose_client_sends_no_more_but_stays_ends_when_it_leaves(tmp_path):
    async with live_node(tmp_path) as (node, url):
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {BASE}/data HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
        writer.write(head.encode())
        writer.write_eof()
        reply = None
        try:
            async with asyncio.timeout(20):
                reply = await read_reply(reader, "POST")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        assert reply is None or reply.status == 400
        writer.close()
        async with asyncio.timeout(20):
            while node.uploads.active:
                await asyncio.sleep(0.005)
        assert await left_behind(node, url) == ([], 0, 0)


async def test_what_does_not_fit_into_the_quota_is_507_before_the_data_leaves(tmp_path):
    async with live_node(tmp_path, storage_quota="1m") as (node, url):
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {BASE}/data HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n"
        writer.write(head.encode() + b"Expect: 100-continue\r\n\r\n")
        reply = await read_reply(reader, "POST")
        assert reply.status == 507
        writer.close()
        assert await left_behind(node, url) == ([], 0, 0)


async def test_a_quota_that_fills_midway_is_507_and_leaves_nothing(tmp_path):
    async with live_node(tmp_path, storage_quota="1m") as (node, url):
        body = b"".join(b"10000\r\n" + bytes([n]) * 65536 + b"\r\n" for n in range(32))
        headers = {"Content-Length": None, "Transfer-Encoding": "chunked"}
        reply = await send(url, "POST", f"{BASE}/data", headers, body + b"0\r\n\r\n")
        assert reply.status == 507
        assert "quota" in reply.text
        assert await left_behind(node, url) == ([], 0, 0)
        assert (await send(url, "POST", f"{BASE}/data", {}, b"small enough")).status == 200


@pytest.mark.parametrize("value", ["text", "/plain", "text/", "te xt/plain", "text/pl ain"])
async def test_a_malformed_media_type_is_415(tmp_path, value):
    async with live_node(tmp_path) as (node, url):
        reply = await send(url, "POST", f"{BASE}/data", {"Content-Type": value}, b"x")
        assert (reply.status, reply.body) == (415, b"")
        assert await left_behind(node, url) == ([], 0, 0)


async def test_two_media_types_are_400(tmp_path):
    async with live_node(tmp_path) as (_, url):
        two = [("Content-Type", "text/plain"), ("Content-Type", "text/html")]
        reply = await send(url, "POST", f"{BASE}/data", {}, b"x", more=two)
        assert reply.status == 400


@pytest.mark.parametrize(
    "header",
    [
        'attachment; filename=""',
        'attachment; filename="a/b"',
        "attachment; filename*=UTF-8''a%2Fb",
        "attachment; filename*=a.txt",
        'attachment; filename="a\\\\b"',
        'attachment; filename="..\\\\..\\\\b"',
    ],
)
async def test_a_file_name_that_is_a_trap_is_422(tmp_path, header):
    async with live_node(tmp_path) as (node, url):
        reply = await send(url, "POST", f"{BASE}/data", {"Content-Disposition": header}, b"x")
        assert (reply.status, reply.text) == (422, "The filename is not valid.")
        assert await left_behind(node, url) == ([], 0, 0)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a.txt"', "a.txt"),
        ("attachment; filename=a.txt", "a.txt"),
        ('attachment; filename="a \\"b.txt"; size=3', None),
        ('attachment; filename="a;b.txt"; size=3', "a;b.txt"),
        ("attachment; filename=x.txt; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ('inline; FileName="a.txt"', "a.txt"),
        ("attachment", ""),
    ],
)
async def test_file_names_are_read_by_rfc_6266(tmp_path, header, name):
    async with live_node(tmp_path) as (node, url):
        headers = {"Content-Disposition": header}
        reply = await send(url, "POST", f"{BASE}/data", headers, b"x")
        if name is None:
            assert reply.status == 422
            return
        assert reply.status == 200
        assert (await node.store.datasets())[0].manifest.filename == (name or None)


async def test_a_node_does_not_start_on_a_port_that_is_taken(tmp_path):
    async with live_node(tmp_path / "one") as (_, url):
        port = int(url.rpartition(":")[2])
        node = await make_node(tmp_path / "two", api_port=port)
        with pytest.raises(PortInUse, match=str(port)):
            async with serving(node):
                pass
        assert not (tmp_path / "two" / "node.json").exists()


async def test_a_node_does_not_start_on_the_data_of_another(tmp_path):
    async with live_node(tmp_path):
        with pytest.raises(StoreLocked):
            await make_node(tmp_path)


async def test_a_node_does_not_start_with_a_key_that_others_can_read(tmp_path):
    async with live_node(tmp_path):
        pass
    os.chmod(tmp_path / "key", 0o644)
    with pytest.raises(UnsafePermissions, match="key"):
        await make_node(tmp_path)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/connect/notapeer", 400),
        ("/debug/chronicles/loglevel?level=loud", 404),  # it is a POST
        ("/data/../space", 404),
        ("/data//x", 404),
        ("/%2e%2e/etc/passwd", 404),
        ("/sales/slots/zz", 503),
    ],
)
async def test_odd_paths_are_answered(tmp_path, path, status):
    async with live_node(tmp_path) as (_, url):
        assert (await send(url, "GET", BASE + path)).status == status


async def test_what_is_not_http_is_400(tmp_path):
    async with live_node(tmp_path) as (_, url):
        assert (await send_raw(url, b"\x00\x01\x02 garbage\r\n\r\n")).status == 400


async def test_headers_without_end_are_refused(tmp_path):
    async with live_node(tmp_path) as (_, url):
        raw = f"GET {BASE}/space HTTP/1.1\r\nHost: x\r\nX: {'a' * 100_000}\r\n\r\n".encode()
        assert (await send_raw(url, raw)).status in (400, 431)
