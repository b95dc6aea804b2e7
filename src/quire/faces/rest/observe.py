"""What is noted of every request: an id, a span, its time, a line in the log.

A request brings its id in X-Request-Id or gets one; it comes back in the answer and is part of
every log line and event that the request causes, also of tasks it starts.
"""

from __future__ import annotations

import random
import re

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Histogram

from quire.base.clock import Clock
from quire.base.spans import REQUEST_ID, span

REQUEST_HEADER = "X-Request-Id"
WENT_AWAY = 499  # noted, never sent: the client closed the connection
_VALID_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_KEY = web.RequestKey("quire-request-id", str)
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


def request_name(given: str, rng: random.Random) -> str:
    """The id that a request brings, if it is one that may stand in logs; else a new one."""
    return given if _VALID_ID.fullmatch(given) else f"{rng.getrandbits(64):016x}"


class Observer:
    """The outermost middleware. `rng` makes ids for requests that bring none."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self.seconds = Histogram(
            "quire_http_request_seconds",
            "Time from a request's head to the end of its answer",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=None,
        )

    @web.middleware
    async def watch(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get(REQUEST_HEADER, "")
        name = request_name(given, self._rng)
        request[_KEY] = name
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "(none)"
        token, began, status = REQUEST_ID.set(name), self._clock.monotonic(), WENT_AWAY
        remote = request.headers.get("traceparent", "")
        try:
            with span("http.request", remote=remote, method=request.method, route=route) as opened:
                try:
                    answer = await handler(request)
                    status = answer.status
                    return answer
                except web.HTTPException as problem:
                    status = problem.status
                    raise
                finally:
                    opened.note(status=status)
        finally:
            self._note(request, route, status, self._clock.monotonic() - began)
            REQUEST_ID.reset(token)

    def _note(self, request: web.Request, route: str, status: int, seconds: float) -> None:
        self.seconds.labels(request.method, route, str(status)).observe(seconds)
        log = structlog.get_logger()
        write = log.warning if status >= 500 else log.debug
        write(
            f"{request.method} {request.path}",
            topics="restapi",
            status=status,
            seconds=round(seconds, 4),
        )

    async def add_id(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Run when the headers of an answer are about to be sent."""
        if name := request.get(_KEY):
            answer.headers[REQUEST_HEADER] = name
