"""Every request has an id, which its answer, its log lines, its events and its spans carry."""

from __future__ import annotations

import io
import json
import logging

import pytest
import structlog
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from quire.base.clock import SystemClock
from quire.faces.rest.route import QUIRE_BASE
from quire.node.logs import set_up_logs
from quire.node.tracing import tracing_with
from support.http import send
from support.live import live_node, make_node, serving


@pytest.fixture
def log():
    handlers, level = logging.root.handlers, logging.root.level
    stream = io.StringIO()
    set_up_logs("debug", "json", SystemClock(), stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    logging.root.handlers, logging.root.level = handlers, level


async def test_an_id_that_the_client_gives_comes_back_and_is_in_log_and_events(tmp_path, log):
    async with live_node(tmp_path) as (node, url):
        headers = {"X-Request-Id": "job-7.a"}
        reply = await send(url, "POST", f"{QUIRE_BASE}/data", headers, b"some bytes")
        assert reply.headers["x-request-id"] == "job-7.a"
        done = [e for e in node.events.history() if e.kind == "upload.done"]
        assert [e.facts["request"] for e in done] == ["job-7.a"]
        lines = [line for line in log() if line.get("request") == "job-7.a"]
        assert any(line["msg"] == f"POST {QUIRE_BASE}/data" for line in lines)
        assert any(line.get("kind") == "upload.done" for line in lines)


@pytest.mark.parametrize("given", [None, "", "with space", "x" * 65, "a\tb", "<script>"])
async def test_an_id_that_is_missing_or_not_valid_is_replaced(tmp_path, given):
    async with live_node(tmp_path) as (_, url):
        first = await send(url, "GET", f"{QUIRE_BASE}/health", {"X-Request-Id": given})
        second = await send(url, "GET", f"{QUIRE_BASE}/health", {"X-Request-Id": given})
        ids = first.headers["x-request-id"], second.headers["x-request-id"]
        assert all(len(i) == 16 and int(i, 16) >= 0 for i in ids)
        assert ids[0] != ids[1]


async def test_errors_carry_the_id_too(tmp_path):
    async with live_node(tmp_path) as (_, url):
        for path in ("/data/nonsense", "/no-such-route"):
            reply = await send(url, "GET", QUIRE_BASE + path, {"X-Request-Id": "e1"})
            assert reply.status >= 400
            assert reply.headers["x-request-id"] == "e1"


async def test_requests_are_counted_by_route_and_not_by_path(tmp_path):
    async with live_node(tmp_path) as (_, url):
        for number in range(3):
            await send(url, "GET", f"{QUIRE_BASE}/data/nonsense{number}")
        await send(url, "GET", f"{QUIRE_BASE}/nowhere")
        text = (await send(url, "GET", f"{QUIRE_BASE}/metrics")).text
        counts = [x for x in text.splitlines() if x.startswith("quire_http_request_seconds_count")]
        of_data = [x for x in counts if "/data/{cid}" in x and 'status="400"' in x]
        assert [x.rpartition(" ")[2] for x in of_data] == ["3.0"]
        assert any('route="(none)"' in x and 'status="404"' in x for x in counts)
        assert "nonsense" not in text


async def test_one_upload_is_one_trace_that_continues_the_clients(tmp_path):
    exporter = InMemorySpanExporter()
    node = await make_node(tmp_path)
    node.tracing = tracing_with(exporter, brand="codex", peer_id=node.transport.peer_id)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    async with serving(node) as url:
        headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        await send(url, "POST", f"{QUIRE_BASE}/data", headers, b"some bytes")
    spans = {s.name: s for s in exporter.get_finished_spans()}
    assert {"http.request", "upload", "upload.commit"} <= set(spans)
    for name in ("http.request", "upload", "upload.commit"):
        assert f"{spans[name].context.trace_id:032x}" == trace
    assert spans["upload.commit"].parent.span_id == spans["upload"].context.span_id
    assert spans["http.request"].attributes["quire.status"] == 200
