"""Says to the network what this node holds, and keeps saying it.

What is announced of a dataset is what a peer can have from us: the manifest's CID from when we
hold the manifest, the tree's CID from when we hold blocks of it. `follow(store)` does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any

from quire.base.clock import Clock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.base.spans import span
from quire.formats.cid import Cid
from quire.net.discovery.schedule import AnnounceSchedule, AnnounceTiming, Entry
from quire.net.transport import PeerId, Transport
from quire.store.dataset import Dataset
from quire.store.port import BlockStore

_FIRST_BLOCKS_SECONDS = 2.0  # between looks at a tree that has no blocks yet


@dataclass(frozen=True, slots=True)
class Announcement:
    """One key as the API shows it."""

    cid: Cid
    state: str  # queued, publishing, published, failed
    peers: int
    next_at: float  # monotonic seconds
    problem: str


@dataclass(frozen=True, slots=True)
class AnnounceStatus:
    """All keys; `queued` includes those being published now."""

    queued: int
    published: int
    failed: int
    items: tuple[Announcement, ...]


class Announcer:
    """Publishes keys as provider records, renews them, and withdraws them."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        rng: Random,
        events: EventBus,
        *,
        timing: AnnounceTiming | None = None,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._events = events
        self._timing = timing or AnnounceTiming()
        self._schedule = AnnounceSchedule(self._timing, rng)
        self._running: dict[asyncio.Task[None], None] = {}
        self._changed = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None
        self._empty_trees: dict[bytes, Dataset] = {}
        self._watch_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._transport.on_peer_joined(self._peer_joined)
        self._transport.on_announced_changed(self._addresses_changed)
        self._loop_task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop publishing; records at others age out."""
        tasks = [t for t in (self._loop_task, self._watch_task, *self._running) if t is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def announce(self, cid: Cid) -> None:
        """Publish a key from now on. Harmless when it is published already."""
        self._schedule.add(cid, self._clock.monotonic())
        self._changed.set()

    def announce_again(self, cid: Cid) -> None:
        """Publish a key that earlier runs have published, when its turn comes."""
        self._schedule.add(cid, self._clock.monotonic(), is_new=False)
        self._changed.set()

    def withdraw(self, cid: Cid) -> None:
        """Do not publish a key any more."""
        if self._schedule.remove(cid) is not None:
            self._spawn(self._withdraw(cid))

    def follow(self, store: BlockStore) -> Callable[[], None]:
        """Announce and withdraw as datasets of a store come and go; returns how to stop that.

        Datasets that are there already are announced by `announce_dataset`.
        """

        def changed(kind: str, dataset: Dataset) -> None:
            if kind == "deleted":
                self.withdraw_dataset(dataset, store)
            else:
                self.announce_dataset(dataset, store)

        return store.on_change(changed)

    def announce_dataset(self, dataset: Dataset, store: BlockStore) -> None:
        """Announce the manifest, and the tree as soon as there is a block of it; of a sealed
        replica nothing."""
        if dataset.is_replica:
            return
        self.announce(dataset.manifest_cid)
        tree = store.tree(dataset.tree_root)
        if tree is not None and tree.blocks:
            self._empty_trees.pop(dataset.tree_root, None)
            self.announce(dataset.manifest.tree_cid)
            return
        self._empty_trees[dataset.tree_root] = dataset
        if self._watch_task is None or self._watch_task.done():
            self._watch_task = asyncio.get_running_loop().create_task(self._watch(store))

    def withdraw_dataset(self, dataset: Dataset, store: BlockStore) -> None:
        """Withdraw both keys; the tree's only when no other dataset keeps its blocks."""
        self.withdraw(dataset.manifest_cid)
        tree = store.tree(dataset.tree_root)
        if tree is None or not tree.blocks:
            self._empty_trees.pop(dataset.tree_root, None)
            self.withdraw(dataset.manifest.tree_cid)

    def status(self) -> AnnounceStatus:
        items = tuple(
            Announcement(e.cid, e.state, e.peers, e.next_at, e.problem)
            for e in self._schedule.entries()
        )
        states = [item.state for item in items]
        return AnnounceStatus(
            states.count("queued") + states.count("publishing"),
            states.count("published"),
            states.count("failed"),
            items,
        )

    async def _run(self) -> None:
        while True:
            now = self._clock.monotonic()
            while len(self._running) < self._timing.concurrency:
                entry = self._schedule.take(now)
                if entry is None:
                    break
                self._spawn(self._publish(entry))
            due = self._schedule.next_at()
            if len(self._running) >= self._timing.concurrency:
                due = None  # a publication that ends wakes us
            self._changed.clear()
            try:
                async with asyncio.timeout_at(due):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _publish(self, entry: Entry) -> None:
        key, deadline = entry.cid.encode(), self._clock.monotonic() + self._timing.attempt_seconds
        first = not entry.peers
        try:
            with span("announce", cid=entry.cid):
                async with asyncio.timeout_at(deadline):
                    peers = await self._transport.provide(key, deadline)
            problem = "" if peers else "no other node took the record"
        except TimeoutError:
            peers, problem = 0, f"no answer within {self._timing.attempt_seconds:.0f} s"
        except QuireError as error:
            peers, problem = 0, error.message
        now = self._clock.monotonic()
        if problem:
            self._schedule.failed(entry, problem, now)
        else:
            self._schedule.published(entry, peers, now)
        if not entry.is_wanted:
            await self._withdraw(entry.cid)  # it was withdrawn while being published
        elif first and not problem:
            self._events.publish(
                "announce.published",
                str(entry.cid),
                f"{peers} nodes know that we have it",
                peers=peers,
            )

    async def _withdraw(self, cid: Cid) -> None:
        if self._schedule.get(cid) is None:
            await self._transport.withdraw(cid.encode())
            self._events.publish("announce.withdrawn", str(cid), "we do not offer it any more")

    async def _watch(self, store: BlockStore) -> None:
        """Wait for the first blocks of trees that have none."""
        while self._empty_trees:
            await asyncio.sleep(_FIRST_BLOCKS_SECONDS)
            for root, dataset in list(self._empty_trees.items()):
                tree = store.tree(root)
                if tree is None:
                    del self._empty_trees[root]
                elif tree.present:
                    self.announce_dataset(dataset, store)

    def _peer_joined(self, peer: PeerId) -> None:
        self._schedule.hurry(self._clock.monotonic())
        self._changed.set()

    def _addresses_changed(self) -> None:
        # The records at others hold the addresses of when they were published.
        self._schedule.renew(self._clock.monotonic())
        self._changed.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running[task] = None
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._changed.set()
