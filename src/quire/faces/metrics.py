"""Metrics on an address of their own, for a Prometheus that may not reach the API (`--metrics`)."""

from __future__ import annotations

import errno

import structlog
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from quire.base.errors import EnvironmentProblem, PortInUse
from quire.node.node import Node


class MetricsFace:
    """Serves /metrics and /health; `url` is set once it listens."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> list[str]:
        """Listen; gives no URL of the API. Raises `PortInUse`, `EnvironmentProblem`."""
        config = self._node.config
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/health", self._health)
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        where = f"{config.metrics_address}:{config.metrics_port}"
        try:
            await web.TCPSite(runner, config.metrics_address, config.metrics_port).start()
        except OSError as error:
            await runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(f"the metrics cannot listen on {where}: it is taken") from None
            raise EnvironmentProblem(
                f"the metrics cannot listen on {where}: {error.strerror}; see --metrics-address"
            ) from None
        self._runner = runner
        host, port = runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        structlog.get_logger().info(f"metrics at {self.url}/metrics", topics="metrics")
        return []

    async def stop(self, _deadline: float) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, _request: web.Request) -> web.Response:
        return metrics_answer(self._node)

    async def _health(self, _request: web.Request) -> web.Response:
        return web.Response(body=b"OK", headers={"Content-Type": "text/plain"})


def metrics_answer(node: Node) -> web.Response:
    """What the node counts, as Prometheus reads it."""
    body = generate_latest(node.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
