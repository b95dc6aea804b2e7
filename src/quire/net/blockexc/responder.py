"""Serves peers that ask by the block exchange.

    wantHave            answered out of memory, have or have not
    wantBlock, held     queued; sent in messages of at most 20 blocks, two under way for each peer
    wantBlock, absent   remembered for five minutes and sent when it arrives

Only what was asked for is sent, and only with a proof that was verified just before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from quire.base.errors import BlockMissing, PeerError, QuireError
from quire.formats.blockexc import (
    MAX_ENTRIES,
    BlockAddress,
    Delivery,
    Message,
    Presence,
    Want,
    WantKind,
)
from quire.formats.cid import Cid, is_block, is_manifest, is_tree
from quire.formats.multihash import HASH_SHA256
from quire.net.blockexc.asker import Asker, Turns
from quire.net.blockexc.limits import BlockexcLimits
from quire.net.blockexc.link import Link
from quire.net.blockexc.reading import read_run, read_single
from quire.net.exchange.ledger import Ledger
from quire.net.transport import PeerId
from quire.store.dataset import Dataset, TreeState
from quire.store.port import BlockStore

if TYPE_CHECKING:
    from concurrent.futures import Executor

_SINGLE_COST = 64 << 10  # bytes that a block wanted by its CID counts for in the queue


class Responder:
    """Answers want-lists from a store. One for a node."""

    def __init__(
        self,
        store: BlockStore,
        limits: BlockexcLimits,
        ledger: Ledger,
        executor: Executor | None,
    ) -> None:
        self._store = store
        self._limits = limits
        self._ledger = ledger
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._askers: dict[PeerId, Asker] = {}
        self._turns = Turns(limits.quantum_bytes)
        self._tasks: dict[asyncio.Task[None], None] = {}
        self._last: dict[Asker, asyncio.Task[None]] = {}  # newest message with blocks under way
        self._reads = 0
        self._answering: dict[PeerId, asyncio.Task[None]] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._has_new_dataset = False
        self._unlisten = store.on_change(self._store_changed)

    async def stop(self) -> None:
        """Serve nobody any more."""
        self._unlisten()
        tasks = [*self._tasks, *self._answering.values()]
        tasks += [self._watcher] if self._watcher is not None else []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def status(self) -> list[dict[str, object]]:
        """Who waits for what from us."""
        return [
            {
                "peer": peer,
                "protocol": asker.link.protocol,
                "queuedRequests": len(asker.queue),
                "queuedBytes": sum(asker.queue.values()),
                "remembered": len(asker.absent),
                "dropped": asker.dropped,
                "sentBytes": self._ledger.of(peer).sent_bytes,
            }
            for peer, asker in self._askers.items()
        ]

    def wanted(self, link: Link, wants: Iterable[Want]) -> None:
        """Take a want-list. Never waits."""
        asker = self._askers.get(link.peer)
        if asker is None:
            asker = self._askers[link.peer] = Asker(link, self._limits)
            asker.heard_at = self._loop.time()
        trees = _Trees(self._store)
        for want in wants:
            if want.cancel:
                asker.cancel(want.address)
            elif want.kind is WantKind.HAVE or want.address.index is None:
                asker.ask(want)
            else:
                self._want_leaf(asker, want.address, trees)
        if asker.questions and link.peer not in self._answering:
            task = self._loop.create_task(self._answer(asker))
            self._answering[link.peer] = task
            task.add_done_callback(lambda done: self._answered(asker, done))
        self._dispatch()

    def forget(self, peer: PeerId) -> None:
        """A peer has left: it is sent nothing any more."""
        asker = self._askers.pop(peer, None)
        if asker is not None:
            self._turns.remove(asker)
            asker.questions.clear()

    # ---- wants ----

    def _want_leaf(self, asker: Asker, address: BlockAddress, trees: _Trees) -> None:
        size = trees.size_of(address)
        if size is None:
            self._miss(asker, address)
        else:
            asker.want(address, size)
            self._turns.add(asker)

    def _miss(self, asker: Asker, address: BlockAddress) -> None:
        asker.miss(address, self._loop.time() + self._limits.wanted_seconds)
        if self._watcher is None:
            self._watcher = self._loop.create_task(self._watch())

    async def _answer(self, asker: Asker) -> None:
        """Answer an asker's questions, some at a time."""
        limits = self._limits
        while asker.questions:
            trees, presences = _Trees(self._store), []
            for _ in range(min(len(asker.questions), limits.presences_per_round)):
                want = asker.questions.popleft()
                if want.address.index is None:
                    has = await self._has_single(want.address.cid)
                else:
                    has = trees.size_of(want.address) is not None
                if want.kind is WantKind.BLOCK:
                    self._want_single(asker, want.address, has)
                elif has or want.send_dont_have:
                    presences.append(Presence(want.address, has))
                if not asker.questions:
                    break  # the peer has left
            for at in range(0, len(presences), MAX_ENTRIES):
                asker.heard_at = self._loop.time()
                asker.link.post(Message(presences=tuple(presences[at : at + MAX_ENTRIES])))
            if asker.questions:
                await asyncio.sleep(limits.round_seconds)

    def _answered(self, asker: Asker, task: asyncio.Task[None]) -> None:
        del self._answering[asker.link.peer]
        if not task.cancelled() and task.exception() is None and asker.questions:
            self.wanted(asker.link, ())

    def _want_single(self, asker: Asker, address: BlockAddress, has: bool) -> None:
        if self._askers.get(asker.link.peer) is not asker:
            return
        if has:
            asker.want(address, _SINGLE_COST)
            self._turns.add(asker)
            self._dispatch()
        else:
            self._miss(asker, address)

    async def _has_single(self, cid: Cid) -> bool:
        if cid.hash_code != HASH_SHA256 or not (is_manifest(cid) or is_block(cid)):
            return False
        try:
            await self._store.read_block(cid)
        except QuireError:
            return False
        return True

    # ---- blocks ----

    def _dispatch(self) -> None:
        """Begin messages while there is room for them."""
        while self._reads < self._limits.serving_reads:
            turn = self._turns.next(lambda a: a.busy < self._limits.messages_per_peer)
            if turn is None:
                return
            asker, addresses = turn
            asker.busy += 1
            self._reads += 1
            task = self._loop.create_task(self._serve(asker, addresses, self._last.get(asker)))
            self._last[asker] = task
            self._tasks[task] = None
            task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _serve(
        self, asker: Asker, addresses: list[BlockAddress], before: asyncio.Task[None] | None
    ) -> None:
        """Read blocks and send them in one message, after the asker's message `before`."""
        try:
            try:
                deliveries = await self._read(asker, addresses)
            finally:
                self._reads -= 1
                self._dispatch()
            if before is not None:
                await asyncio.wait([before])
            if not deliveries or self._askers.get(asker.link.peer) is not asker:
                return
            asker.heard_at = self._loop.time()
            await asker.link.send(Message(deliveries=tuple(deliveries)))
            size = sum(len(delivery.data) for delivery in deliveries)
            self._ledger.sent(asker.link.peer, asker.link.protocol, size, len(deliveries))
        except PeerError:
            return  # its stream ended: it asks again on the next one
        finally:
            asker.busy -= 1
            if not asker.busy:
                del self._last[asker]
            self._dispatch()

    async def _read(self, asker: Asker, addresses: list[BlockAddress]) -> list[Delivery]:
        """The blocks that can be read; the others are remembered."""
        deliveries: list[Delivery] = []
        for run in _runs(addresses):
            try:
                deliveries += await self._read_run(run)
            except QuireError:
                for address in run:
                    try:
                        deliveries += await self._read_run([address])
                    except QuireError:
                        self._miss(asker, address)
        return deliveries

    async def _read_run(self, run: list[BlockAddress]) -> list[Delivery]:
        first = run[0]
        if first.index is None:
            return [await read_single(self._store, first.cid)]
        tree = self._store.tree(first.cid.digest)
        if tree is None or tree.is_withheld:
            raise BlockMissing(f"nothing is known of the tree {first.cid}")
        return await read_run(self._store, tree, first.index, len(run), self._executor)

    # ---- what was not here ----

    def _store_changed(self, _kind: str, _dataset: Dataset) -> None:
        self._has_new_dataset = True

    async def _watch(self) -> None:
        """Look whether remembered blocks have come, as long as there are any."""
        try:
            while any(asker.absent for asker in self._askers.values()):
                await asyncio.sleep(self._limits.watch_seconds)
                now, trees = self._loop.time(), _Trees(self._store)
                has_new, self._has_new_dataset = self._has_new_dataset, False
                for asker in list(self._askers.values()):
                    asker.expire(now)
                    self._look_again(asker, trees, has_new)
                    self._keep_alive(asker, now)
                self._dispatch()
        finally:
            self._watcher = None

    def _look_again(self, asker: Asker, trees: _Trees, has_new_dataset: bool) -> None:
        for address in list(asker.absent):
            if address.index is None:
                if has_new_dataset:
                    self.wanted(asker.link, (Want(address),))
            elif (size := trees.size_of(address)) is not None:
                asker.want(address, size)
                self._turns.add(asker)

    def _keep_alive(self, asker: Asker, now: float) -> None:
        """A peer that waits for a block and hears nothing takes us for dead after 60 s."""
        if asker.absent and now - asker.heard_at >= self._limits.alive_seconds:
            asker.heard_at = now
            address = next(iter(asker.absent))
            asker.link.post(Message(presences=(Presence(address, False),)))


class _Trees:
    """What is held of trees, looked up once for all entries of a message."""

    def __init__(self, store: BlockStore) -> None:
        self._store = store
        self._states: dict[bytes, TreeState | None] = {}

    def size_of(self, address: BlockAddress) -> int | None:
        """Bytes of the leaf; None when it is not here."""
        root, index = address.cid.digest, address.index
        if index is None or not is_tree(address.cid):
            return None
        if root not in self._states:
            state = self._store.tree(root)
            self._states[root] = None if state is None or state.is_withheld else state
        state = self._states[root]
        return state.block_size if state is not None and index in state.present else None


def _runs(addresses: list[BlockAddress]) -> list[list[BlockAddress]]:
    """Neighbouring leaves of one tree together, everything else alone."""
    numbered = enumerate(addresses)
    grouped = groupby(
        numbered, lambda n: (n[1].cid, -1 - n[0] if n[1].index is None else n[1].index - n[0])
    )
    return [[address for _, address in group] for _, group in grouped]
