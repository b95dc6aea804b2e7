"""The REST face: an aiohttp server made from the table of routes."""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiohttp import web

from quire.base.errors import EnvironmentProblem, PortInUse
from quire.base.rng import system_rng
from quire.base.units import MIB
from quire.faces.rest.errors import errors_as_answers
from quire.faces.rest.events import EventStreams
from quire.faces.rest.guard import Guard, read_token
from quire.faces.rest.observe import Observer
from quire.faces.rest.openapi import openapi
from quire.faces.rest.reply import JSON, reply_json
from quire.faces.rest.route import QUIRE_BASE, Answer, Route
from quire.faces.rest.table import all_routes
from quire.faces.rest.upload import expect_nothing
from quire.node.node import Node

READ_BUFFER_BYTES = MIB // 4  # of one request; the socket is not read further ahead
HEADER_BYTES = 8190
ANY_PATH = r"{path:[\s\S]*}"  # file names may have line ends
KEEP_ALIVE_SECONDS = 75.0

Bound: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RestFace:
    """Serves the API of one node at the bases of its profile and at Quire's own."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._streams = EventStreams()
        self._runner: web.AppRunner | None = None
        config = node.config
        self._token = read_token(config.api_token_file) if config.api_token_file else None
        self.mounted = self._mount(all_routes(self._streams))
        open_paths = frozenset(base + r.path for base, r in self.mounted if r.is_open)
        self._observer = Observer(node.clock, system_rng())
        self._guard = Guard(self._token, config.api_cors_origin, open_paths)

    def _mount(self, routes: list[Route]) -> list[tuple[str, Route]]:
        """Every route with each base that it is served at."""
        compatible = [b for b in self._node.profile.rest_bases if b != QUIRE_BASE]
        bases = {
            "all": [*compatible, QUIRE_BASE],
            "compatible": compatible,
            "quire": [QUIRE_BASE],
        }
        document = Route(
            "GET",
            "/openapi.json",
            self._openapi,
            "This document",
            {200: Answer("OpenAPI 3.1", JSON, dict[str, Any])},
            bases="quire",
            tag="insight",
        )
        return [(base, route) for route in [*routes, document] for base in bases[route.bases]]

    async def _openapi(self, _request: web.Request, _node: Node) -> web.Response:
        return reply_json(openapi(self.mounted, needs_token=self._token is not None))

    def application(self) -> web.Application:
        """The aiohttp application, without a socket."""
        app = web.Application(
            middlewares=[self._observer.watch, errors_as_answers, self._guard.check],
            client_max_size=0,
        )
        app.on_response_prepare.append(self._guard.add_headers)
        app.on_response_prepare.append(self._observer.add_id)
        methods: defaultdict[str, list[str]] = defaultdict(list)
        always: set[str] = set()
        handlers: dict[tuple[str, str], Bound] = {}
        more: dict[str, dict[str, str]] = {}
        for base, route in self.mounted:
            path = base + route.path.replace("{path}", ANY_PATH)
            handler = self._bind(route)
            app.router.add_route(route.method, path, handler, expect_handler=expect_nothing)
            methods[path].append(route.method)
            if route.answers_options:
                always.add(path)
            handlers[route.method, path] = handler
            if route.options is not None:
                more[path] = route.options(self._node)
        for (method, path), handler in handlers.items():
            if method == "GET" and ("HEAD", path) not in handlers:
                app.router.add_route("HEAD", path, handler)
        for path, known in methods.items():
            preflight = self._preflight(known, path in always, more.get(path, {}))
            app.router.add_route("OPTIONS", path, preflight)
        return app

    def _bind(self, route: Route) -> Bound:
        node, handler = self._node, route.handler

        async def bound(request: web.Request) -> web.StreamResponse:
            return await handler(request, node)

        return bound

    def _preflight(self, methods: list[str], is_always: bool, headers: dict[str, str]) -> Bound:
        async def preflight(_request: web.Request) -> web.StreamResponse:
            answer = self._guard.preflight(methods, is_always)
            answer.headers.update(headers)
            return answer

        return preflight

    async def start(self) -> list[str]:
        """Listen; returns the URL. Raises `PortInUse`, `EnvironmentProblem`."""
        config = self._node.config
        runner = web.AppRunner(
            self.application(),
            access_log=None,
            handle_signals=False,
            auto_decompress=False,
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            shutdown_timeout=config.shutdown_timeout,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, config.api_bindaddr, config.api_port).start()
        except OSError as error:
            await runner.cleanup()
            where = f"{config.api_bindaddr}:{config.api_port}"
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(f"the API cannot listen on {where}: it is taken") from None
            raise EnvironmentProblem(
                f"the API cannot listen on {where}: {error.strerror}; see --api-bindaddr"
            ) from None
        self._node.registry.register(self._observer.seconds)
        self._runner = runner
        host, port = runner.addresses[0][:2]
        return [f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"]

    async def stop(self, _deadline: float) -> None:
        """End event streams, let other requests end within the shutdown timeout, close."""
        self._streams.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._node.registry.unregister(self._observer.seconds)
            self._runner = None
