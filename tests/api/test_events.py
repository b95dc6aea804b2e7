"""Server-sent events: what happens arrives, filtered, resumable, and ends with the node."""

import asyncio
import json
from contextlib import asynccontextmanager

from quire.faces.rest import events as events_module
from support.http import send
from support.live import live_node

PATH = "/api/quire/v1/events"


@asynccontextmanager
async def following(url, query="", headers=""):
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {PATH}{query} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"text/event-stream" in head
    try:
        yield reader
    finally:
        writer.transport.abort()


async def next_event(reader):
    """The next event as (id, kind, data); comments are passed over."""
    found = {}
    async with asyncio.timeout(20):
        while True:
            line = (await reader.readline()).decode().strip()
            name, colon, value = line.partition(": ")
            if colon and name in ("id", "event", "data"):
                found[name] = value
            if not line and "data" in found:
                return int(found.get("id", 0)), found["event"], json.loads(found["data"])


async def test_an_upload_is_told(tmp_path):
    async with live_node(tmp_path) as (_, url), following(url, "?kind=upload") as reader:
        cid = (await send(url, "POST", "/api/codex/v1/data", {}, b"abc")).text
        serial, kind, data = await next_event(reader)
        assert (kind, data["subject"], data["serial"]) == ("upload.done", cid, serial)


async def test_a_subject_narrows_the_stream(tmp_path):
    async with live_node(tmp_path) as (node, url), following(url, "?subject=this") as reader:
        node.events.publish("test.one", "other", "not for us")
        node.events.publish("test.two", "this", "for us")
        assert (await next_event(reader))[1] == "test.two"


async def test_who_comes_back_gets_what_was_missed(tmp_path):
    async with live_node(tmp_path) as (node, url):
        first = node.events.publish("test.one", "s", "seen")
        node.events.publish("test.two", "s", "missed")
        header = f"Last-Event-ID: {first.serial}\r\n"
        async with following(url, "?subject=s", header) as reader:
            assert (await next_event(reader))[1] == "test.two"
            node.events.publish("test.three", "s", "new")
            assert (await next_event(reader))[1] == "test.three"


async def test_a_serial_that_is_none_is_refused(tmp_path):
    async with live_node(tmp_path) as (_, url):
        reply = await send(url, "GET", PATH, {"Last-Event-ID": "x"})
        assert reply.status == 400


async def test_a_quiet_stream_is_kept_alive(tmp_path, monkeypatch):
    monkeypatch.setattr(events_module, "KEEP_ALIVE_SECONDS", 0.05)
    async with live_node(tmp_path) as (_, url), following(url, "?subject=none") as reader:
        async with asyncio.timeout(20):
            while b"alive" not in await reader.readline():
                pass


async def test_a_reader_that_is_too_slow_is_told_how_much_it_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(events_module, "QUEUED_EVENTS", 4)
    async with live_node(tmp_path) as (node, url), following(url, "?kind=test") as reader:
        for number in range(10):
            node.events.publish("test.event", "s", str(number))
        _, kind, data = await next_event(reader)
        assert (kind, data) == ("lost", {"count": 6})
        assert (await next_event(reader))[2]["message"] == "6"


async def test_streams_end_with_the_node_and_leave_no_listener(tmp_path):
    async with live_node(tmp_path) as (node, url):
        async with following(url):
            pass
        node.events.publish("test.one", "s", "wakes the stream")
        async with following(url) as reader:
            stopping = asyncio.create_task(reader.read())
    async with asyncio.timeout(20):
        await stopping
