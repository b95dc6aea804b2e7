"""Resumable uploads that break off, by bare sockets and by the clients that people use."""

import asyncio
import contextlib
import json
import random
import subprocess
from pathlib import Path

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from quire.faces.local import LocalNode
from support.cluster import QUIRE, call
from support.http import send
from support.live import live_node
from support.npm import installed
from support.tus import BYTES, UPLOADS, begun, checksum, offset_of, patch

RNG = random.Random(12)
BLOCK = 65_536
TUS_JS = Path(__file__).parent / "tus_js"


@pytest.fixture
async def live(tmp_path):
    async with live_node(tmp_path / "n", storage_quota="64m") as (node, url):
        yield node, url


async def stored(url, cid):
    reply = await send(url, "GET", f"/api/quire/v1/data/{cid}")
    assert reply.status == 200
    return reply.body


@contextlib.asynccontextmanager
async def half_sent(url, path, data, sent, **headers):
    """A request of which only the first bytes were sent, once the node has them."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"PATCH {path} HTTP/1.1", "Host: x", "Tus-Resumable: 1.0.0", "Upload-Offset: 0"]
    lines += [f"Content-Type: {BYTES}", f"Content-Length: {len(data)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data[:sent])
    await writer.drain()
    while json.loads((await send(url, "GET", path)).text)["receivedBytes"] < sent:
        await asyncio.sleep(0.01)
    try:
        yield reader
    finally:
        writer.close()


async def test_what_came_of_a_broken_request_counts(live):
    _, url = live
    data = RNG.randbytes(20 * BLOCK)
    path = await begun(url, len(data))
    async with half_sent(url, path, data, 300_000):
        pass
    assert await offset_of(url, path) == 300_000
    reply = await patch(url, path, 300_000, data[300_000:])
    assert await stored(url, reply.headers["quire-cid"]) == data


async def test_a_client_that_comes_back_ends_its_dead_request(live):
    _, url = live
    data = RNG.randbytes(10 * BLOCK)
    path = await begun(url, len(data))
    async with half_sent(url, path, data, 100_000) as reader:
        assert await offset_of(url, path) == 100_000  # the connection is still open
        assert b" 503 " in await reader.readline()
    reply = await patch(url, path, 100_000, data[100_000:])
    assert await stored(url, reply.headers["quire-cid"]) == data


async def test_what_came_with_a_checksum_and_broke_off_does_not_count(live):
    _, url = live
    data = RNG.randbytes(10 * BLOCK)
    path = await begun(url, len(data))
    async with half_sent(url, path, data, 100_000, Upload_Checksum=checksum(data)):
        pass
    assert await offset_of(url, path) == 0


async def test_a_node_that_stops_makes_durable_what_it_has(tmp_path):
    data = RNG.randbytes(10 * BLOCK)
    async with contextlib.AsyncExitStack() as stack:
        _, url = await stack.enter_async_context(live_node(tmp_path / "n", shutdown_timeout="1s"))
        path = await begun(url, len(data))
        connection = half_sent(url, path, data, 300_000)
        reader = await connection.__aenter__()
        stop = asyncio.create_task(stack.aclose())
        assert b" 503 " in await reader.readline()
        await connection.__aexit__(None, None, None)
        await stop
    async with live_node(tmp_path / "n") as (_, url):
        assert await offset_of(url, path) == 300_000


async def test_the_client_of_python_uploads_and_goes_on_after_a_break(live, tmp_path):
    _, url = live
    data = RNG.randbytes(3_000_000)
    (tmp_path / "file.bin").write_bytes(data)

    def uploader(stream, at=None):
        return TusClient(url + UPLOADS).uploader(
            file_stream=stream,
            url=at,
            chunk_size=700_000,
            metadata={"filename": "file.bin", "filetype": "application/x-thing"},
            upload_checksum=True,
        )

    def use():
        with (tmp_path / "file.bin").open("rb") as stream:
            first = uploader(stream)
            first.upload_chunk()
            first.upload_chunk()
            second = uploader(stream, first.url)
            assert second.offset == 1_400_000
            second.upload()
            return second.request.response_headers["quire-cid"]

    cid = await asyncio.get_running_loop().run_in_executor(None, use)
    reply = await send(url, "GET", f"/api/quire/v1/data/{cid}")
    assert reply.body == data
    assert reply.headers["content-disposition"] == 'attachment; filename="file.bin"'
    assert reply.headers["content-type"] == "application/x-thing"


async def test_the_client_of_python_is_told_of_a_file_that_does_not_fit(live, tmp_path):
    _, url = live
    (tmp_path / "large").write_bytes(bytes(65 << 20))

    def use():
        with (tmp_path / "large").open("rb") as stream:
            TusClient(url + UPLOADS).uploader(file_stream=stream).upload()

    with pytest.raises(TusCommunicationError, match="413"):
        await asyncio.get_running_loop().run_in_executor(None, use)


def run_js(endpoint, file, **options):
    """What the client of JavaScript says, line by line."""
    command = ["node", TUS_JS / "upload.mjs", installed(TUS_JS), endpoint + UPLOADS, file]
    done = subprocess.run(
        [*command, json.dumps(options)], capture_output=True, timeout=60, check=False
    )
    assert not done.stderr, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunkSize": 500_000},
        {"uploadDataDuringCreation": True, "chunkSize": 500_000},
        {"uploadLengthDeferred": True, "chunkSize": 500_000},
        {"overridePatchMethod": True, "chunkSize": 1_000_000},
    ],
)
async def test_the_client_of_javascript_uploads_in_every_way_it_knows(live, tmp_path, options):
    _, url = live
    data = RNG.randbytes(1_700_000)
    (tmp_path / "file.bin").write_bytes(data)
    options = {"chunkSize": 10_000_000} | options
    loop = asyncio.get_running_loop()
    said = await loop.run_in_executor(
        None, lambda: run_js(url, tmp_path / "file.bin", metadata={"filename": "f"}, **options)
    )
    assert await stored(url, said[-1]["cid"]) == data


def test_the_client_of_javascript_goes_on_after_it_was_aborted_and_the_node_was_killed(tmp_path):
    data = RNG.randbytes(5_000_000)
    (tmp_path / "file.bin").write_bytes(data)
    options = {"chunkSize": 500_000, "urlStorage": str(tmp_path / "urls.json")}
    with LocalNode(tmp_path / "node") as node:
        said = run_js(node.api, tmp_path / "file.bin", abortAt=2_000_000, **options)
        assert said[-1]["aborted"] == 2_000_000
        port = node.api.rpartition(":")[2]
        node.kill()
    with LocalNode(tmp_path / "node", arguments=["--api-port", port]) as node:
        said = run_js(node.api, tmp_path / "file.bin", **options)
        assert said[0]["resumes"].startswith(node.api)
        accepted = [each["accepted"] for each in said if "accepted" in each]
        assert accepted[0] == 2_500_000
        assert call(node, "GET", f"{QUIRE}/data/{said[-1]['cid']}") == (200, data)
