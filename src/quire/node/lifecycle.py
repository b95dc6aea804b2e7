"""The life of a node: start in order, run, stop in the opposite order within a deadline.

    network -> announcer -> exchange -> connector -> background loops -> trading -> retail
        -> aggregation -> feed of the chain -> caching -> faces (REST last = ready)

Stopping first refuses new uploads and lets those under way end, because a client that is sending
should get its CID. A second signal ends the wait.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Protocol

import structlog

from quire.base.spans import RECORDER
from quire.node.logs import log_events
from quire.node.node import Node
from quire.node.parts import done, stages
from quire.node.state_file import remove_state, write_state

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Face(Protocol):
    """Something through which the node is used. Started last, stopped first."""

    async def start(self) -> list[str]:
        """Begin to serve; returns the URLs. Raises `PortInUse`."""

    async def stop(self, deadline: float) -> None:
        """Stop serving; requests under way may end until `deadline` (monotonic seconds)."""


class Lifecycle:
    """Starts and stops one node with its faces."""

    def __init__(self, node: Node, faces: Sequence[Face]) -> None:
        self._node = node
        self._faces = faces
        self._stops: list[tuple[str, Callable[[float], Awaitable[object]]]] = []
        self._loops: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger()

    async def start(self) -> None:
        """Start everything; when one part cannot start, what was started is stopped again."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        node = self._node
        if node.tracing is not None:
            RECORDER.set(node.tracing)
            self._will_stop("tracing", node.tracing.stop)
        unlisten = log_events(node.events)
        self._will_stop("log", lambda _: done(unlisten))
        for stage in stages(node.parts):
            if stage.start is not None:
                await stage.start()
            self._will_stop(stage.name, stage.stop)
        if node.pointing is not None:
            pointing = node.pointing
            self._will_stop("signed values", lambda _: pointing.stop())
            await pointing.start()
        self._will_stop("proofs", lambda _: node.proving.stop())
        self._will_stop("background loops", lambda _: self._stop_loops())
        self._run_loop(node.lag.run())
        self._run_loop(node.maintenance.run())
        self._run_loop(node.scrub.run())
        self._will_stop("fsck", lambda _: node.fsck.cancel())
        self._run_loop(node.resumable.run())
        self._run_loop(node.protections.run())
        self._run_loop(node.parts.slot_holds.run())
        if node.trading is not None:
            trading = node.trading
            self._will_stop("trading", lambda _: trading.stop())
            await trading.start()
        if node.retail is not None:
            retail = node.retail
            self._will_stop("retail", lambda _: retail.stop())
            await retail.start()
        if node.aggregation is not None:
            aggregation = node.aggregation
            self._will_stop("aggregation", lambda _: aggregation.stop())
            await aggregation.start()
        if node.trading is not None:
            await node.trading.follow()
        if node.parts.caching is not None:
            caching = node.parts.caching
            self._will_stop("caching", lambda _: caching.stop())
            await caching.start()
        for face in self._faces:
            node.api_urls += await face.start()
            self._will_stop("face", face.stop)
        self._will_stop("uploads", node.uploads.drain)
        write_state(node)
        self._will_stop("state file", lambda _: done(lambda: remove_state(node)))
        self._log.info(
            f"Started {node.profile.brand} node",
            topics="node",
            peerId=node.transport.peer_id,
            api=" ".join(node.api_urls),
            listen=" ".join(node.transport.listen_addresses()),
        )

    async def run_until_signal(self, on_ready: Callable[[], None]) -> None:
        """Start, call `on_ready`, wait for SIGINT or SIGTERM, stop. A signal that comes during the
        start counts too, so that whoever was told that the node is ready can stop it at once."""
        loop = asyncio.get_running_loop()
        asked = asyncio.Event()
        for number in SIGNALS:
            loop.add_signal_handler(number, asked.set)
        try:
            await self.start()
            on_ready()
            await asked.wait()
            self._log.info("stopping; a second signal ends the wait", topics="node")
            asked.clear()
            stopping = loop.create_task(self.stop())
            again = loop.create_task(asked.wait())
            await asyncio.wait([stopping, again], return_when=asyncio.FIRST_COMPLETED)
            again.cancel()
            if not stopping.done():
                stopping.cancel()
            await asyncio.wait([stopping])
            if not stopping.cancelled():
                stopping.result()
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    async def stop(self) -> None:
        """Stop what was started, newest first; a part that does not end in time is left behind."""
        deadline = self._node.clock.monotonic() + self._node.config.shutdown_timeout
        while self._stops:
            name, stop = self._stops.pop()
            left = max(0.1, deadline - self._node.clock.monotonic())
            try:
                async with asyncio.timeout(left + 1.0):
                    await stop(deadline)
            except Exception as error:
                self._log.error(f"stopping {name} failed: {error!r}", topics="node")

    def _will_stop(self, name: str, stop: Callable[[float], Awaitable[object]]) -> None:
        self._stops.append((name, stop))

    def _run_loop(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        task.add_done_callback(self._loop_ended)
        self._loops.append(task)

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._log.error("a background loop ended", topics="node", exc_info=task.exception())

    async def _stop_loops(self) -> None:
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops.clear()
