"""Downloads: ranges, HEAD, validators, names, missing blocks from another node."""

import asyncio
import json
import random

import pytest

from support.http import send
from support.live import live_node, memory_network

BASE = "/api/codex/v1"
DATA = random.Random(1).randbytes(200_000)


async def put(url, data=DATA, **headers):
    reply = await send(url, "POST", f"{BASE}/data", headers, data)
    assert reply.status == 200
    return f"{BASE}/data/{reply.text}"


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, 200_000),
        ("bytes=65535-65536", 65535, 65537),
        ("bytes=-5", 199_995, 200_000),
        ("bytes=-999999", 0, 200_000),
        ("bytes=199999-300000", 199_999, 200_000),
    ],
)
async def test_a_range_is_206_and_exactly_those_bytes(tmp_path, wanted, start, stop):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, "GET", await put(url), {"Range": wanted})
        assert reply.status == 206
        assert reply.body == DATA[start:stop]
        assert reply.headers["content-range"] == f"bytes {start}-{stop - 1}/200000"


@pytest.mark.parametrize("wanted", ["bytes=200000-", "bytes=200000-200001", "bytes=-0"])
async def test_a_range_outside_is_416_with_the_size(tmp_path, wanted):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, "GET", await put(url), {"Range": wanted})
        assert reply.status == 416
        assert reply.headers["content-range"] == "bytes */200000"


@pytest.mark.parametrize(
    "wanted",
    ["bytes=5-4", "bytes=a-b", "lines=0-1", "bytes=-", "bytes=" + "9" * 99],
)
async def test_a_range_that_is_none_gives_the_whole(tmp_path, wanted):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, "GET", await put(url), {"Range": wanted})
        assert (reply.status, reply.body) == (200, DATA)


async def test_validators_save_the_transfer(tmp_path):
    async with live_node(tmp_path) as (_, url):
        path = await put(url)
        etag = (await send(url, "HEAD", path)).headers["etag"]
        assert path.endswith(etag.strip('"'))
        assert (await send(url, "GET", path, {"If-None-Match": etag})).status == 304
        changed = {"Range": "bytes=0-1", "If-Range": '"another"'}
        assert (await send(url, "GET", path, changed)).body == DATA
        same = {"Range": "bytes=0-1", "If-Range": etag}
        assert (await send(url, "GET", path, same)).body == DATA[:2]


async def test_head_tells_what_get_would_send(tmp_path):
    async with live_node(tmp_path) as (node, url):
        reply = await send(url, "HEAD", await put(url))
        assert (reply.status, reply.headers["content-length"]) == (200, "200000")
        assert node.downloads.sent_bytes == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.txt", 'attachment; filename="a.txt"'),
        ("é.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%A9.txt"),
        ("a'b c.txt", 'attachment; filename="a\'b c.txt"'),
    ],
)
async def test_names_come_back_by_rfc_6266(tmp_path, name, shown):
    async with live_node(tmp_path) as (_, url):
        path = await put(url, **{"Content-Disposition": f'attachment; filename="{name}"'})
        assert (await send(url, "GET", path)).headers["content-disposition"] == shown


async def test_a_dataset_comes_from_another_node_and_stays(tmp_path):
    network = memory_network()
    async with (
        live_node(tmp_path / "a", network) as (one, url_one),
        live_node(tmp_path / "b", network) as (two, url_two),
    ):
        path = await put(url_one)
        address = one.transport.listen_addresses()[0]
        connect = f"{BASE}/connect/{one.transport.peer_id}?addrs={address}"
        assert (await send(url_two, "GET", connect)).text == "Successfully connected to peer"
        assert (await send(url_two, "GET", path)).status == 404
        reply = await send(url_two, "GET", f"{path}/network/stream?timeout=20s")
        assert reply.body == DATA
        assert (await send(url_two, "GET", path)).body == DATA
        kept = (await two.store.datasets())[0].roots
        assert any(root.name == "fetch" for root in kept)


async def test_a_reader_that_goes_away_ends_its_download(tmp_path):
    async with live_node(tmp_path) as (node, url):
        path = await put(url, random.Random(2).randbytes(1 << 20) * 48)
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readexactly(100)
        assert len(node.downloads.active) == 1
        writer.transport.abort()
        async with asyncio.timeout(20):
            while node.downloads.active:
                await asyncio.sleep(0.005)
        assert node.downloads.finished == 0


async def test_a_slow_reader_does_not_make_the_node_read_ahead_without_bound(tmp_path):
    async with live_node(tmp_path) as (node, url):
        path = await put(url, random.Random(2).randbytes(1 << 20) * 64)
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.readexactly(100)
        before = -1
        async with asyncio.timeout(20):
            while node.downloads.sent_bytes != before:
                before = node.downloads.sent_bytes
                await asyncio.sleep(0.2)
        assert before < 24 << 20  # buffers of both sockets and a few chunks
        writer.transport.abort()


async def test_a_block_that_went_bad_on_the_disk_is_cut_not_sent(tmp_path):
    async with live_node(tmp_path, request_timeout="0.5s") as (_, url):
        data = random.Random(3).randbytes(6 << 20)
        path = await put(url, data)
        pack = next((tmp_path / "store" / "packs").iterdir())
        content = bytearray(pack.read_bytes())
        late = content.find(data[5 << 20 : 5 << 20 | 64])  # the first bytes are sent by then
        content[late] ^= 0xFF
        pack.write_bytes(content)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await send(url, "GET", path)
        assert json.loads((await send(url, "GET", path + "/exists")).body)["has"]
