"""Spans to OpenTelemetry, when `otlp-endpoint` names a collector. Needs the extra `tracing`.

    http.request -> upload -> upload.commit
                 -> fetch  -> fetch.manifest -> exchange.block
                           -> exchange.range (a piece from one peer)

Spans are sent in batches from a thread of the library; what a collector does not take in time is
dropped, never waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quire.base.errors import BadConfig
from quire.base.spans import REQUEST_ID, Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

QUEUED_SPANS_MAX = 2048
SEND_SECONDS = 2.0  # between batches
FLUSH_SECONDS = 3  # at the end of the node
INSTALL = "install it: pip install 'quire[tracing]'"


class Tracing:
    """Records spans of one node and exports them; ends with `stop`."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("quire")
        self._trace = trace
        self._remote = TraceContextTextMapPropagator()

    def begin(
        self, name: str, parent: Span | None, remote: str, facts: Mapping[str, object]
    ) -> Span:
        trace = self._trace
        context = None
        if isinstance(parent, _Recorded):
            context = trace.set_span_in_context(parent.span)
        elif remote:
            context = self._remote.extract({"traceparent": remote})
        kind = trace.SpanKind.SERVER if name == "http.request" else trace.SpanKind.INTERNAL
        recorded = _Recorded(self._tracer.start_span(name, context=context, kind=kind))
        recorded.note(**facts)
        if request := REQUEST_ID.get():
            recorded.note(request=request)
        return recorded

    async def stop(self, _deadline: float) -> None:
        """Send what is left, for a few seconds at most."""

        def end() -> None:
            self._provider.force_flush(FLUSH_SECONDS * 1000)
            self._provider.shutdown()

        await asyncio.get_running_loop().run_in_executor(None, end)


class _Recorded:
    def __init__(self, span: Any) -> None:
        self.span = span

    def note(self, **facts: object) -> None:
        for name, value in facts.items():
            plain = value if isinstance(value, bool | int | float | str) else str(value)
            self.span.set_attribute(f"quire.{name}", plain)

    def end(self, problem: BaseException | None) -> None:
        if isinstance(problem, asyncio.CancelledError | GeneratorExit):
            self.note(cancelled=True)
        elif problem is not None:
            from opentelemetry.trace import Status, StatusCode

            self.span.set_status(Status(StatusCode.ERROR, str(problem)))
        self.span.end()


def tracing_to(endpoint: str, *, brand: str, peer_id: str) -> Tracing:
    """Send spans to an OTLP collector over HTTP, such as http://127.0.0.1:4318.

    Raises   BadConfig  OpenTelemetry is not installed, or the endpoint is no URL
    """
    if not endpoint.startswith(("http://", "https://")):
        raise BadConfig(f"otlp-endpoint is {endpoint!r}; it is a URL like http://127.0.0.1:4318")
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise BadConfig(f"otlp-endpoint needs OpenTelemetry ({error.name}); {INSTALL}") from None
    exporter = OTLPSpanExporter(endpoint.rstrip("/") + "/v1/traces", timeout=SEND_SECONDS)
    return tracing_with(exporter, brand=brand, peer_id=peer_id)


def tracing_with(exporter: SpanExporter, *, brand: str, peer_id: str) -> Tracing:
    """Give spans to an exporter of OpenTelemetry, in batches."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    import quire

    resource = Resource.create(
        {
            "service.name": "quire",
            "service.version": quire.__version__,
            "service.instance.id": peer_id,
            "quire.brand": brand,
        }
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            exporter,
            max_queue_size=QUEUED_SPANS_MAX,
            schedule_delay_millis=int(SEND_SECONDS * 1000),
        )
    )
    return Tracing(provider)
