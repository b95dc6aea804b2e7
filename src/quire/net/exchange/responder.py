"""Serving others: their requests at us, fair between peers, with bounded memory.

    channel reader -> answers at once (what we hold, not-have, busy) ---------> outbox -> channel
                   -> FairQueue of data requests -> at most n reads at a time -> outbox -> channel

Memory is bounded by `serving_reads` reads and `messages_per_peer` messages for each peer; a peer
that does not read stops only itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from quire.base.errors import BadEncoding, BlockMissing, InputError, PeerLied, QuireError
from quire.base.ranges import RangeSet
from quire.formats.charge import Charge, Purse
from quire.formats.cid import is_manifest
from quire.formats.exchange import (
    MAX_DATA_BYTES,
    BlockReply,
    BlockRequest,
    Cancel,
    DataReply,
    DataRequest,
    HaveReply,
    HaveRequest,
    HaveUpdate,
    LeavesReply,
    LeavesRequest,
    RangeReply,
    RangeRequest,
    Status,
    decode_message,
)
from quire.formats.exchange_ranges import first_ranges
from quire.net.exchange.fair_queue import FairQueue
from quire.net.exchange.ledger import Ledger
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.outbox import Outbox
from quire.net.exchange.toll import Permit, Toll
from quire.net.transport import Channel, PeerId
from quire.store.port import BlockStore
from quire.store.proved import read_proved
from quire.store.shape import DIGEST_BYTES

_BLOCK_COST = 64 << 10  # what a manifest or single block counts for in the queue


class Responder:
    """Answers requests from a store. One for a node."""

    def __init__(
        self, store: BlockStore, limits: ExchangeLimits, ledger: Ledger, toll: Toll
    ) -> None:
        self._store = store
        self._toll = toll
        self._limits = limits
        self._ledger = ledger
        self._queue: FairQueue[_Job] = FairQueue(limits.quantum_bytes)
        self._inbound: dict[PeerId, list[_Inbound]] = {}
        self._busy: dict[PeerId, int] = {}  # messages being read or waiting for the transport
        self._reads: dict[asyncio.Task[DataReply], None] = {}

    async def serve(self, channel: Channel) -> None:
        """Serve one channel until its end. Raises `PeerLied` when the peer breaks the protocol."""
        inbound = self._inbound.setdefault(channel.peer, [])
        if len(inbound) >= self._limits.channels_per_peer:
            channel.abort("too many channels")
            return
        line = _Inbound(channel, self._limits)
        inbound.append(line)
        updates = asyncio.get_running_loop().create_task(self._keep_informed(line))
        try:
            while True:
                await line.outbox.until_room()
                await self._take(line, await channel.receive())
        except BadEncoding as problem:
            raise PeerLied(
                f"{channel.peer} sent garbage: {problem.message}", peer=channel.peer
            ) from None
        finally:
            updates.cancel()
            line.outbox.close()
            self._forget(line)

    async def stop(self) -> None:
        """Give up what is being read, and what then has its turn."""
        while self._reads:
            for task in self._reads:
                task.cancel()
            await asyncio.wait(list(self._reads))

    def status(self) -> list[dict[str, object]]:
        """Who waits for what from us."""
        return [
            {
                "peer": peer,
                "protocol": lines[0].protocol,
                "queuedRequests": sum(line.queued for line in lines),
                "queuedBytes": sum(line.queued_bytes for line in lines),
                "sentBytes": self._ledger.of(peer).sent_bytes,
            }
            for peer, lines in self._inbound.items()
        ]

    # ---- requests ----

    async def _take(self, line: _Inbound, data: memoryview) -> None:
        message = decode_message(data)
        if isinstance(message, HaveRequest):
            self._answer_have(line, message)
        elif isinstance(message, DataRequest):
            cost, refusal = self._weigh(line, message)
            if refusal is not None:
                line.outbox.put(_refused(message, refusal))
                return
            permit = await self._admit(line.peer, message, cost)
            if isinstance(permit, Charge):
                line.outbox.put(_unpaid(message, permit))
            else:
                self._enqueue(line, message, cost, permit)
        elif isinstance(message, Cancel):
            self._cancel(line, message.id)
        else:
            raise PeerLied(f"{line.peer} sent a reply where requests are due", peer=line.peer)

    def _answer_have(self, line: _Inbound, request: HaveRequest) -> None:
        tree = self._store.tree(request.root)
        if tree is None or tree.is_withheld:
            line.outbox.put(HaveReply(request.id, Status.NOT_HAVE))
            return
        told = first_ranges(tree.blocks)
        price = self._toll.posted(line.peer, request.root)
        shape = (tree.leaf_count, told, tree.block_size)
        charge = Charge(price) if price else None
        line.outbox.put(HaveReply(request.id, Status.OK, *shape, charge))
        if not told.covers(0, tree.leaf_count):
            line.told[request.root] = told.copy()
            if len(line.told) > self._limits.subscriptions_per_channel:
                del line.told[next(iter(line.told))]
            line.has_partial.set()

    def _weigh(self, line: _Inbound, request: DataRequest) -> tuple[int, Status | None]:
        """What a request counts for in the queue, and why it is not even queued, if it is not."""
        cost = _BLOCK_COST
        if not isinstance(request, BlockRequest):
            tree, stop = self._store.tree(request.root), request.start + request.count
            if tree is None or tree.is_withheld or stop > tree.leaf_count:
                return 0, Status.NOT_HAVE
            if isinstance(request, LeavesRequest):
                cost = request.count * DIGEST_BYTES
            elif not tree.present.covers(request.start, stop):
                return 0, Status.NOT_HAVE
            else:
                cost = request.count * tree.block_size
                if cost > MAX_DATA_BYTES:
                    return 0, Status.REFUSED
                if line.queued_bytes + cost > self._limits.bytes_per_peer:
                    return 0, Status.BUSY
        return cost, Status.BUSY if line.queued >= self._limits.requests_per_peer else None

    async def _admit(self, peer: PeerId, request: DataRequest, cost: int) -> Permit | Charge | None:
        """Manifests and digests are always free."""
        if isinstance(request, LeavesRequest):
            return None
        root = request.root if isinstance(request, RangeRequest) else None
        if isinstance(request, BlockRequest) and is_manifest(request.cid):
            return None
        purse = request.purse or Purse()
        if purse.payer and not self._toll.knows(peer, purse):
            await self._toll.introduce(peer, purse)
        return self._toll.admit(peer, root, cost, purse)

    def _enqueue(
        self, line: _Inbound, request: DataRequest, cost: int, permit: Permit | None
    ) -> None:
        if request.id in line.jobs:
            if permit is not None:
                permit.closed(False)
            raise PeerLied(f"{line.peer} used a request id twice", peer=line.peer)
        job = _Job(line, request, cost, permit)
        line.jobs[request.id] = job
        line.queued += 1
        line.queued_bytes += cost
        self._queue.push(line.peer, cost, job)
        self._dispatch()

    def _cancel(self, line: _Inbound, request_id: int) -> None:
        job = line.jobs.get(request_id)
        if job is None:
            return  # answered already; the reply crosses the cancellation
        if self._queue.remove(line.peer, job) is not None:
            self._finish(job, _refused(job.request, Status.CANCELLED), is_reading=False)
        else:
            job.is_cancelled = True

    # ---- data ----

    def _dispatch(self) -> None:
        """Start reads while there is room for them."""
        while len(self._reads) < self._limits.serving_reads:
            entry = self._queue.pop(self._may_serve)
            if entry is None:
                return
            peer, _, job = entry
            self._busy[peer] = self._busy.get(peer, 0) + 1
            task = asyncio.get_running_loop().create_task(self._read(job))
            self._reads[task] = None
            task.add_done_callback(partial(self._read_done, job))

    def _may_serve(self, peer: PeerId) -> bool:
        return self._busy.get(peer, 0) < self._limits.messages_per_peer

    def _read_done(self, job: _Job, task: asyncio.Task[DataReply]) -> None:
        """Also of a read that was given up before it began."""
        del self._reads[task]
        reply = _refused(job.request, Status.CANCELLED)
        try:
            if not task.cancelled():
                reply = task.result()
        finally:
            self._finish(job, reply, is_reading=True)
            self._dispatch()

    async def _read(self, job: _Job) -> DataReply:
        request = job.request
        try:
            if job.is_cancelled or job.line.outbox.is_closed:
                return _refused(request, Status.CANCELLED)
            return await self._reply(request)
        except (BlockMissing, InputError):
            return _refused(request, Status.NOT_HAVE)
        except QuireError:
            return _refused(request, Status.BUSY)

    async def _reply(self, request: DataRequest) -> DataReply:
        if isinstance(request, BlockRequest):
            return BlockReply(request.id, Status.OK, await self._store.read_block(request.cid))
        span = (request.root, request.start, request.count)
        if isinstance(request, LeavesRequest):
            digests = await self._store.read_leaves(*span)
            proof = await self._store.prove_range(*span)
            return LeavesReply(request.id, Status.OK, request.start, proof, digests)
        data, proof = await read_proved(self._store, *span)
        return RangeReply(request.id, Status.OK, request.start, proof, data)

    def _finish(self, job: _Job, reply: DataReply, *, is_reading: bool) -> None:
        """Hand the reply of a job to the writer and forget the job."""
        line = job.line
        line.jobs.pop(job.request.id, None)
        line.queued -= 1
        line.queued_bytes -= job.cost
        size, blocks, permit = len(reply.data), _blocks_of(job.request), job.permit
        if permit is not None and size and not isinstance(reply, LeavesReply):
            reply = replace(reply, charge=permit.served())

        def sent(was_sent: bool) -> None:
            if permit is not None:
                permit.closed(was_sent)
            if was_sent and size:
                self._ledger.sent(line.peer, line.protocol, size, blocks)
                if isinstance(job.request, RangeRequest):
                    asked = job.request
                    self._toll.sent(line.peer, asked.root, asked.start, asked.count)
            if is_reading:
                self._release(line.peer)

        line.outbox.put(reply, sent)

    def _release(self, peer: PeerId) -> None:
        left = self._busy.pop(peer) - 1
        if left:
            self._busy[peer] = left
        self._dispatch()

    # ---- partial holdings ----

    async def _keep_informed(self, line: _Inbound) -> None:
        """Tell the peer what was added to the trees it asked about, until they are complete."""
        while True:
            await line.has_partial.wait()
            await asyncio.sleep(self._limits.update_seconds)
            for root, told in list(line.told.items()):
                tree = self._store.tree(root)
                if tree is None:
                    del line.told[root]
                    continue
                added = first_ranges(tree.blocks.minus(told))
                if added:
                    line.outbox.put(HaveUpdate(root, tree.leaf_count, added))
                for start, stop in added:
                    told.add(start, stop)
                if told.covers(0, tree.leaf_count):
                    del line.told[root]
            if not line.told:
                line.has_partial.clear()

    def _forget(self, line: _Inbound) -> None:
        lines = self._inbound[line.peer]
        lines.remove(line)
        for job in list(line.jobs.values()):
            if self._queue.remove(line.peer, job) is not None:
                line.jobs.pop(job.request.id)
                if job.permit is not None:
                    job.permit.closed(False)
        if not lines:
            del self._inbound[line.peer]
            self._toll.line_ended(line.peer)


class _Inbound:
    """One channel on which a peer asks us."""

    def __init__(self, channel: Channel, limits: ExchangeLimits) -> None:
        self.peer = channel.peer
        self.protocol = channel.protocol
        self.outbox = Outbox(channel, limits)
        self.jobs: dict[int, _Job] = {}  # data requests without a reply, by id
        self.queued = 0
        self.queued_bytes = 0
        self.told: dict[bytes, RangeSet] = {}  # partial trees the peer asked about
        self.has_partial = asyncio.Event()


class _Job:
    """A data request that waits for its turn."""

    __slots__ = ("cost", "is_cancelled", "line", "permit", "request")

    def __init__(
        self, line: _Inbound, request: DataRequest, cost: int, permit: Permit | None
    ) -> None:
        self.line = line
        self.request = request
        self.cost = cost
        self.permit = permit
        self.is_cancelled = False


def _refused(request: DataRequest, status: Status) -> DataReply:
    if isinstance(request, RangeRequest):
        return RangeReply(request.id, status)
    if isinstance(request, LeavesRequest):
        return LeavesReply(request.id, status)
    return BlockReply(request.id, status)


def _unpaid(request: DataRequest, charge: Charge) -> DataReply:
    """The refusal of a request whose price is not paid, for one who knows of prices or not."""
    if isinstance(request, LeavesRequest) or request.purse is None:
        return _refused(request, Status.REFUSED)
    kind = RangeReply if isinstance(request, RangeRequest) else BlockReply
    return kind(request.id, Status.PAYMENT_DUE, charge=charge)


def _blocks_of(request: DataRequest) -> int:
    if isinstance(request, RangeRequest):
        return request.count
    return 1 if isinstance(request, BlockRequest) else 0
