"""Spans reach OpenTelemetry: as spans of its SDK, and as OTLP over HTTP at a collector."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from quire.base.errors import BadConfig
from quire.base.spans import RECORDER, REQUEST_ID, span
from quire.node.tracing import tracing_to, tracing_with

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def recorded(spans):
    return {s.name: s for s in spans}


def work():
    """A request that uploads, has its fetch cancelled, and breaks."""
    with span("http.request", remote=PARENT, route="/x"):
        with span("upload", bytes=5):
            pass
        with contextlib.suppress(asyncio.CancelledError), span("fetch"):
            raise asyncio.CancelledError
        raise ValueError("broken")


async def test_spans_carry_facts_parents_failures_and_the_request():
    exporter = InMemorySpanExporter()
    tracing = tracing_with(exporter, brand="codex", peer_id="16Uiu2x")
    tokens = RECORDER.set(tracing), REQUEST_ID.set("abc")
    try:
        with pytest.raises(ValueError):
            work()
        await tracing.stop(0)
    finally:
        RECORDER.reset(tokens[0])
        REQUEST_ID.reset(tokens[1])
    spans = recorded(exporter.get_finished_spans())
    request, upload, fetch = spans["http.request"], spans["upload"], spans["fetch"]
    assert f"{request.context.trace_id:032x}" == TRACE
    assert f"{request.parent.span_id:016x}" == "00f067aa0ba902b7"
    assert upload.parent.span_id == request.context.span_id
    assert upload.attributes["quire.bytes"] == 5
    assert upload.attributes["quire.request"] == "abc"
    assert not request.status.is_ok
    assert request.status.description == "broken"
    assert fetch.attributes["quire.cancelled"] is True
    assert upload.resource.attributes["service.instance.id"] == "16Uiu2x"


async def test_a_collector_gets_them_as_otlp():
    received = []

    async def take(request):
        received.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response(body=b"", content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        tracing = tracing_to(f"http://{host}:{port}/", brand="codex", peer_id="p")
        token = RECORDER.set(tracing)
        with span("upload"):
            pass
        RECORDER.reset(token)
        await tracing.stop(0)
    finally:
        await runner.cleanup()
    names = [
        s.name
        for message in received
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for s in scope.spans
    ]
    assert names == ["upload"]


@pytest.mark.parametrize("endpoint", ["localhost:4318", "ftp://x", "4318"])
def test_an_endpoint_that_is_no_url_is_refused_in_words(endpoint):
    with pytest.raises(BadConfig, match="otlp-endpoint"):
        tracing_to(endpoint, brand="codex", peer_id="p")
