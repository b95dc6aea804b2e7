"""Keeps the node connected: dials bootstrap and remembered peers, and again when they are lost.

What to dial when is decided in `dial_plan.py`; this is the part that waits and acts.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Coroutine, Sequence

from quire.base.clock import Clock
from quire.base.errors import PeerError, QuireError
from quire.base.events import EventBus
from quire.net.dial_plan import DialPlan, Target
from quire.net.known_peer import KnownPeer
from quire.net.peerbook import PeerBook
from quire.net.transport import PeerId, Transport

TARGET_PEERS = 16
DIAL_SECONDS = 10.0
SAVE_PAUSE_SECONDS = 2.0


class Connector:
    """One per node. Publishes `peer.unreachable`, `peer.given-up`, `peerbook.unreadable`
    and `peerbook.unwritable`."""

    def __init__(
        self,
        transport: Transport,
        book: PeerBook | None,
        bootstrap: Sequence[KnownPeer],
        *,
        clock: Clock,
        rng: random.Random,
        events: EventBus,
        target_peers: int = TARGET_PEERS,
    ) -> None:
        self._transport = transport
        self._book = book
        self._bootstrap = tuple(bootstrap)
        self._clock = clock
        self._events = events
        self._plan = DialPlan(rng, target_peers=target_peers)
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._changed = asyncio.Event()
        self._is_dirty = False
        transport.on_peer_joined(self._on_joined)
        transport.on_peer_left(self._on_left)

    async def start(self) -> None:
        """Begin to dial; the transport must have started."""
        now = self._clock.monotonic()
        for info in self._transport.connections():
            self._plan.joined(info.peer, now)
        for known in self._bootstrap:
            self._want(known, is_bootstrap=True, now=now)
        if self._book is not None:
            problem = await asyncio.get_running_loop().run_in_executor(None, self._book.load)
            if problem:
                self._events.publish("peerbook.unreadable", "", problem)
            for known in self._book.peers():
                self._want(known, is_bootstrap=False, now=now)
        self._spawn(self._keep_dialling())
        if self._book is not None:
            self._spawn(self._keep_saving())

    async def stop(self) -> None:
        """Stop dialling and write the book. Connections stay as they are."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._save()

    def status(self) -> list[dict[str, object]]:
        """What is being tried, as data: one entry for each wanted peer."""
        now = self._clock.monotonic()
        return [self._describe(target, now) for target in self._plan.targets()]

    def _describe(self, target: Target, now: float) -> dict[str, object]:
        if self._plan.is_connected(target.peer):
            state = "connected"
        else:
            state = "dialling" if target.is_dialling else "waiting"
        return {
            "peer": target.peer,
            "state": state,
            "bootstrap": target.is_bootstrap,
            "failures": target.failures,
            "reason": target.reason,
            "next_in_seconds": round(max(0.0, target.next_at - now), 1),
        }

    def _want(self, known: KnownPeer, *, is_bootstrap: bool, now: float) -> None:
        if known.peer != self._transport.peer_id:
            self._plan.add(known, is_bootstrap=is_bootstrap, now=now)

    async def _keep_dialling(self) -> None:
        while True:
            self._changed.clear()
            for target in self._plan.take_due(self._clock.monotonic()):
                self._spawn(self._dial(target))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(self._plan.next_at()):
                    await self._changed.wait()

    async def _dial(self, target: Target) -> None:
        deadline = self._clock.monotonic() + DIAL_SECONDS
        try:
            await self._transport.dial(target.peer, target.addresses, deadline)
        except PeerError as problem:
            self._on_failed(target, problem)
        else:
            self._plan.settled(target.peer, self._clock.monotonic())
        self._changed.set()

    def _on_failed(self, target: Target, problem: QuireError) -> None:
        now = self._clock.monotonic()
        if self._plan.failed(target.peer, problem.message, now) is None:
            self._events.publish(
                "peer.given-up",
                target.peer,
                f"not tried any more after {target.failures} failures: {problem.message}",
            )
            if self._book is not None:
                self._book.forget(target.peer)
                self._is_dirty = True
        else:
            self._events.publish(
                "peer.unreachable",
                target.peer,
                problem.message,
                failures=target.failures,
                next_in_seconds=round(target.next_at - now, 1),
            )

    def _on_joined(self, peer: PeerId) -> None:
        self._plan.joined(peer, self._clock.monotonic())
        self._changed.set()
        if self._book is None:
            return
        # Only an address that was dialled is known to work; what an incoming peer says is not.
        addresses = [
            info.address
            for info in self._transport.connections()
            if info.peer == peer and info.outgoing
        ]
        if addresses and self._book.remember(peer, addresses, self._clock.now()):
            self._is_dirty = True

    def _on_left(self, peer: PeerId) -> None:
        self._plan.left(peer, self._clock.monotonic())
        self._changed.set()

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(SAVE_PAUSE_SECONDS)
            if self._is_dirty:
                await self._save()

    async def _save(self) -> None:
        if self._book is None or not self._is_dirty:
            return
        self._is_dirty = False
        try:
            await asyncio.get_running_loop().run_in_executor(None, self._book.save)
        except OSError as problem:
            self._events.publish(
                "peerbook.unwritable", "", f"the remembered peers could not be written: {problem}"
            )

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
