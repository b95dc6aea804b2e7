"""One tree being fetched, for whoever wants all or a part of it.

    Scheduler   what is missing, and who was asked for it
    Swarm       the peers
    Pump        the way of each piece
    here        consumers, reasons, stalls, the end

Consumers come and go; with the last one everything that was asked for is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from quire.base.errors import Bug, DeadlineExceeded, PeerError, QuireError
from quire.base.ranges import RangeSet
from quire.base.units import format_size
from quire.base.waits import Wait
from quire.formats.exchange import HaveUpdate
from quire.net.exchange.context import BlockSink, ExchangeContext
from quire.net.exchange.estimate import RateMeter
from quire.net.exchange.explain import RANGES_SHOWN, AskedPeer, Explanation, Timer
from quire.net.exchange.outlook import Outlook, look_out
from quire.net.exchange.peer_session import PeerSession
from quire.net.exchange.pump import Pump, PumpEvents
from quire.net.exchange.scheduler import Scheduler
from quire.net.exchange.swarm import Swarm
from quire.net.transport import PeerId
from quire.store.dataset import Dataset

_WATCH_SECONDS = 0.25


class Transfer:
    """The fetch of one tree; at most one for each tree and node. `on_over` is called at its end."""

    def __init__(
        self,
        context: ExchangeContext,
        dataset: Dataset,
        on_over: Callable[[Transfer], None],
        sink: BlockSink | None = None,
    ) -> None:
        limits, block_size = context.limits, dataset.manifest.block_size
        self._sink = sink = sink or context.store
        tree = sink.tree(dataset.tree_root)
        now = context.clock.monotonic()
        self.dataset = dataset
        self.subject = str(dataset.manifest_cid)
        self.scheduler = Scheduler(
            dataset.block_count,
            RangeSet() if tree is None else tree.present,
            context.rng,
            region_blocks=max(1, limits.region_bytes // block_size),
            end_game_pieces=limits.end_game_pieces,
            whole_count=dataset.manifest.original_block_count,
        )
        self.meter = RateMeter(now)
        self.received: dict[PeerId, int] = {}  # verified bytes of this fetch
        self.problem: QuireError | None = None
        self.is_complete = False
        self._context = context
        self._block_size = block_size
        self._on_over = on_over
        self._swarm = Swarm(context, dataset, self._is_hungry, self._peer_has, self._peer_left)
        self._pump = Pump(
            context,
            dataset,
            self.scheduler,
            self._swarm,
            PumpEvents(self._stored, self._fail, self._wake),
            sink,
        )
        self._consumers = 0  # that want all of it
        self._window_serial = 0
        self._waits: dict[int, Wait] = {}
        self._endless: dict[int, Wait] = {}  # those of them that end with a stall only
        self._progress_at = now
        self._idle_since = now
        self._hungry_since = now  # something is missing without a pause
        self._is_over = False
        self._changed = asyncio.Event()
        self._news: asyncio.Future[None] | None = None
        self._watcher = asyncio.get_running_loop().create_task(self._live())
        self._swarm.start()

    # ---- consumers ----

    def attach(self) -> None:
        """One more consumer wants the whole dataset."""
        self._wanted_more()
        self._consumers += 1
        self.scheduler.want_all(True)
        self._wake()

    def detach(self) -> None:
        """A consumer of the whole dataset has left."""
        self._consumers -= 1
        if not self._consumers:
            self.scheduler.want_all(False)
        self._consumer_left()

    async def until_complete(self, deadline: float | None) -> None:
        """Wait for the whole dataset, durable.

        Raises   DeadlineExceeded  with the reason  ·  what made the fetch fail
        """
        with self._waiting(deadline):
            await self._until(lambda: self.is_complete, deadline)

    async def until_local(self, start: int, stop: int, deadline: float) -> None:
        """Fetch blocks [start, stop) before others; they are readable when this returns."""
        self._window_serial += 1
        key = self._window_serial
        self._wanted_more()
        self.scheduler.want_window(key, start, stop)
        self._wake()
        try:
            with self._waiting(deadline):
                while True:
                    await self._until(lambda: self.scheduler.done.covers(start, stop), deadline)
                    if await self._is_readable(start, stop):
                        return
        finally:
            self.scheduler.drop_window(key)
            self._consumer_left()

    @property
    def is_over(self) -> bool:
        return self._is_over

    def reason(self) -> str:
        """What the fetch waits for, in words."""
        if self.problem is not None:
            return self.problem.message
        if self._is_over or self.is_complete:
            return "complete" if self.is_complete else "stopped"
        members = len(self._swarm.members)
        asking, storing = self._pump.asking_bytes, self._pump.storing_bytes
        if asking or storing:
            parts = [f"{format_size(asking)} asked of {members} peers"] if asking else []
            if storing:
                parts.append(f"{format_size(storing)} being verified and written")
            return ", ".join(parts)
        if self.scheduler.is_idle:
            is_wanted = self._consumers or self.scheduler.has_windows
            return "writing to disk" if is_wanted else "nothing is wanted"
        if members and self._context.budget.used_bytes >= self._context.limits.bytes_in_flight // 2:
            return "other fetches use the memory for data in flight"
        missing = self.scheduler.unavailable().count()
        if members and not missing:
            return f"{members} peers are busy"
        return f"nobody known has {missing} blocks: {self._swarm.candidates.describe()}"

    def explain(self) -> Explanation:
        """Whom this fetch asked, what is missing, and what comes next."""
        now, scheduler = self._context.clock.monotonic(), self.scheduler
        wanted, candidates = scheduler.wanted(), self._swarm.candidates
        stall = Timer(
            "the fetch is given up when no block has come",
            self._progress_at + self._context.limits.stall_seconds - now,
        )
        late = [
            Timer(f"blocks {p.start} to {p.stop - 1} count as late", p.late_at - now)
            for p in scheduler.pieces()
            if p.late_at > now and not p.is_claimed
        ]
        timers = [*sorted(late, key=lambda t: t.in_seconds)[:1], *candidates.timers()]
        timers += [stall] if wanted else []
        return Explanation(
            reason=self.reason(),
            missing_blocks=wanted.count(),
            missing=list(wanted)[:RANGES_SHOWN],
            nowhere_blocks=scheduler.unavailable().count(),
            searches=candidates.searches,
            peers=[self._with_blocks(peer) for peer in candidates.asked()],
            timers=sorted(timers, key=lambda t: t.in_seconds),
        )

    def _with_blocks(self, asked: AskedPeer) -> AskedPeer:
        peer = asked.peer
        is_member = peer in self._swarm.members
        return replace(
            asked,
            state="useless" if asked.state == "helps" and not is_member else asked.state,
            has_blocks=self.scheduler.held_by(peer),
            asked_blocks=self.scheduler.asked_of(peer),
            received_bytes=self.received.get(peer, 0),
        )

    def outlook(self) -> Outlook:
        """What the peers of this fetch can be expected to deliver now."""
        now = self._context.clock.monotonic()
        waited = now - self._hungry_since >= self._context.limits.settle_seconds
        return look_out(self.scheduler, self._swarm, now, has_waited=waited)

    def changed(self) -> asyncio.Future[None]:
        """Done with the next change of anything; not to be cancelled."""
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        return self._news

    def arrived(self, start: int, stop: int) -> None:
        """Blocks [start, stop) are with the store, not through this fetch."""
        self._progress_at = self._context.clock.monotonic()
        self._pump.arrived(start, stop)
        self._wake()

    # ---- called by the engine ----

    def updated(self, peer: PeerId, update: HaveUpdate) -> bool:
        return self._swarm.updated(peer, update)

    def session_ended(self, session: PeerSession, problem: PeerError) -> None:
        self._swarm.session_ended(session, problem)

    def peer_joined(self) -> None:
        self._swarm.candidates.wake()

    async def stop(self, problem: QuireError) -> None:
        """End now; whoever still waits gets `problem`."""
        self._end(problem)
        await asyncio.wait([self._watcher, *self._pump.stop()])

    # ---- peers ----

    def _is_hungry(self) -> bool:
        return not self.scheduler.is_idle

    def _peer_has(self, peer: PeerId, ranges: RangeSet) -> None:
        self.scheduler.peer_has(peer, ranges)
        self._wake()

    def _peer_left(self, peer: PeerId) -> None:
        self._pump.cancel_peer(peer)
        self.scheduler.remove_peer(peer)
        self._wake()

    # ---- inside ----

    def _wanted_more(self) -> None:
        self._progress_at = self._context.clock.monotonic()
        if self.scheduler.is_idle:
            self._hungry_since = self._progress_at
            self._swarm.candidates.wake()

    def _stored(self, peer: PeerId, size_bytes: int) -> None:
        self._progress_at = self._context.clock.monotonic()
        self.meter.add(size_bytes, self._progress_at)
        self.received[peer] = self.received.get(peer, 0) + size_bytes

    async def _live(self) -> None:
        try:
            await self._watch()
        finally:
            self._end(Bug(f"the fetch of {self.subject} broke off"))  # unless it has ended already
            await self._swarm.stop()

    async def _watch(self) -> None:
        """Run until nobody wants anything any more, or the fetch fails."""
        while not self._is_over:
            self._changed.clear()
            self._pump.run()
            self._explain()
            if self.scheduler.has_open:
                self._swarm.ask_again(self.scheduler.is_useless)
            now = self._context.clock.monotonic()
            if self._consumers and self.scheduler.is_whole:
                await self._finish()
            elif self.scheduler.is_idle:
                self._rest(now)
            elif now - self._progress_at > self._context.limits.stall_seconds:
                self._fail(self._too_late("no block came for too long"))
            try:
                async with asyncio.timeout(_WATCH_SECONDS):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _rest(self, now: float) -> None:
        """Nothing is missing now: stay a little for the next window, then end."""
        if self._consumers or self.scheduler.has_windows:
            self._idle_since = now
        elif now - self._idle_since > self._context.limits.linger_seconds:
            self._end(None)

    async def _finish(self) -> None:
        """All blocks are with the store: make sure, and tell."""
        try:
            if not await self._is_readable(0, self.scheduler.whole_count):
                return
        except QuireError as problem:
            self._fail(problem)
            return
        self.is_complete = True
        self._context.events.publish(
            "fetch.completed",
            self.subject,
            f"all {self.scheduler.whole_count} blocks are here",
            peers=dict(self.received),
        )
        self._end(None)

    async def _is_readable(self, start: int, stop: int) -> bool:
        """Whether the store really has the blocks, durable; what it lacks is fetched again."""
        store, root = self._sink, self.dataset.tree_root
        tree = store.tree(root)
        if tree is None or not tree.present.covers(start, stop):
            await store.flush()
            tree = store.tree(root)
        present = RangeSet() if tree is None else tree.present
        for low, high in RangeSet([(start, stop)]).minus(present):
            self.scheduler.forget(low, high)
        return present.covers(start, stop)

    async def _until(self, fact: Callable[[], bool], deadline: float | None) -> None:
        """Wait for a fact. Raises what made the fetch fail, or `DeadlineExceeded`."""
        try:
            async with asyncio.timeout_at(deadline):
                while not fact():
                    if self._is_over:
                        raise self.problem or self._too_late("the fetch was stopped")
                    await asyncio.shield(self.changed())
        except TimeoutError:
            raise self._too_late("time is up") from None

    def _too_late(self, what: str) -> DeadlineExceeded:
        left = self.scheduler.wanted().count()
        return DeadlineExceeded(
            f"{what}: {left} blocks of {self.subject} are missing; {self.reason()}",
            missing=left,
            liars=", ".join(self._swarm.candidates.liars),
        )

    def _explain(self) -> None:
        """Keep the registered waits true."""
        if self._waits:
            reason = self.reason()
            for wait in self._waits.values():
                wait.reason = reason
        for wait in self._endless.values():
            wait.deadline = self._progress_at + self._context.limits.stall_seconds

    @contextmanager
    def _waiting(self, deadline: float | None) -> Iterator[None]:
        """Register a wait; without a deadline of its own it ends when the fetch stalls."""
        shown = self._progress_at + self._context.limits.stall_seconds
        shown = shown if deadline is None else deadline
        with self._context.waits.waiting(self.subject, self.reason(), shown) as wait:
            self._waits[wait.serial] = wait
            if deadline is None:
                self._endless[wait.serial] = wait
            try:
                yield
            finally:
                del self._waits[wait.serial]
                self._endless.pop(wait.serial, None)

    def _consumer_left(self) -> None:
        """Cancel what nobody wants any more."""
        self._idle_since = self._context.clock.monotonic()
        if not self._consumers:
            self._pump.cancel_unwanted()
        self._wake()

    def _fail(self, problem: QuireError) -> None:
        if self.problem is None and not self._is_over:
            self._context.events.publish("fetch.failed", self.subject, problem.message)
            self._end(problem)

    def _end(self, problem: QuireError | None) -> None:
        if self._is_over:
            return
        self.problem = problem
        self._is_over = True
        self._pump.stop()
        self._wake()
        self._on_over(self)

    def _wake(self) -> None:
        self._changed.set()
        if self._news is not None:
            self._news.set_result(None)
            self._news = None
