"""The way of a piece: assigned, asked for, verified in a worker thread, handed to the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from quire.base.errors import Bug, PeerError, PeerLied, PeerSilent, QuireError
from quire.base.spans import span
from quire.formats.charge import Charge
from quire.formats.exchange import MAX_DATA_BYTES, RangeReply, Status
from quire.kernels.hashing import verify_range
from quire.net.exchange.context import BlockSink, ExchangeContext
from quire.net.exchange.hedge import UNKNOWN_COST_SECONDS, Hedges
from quire.net.exchange.peer_session import PeerSession
from quire.net.exchange.scheduler import Piece, Scheduler
from quire.net.exchange.swarm import Member, Swarm
from quire.net.transport import PeerId
from quire.store.dataset import Dataset

PIECES_IN_ROOM = 4  # requests that share what a peer serves on credit


@dataclass(slots=True, eq=False)
class _Fetch:
    """A piece asked of a member."""

    member: Member
    piece: Piece
    size_bytes: int
    asked_at: float
    is_asking: bool = True  # until the reply is here
    is_unpaid: bool = False  # refused until the peer is paid
    task: asyncio.Task[None] | None = None

    def received(self) -> None:
        """The reply is here, or will not be used: the member has room again."""
        if self.is_asking:
            self.is_asking = False
            self.member.session.release(self.size_bytes)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


@dataclass(frozen=True, slots=True)
class PumpEvents:
    """Whom a pump tells."""

    on_stored: Callable[[PeerId, int], None]  # bytes of a piece are with the store
    on_problem: Callable[[QuireError], None]  # the fetch cannot go on
    on_change: Callable[[], None]  # a piece ended, well or not


class Pump:
    """Keeps the peers of one fetch busy, within the global byte budget."""

    def __init__(
        self,
        context: ExchangeContext,
        dataset: Dataset,
        scheduler: Scheduler,
        swarm: Swarm,
        events: PumpEvents,
        sink: BlockSink,
    ) -> None:
        self._context = context
        self._sink = sink
        self._root = dataset.tree_root
        self._subject = str(dataset.manifest_cid)
        self._block_size = dataset.manifest.block_size
        self._scheduler = scheduler
        self._swarm = swarm
        self._on_stored = events.on_stored
        self._on_problem = events.on_problem
        self._on_change = events.on_change
        self._fetches: dict[_Fetch, None] = {}
        self._hedges = Hedges(context, scheduler, swarm, self._block_size, self._ask_second)
        self._alarm: asyncio.TimerHandle | None = None  # when the next piece is late
        self._is_over = False

    @property
    def asking_bytes(self) -> int:
        """Asked of peers and not received."""
        return sum(fetch.size_bytes for fetch in self._fetches if fetch.is_asking)

    @property
    def storing_bytes(self) -> int:
        """Received, being verified or waiting for the disk."""
        return sum(fetch.size_bytes for fetch in self._fetches if not fetch.is_asking)

    def run(self) -> None:
        """Ask for as much as peers and budget allow."""
        if self._is_over or self._scheduler.is_idle:
            return
        now = self._context.clock.monotonic()
        self._hedges.run(now)
        ready = self._swarm.by_load()
        while ready:
            ready = [member for member in ready if self._assign(member, now)]
        self._set_alarm(self._scheduler.next_late_at(now))

    def _assign(self, member: Member, now: float) -> bool:
        """Give a peer one more piece; False when it can have none now."""
        estimate = member.session.estimate
        if member.session.room_bytes <= 0 or member.resting_until > now:
            return False
        room = self._context.toll.room(member.peer)
        blocks = min(
            estimate.piece_blocks(self._block_size),
            MAX_DATA_BYTES // self._block_size,
            member.session.max_blocks,
            max(1, room // PIECES_IN_ROOM // self._block_size),
        )
        most = blocks * self._block_size
        if member.session.pending_bytes + most > room:
            return False
        if not self._context.budget.has_room(most, self.run):
            return False
        pending = member.session.pending_bytes + most
        cost = estimate.cost_seconds(pending)
        late_at = now + estimate.late_seconds(pending)
        piece = None
        if self._hedges.may_ask(most):
            piece = self._scheduler.second_owner(member.peer, now, cost, late_at)
        if piece is not None:
            self._hedges.asked_bytes += piece.count * self._block_size
        else:
            due = now + (UNKNOWN_COST_SECONDS if cost is None else cost)
            piece = self._scheduler.next_piece(member.peer, blocks, due, late_at)
        if piece is None:
            return False
        self._ask(member, piece, now)
        return True

    def _ask_second(self, member: Member, piece: Piece) -> bool:
        """Ask a second peer, beyond its window: a reader waits."""
        size, session = piece.count * self._block_size, member.session
        if not self._context.budget.has_room(size, self.run):
            return False
        now = self._context.clock.monotonic()
        late_at = now + session.estimate.late_seconds(session.pending_bytes + size)
        if not self._scheduler.own(piece, member.peer, late_at):
            return False
        self._ask(member, piece, now)
        return True

    def _ask(self, member: Member, piece: Piece, now: float) -> None:
        size = piece.count * self._block_size
        self._context.budget.take(size)
        member.session.reserve(size)
        fetch = _Fetch(member, piece, size, now)
        self._fetches[fetch] = None
        fetch.task = asyncio.get_running_loop().create_task(self._fetch(fetch))
        fetch.task.add_done_callback(lambda task: self._fetched(fetch, task))

    def _set_alarm(self, at: float | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None
        if at is not None:
            self._alarm = asyncio.get_running_loop().call_at(at, self.run)

    async def _fetch(self, fetch: _Fetch) -> None:
        """One piece from one peer: ask, verify, store."""
        member, piece, peer = fetch.member, fetch.piece, fetch.member.peer
        session = member.session
        wait_seconds = session.estimate.timeout_seconds(session.pending_bytes)
        try:
            with span("exchange.range", peer=peer, start=piece.start, count=piece.count) as asked:
                reply = await session.ask_range(
                    self._swarm.tree,
                    piece.start,
                    piece.count,
                    self._context.clock.monotonic() + wait_seconds,
                )
                asked.note(status=reply.status.name)
            fetch.received()
            self.run()  # there is room at the peer again; storing comes later
            if reply.status is Status.OK:
                member.timeouts = member.lates = 0
                await self._keep(session, piece, reply)
                if member.is_waiting:
                    member.is_waiting, member.resting_until = False, 0.0
            elif reply.status is Status.PAYMENT_DUE and reply.charge is not None:
                await self._unpaid(fetch, reply.charge)
            else:
                self._declined(member, piece, reply.status)
        except PeerSilent as problem:
            fetch.received()
            self._scheduler.lost(piece, peer)
            self._swarm.silent(member, problem)
        except PeerLied as problem:
            self._scheduler.lost(piece, peer)
            self._swarm.candidates.lied(peer, problem)
        except PeerError:
            self._scheduler.lost(piece, peer)  # the session is over: the swarm hears of it
        except QuireError as problem:
            self._on_problem(problem)

    def _fetched(self, fetch: _Fetch, task: asyncio.Task[None]) -> None:
        del self._fetches[fetch]
        fetch.received()
        if task.cancelled():
            self._scheduler.lost(fetch.piece, fetch.member.peer)
        self._context.budget.give(fetch.size_bytes)
        problem = None if task.cancelled() else task.exception()
        if problem is not None:
            self._on_problem(Bug(f"fetching {self._subject} failed: {problem!r}"))
        self._on_change()

    async def _keep(self, session: PeerSession, piece: Piece, reply: RangeReply) -> None:
        """Verify a reply and store it. Raises `PeerLied` when it does not verify."""
        context, peer = self._context, session.peer
        digests = await asyncio.get_running_loop().run_in_executor(
            context.executor,
            verify_range,
            reply.data,
            self._block_size,
            piece.start,
            self._scheduler.leaf_count,
            reply.proof,
            self._root,
        )
        if digests is None:
            raise PeerLied(
                f"{peer} sent blocks {piece.start} to {piece.stop - 1} of {self._subject} that "
                "do not verify",
                peer=peer,
                start=piece.start,
                count=piece.count,
            )
        size, account = len(reply.data), context.ledger.of(peer)
        context.toll.received(peer, size, reply.charge)
        others = self._scheduler.claim(piece, peer)
        if others is None:
            account.wasted_bytes += size
            return
        for fetch in list(self._fetches):
            if fetch.piece is piece and fetch.member.peer in others:
                fetch.cancel()
                self._overtaken(fetch)
        try:
            await self._sink.put_range(self._root, piece.start, reply.data, digests, reply.proof)
        except BaseException:
            self._scheduler.unclaim(piece)
            raise
        self._scheduler.finished(piece)
        self._swarm.answered(peer, f"sent blocks {piece.start} to {piece.stop - 1}")
        context.ledger.received(peer, session.protocol, size, piece.count)
        self._hedges.received_bytes += size
        self._on_stored(peer, size)

    def _overtaken(self, loser: _Fetch) -> None:
        """A second peer was first. One that has said nothing meanwhile is passed over: what else
        it was asked for is asked of others, where there are any."""
        now, member = self._context.clock.monotonic(), loser.member
        if not self._hedges.lost(member, loser.piece, loser.asked_at, now):
            return
        self._context.events.publish(
            "fetch.peer-late",
            self._subject,
            f"{member.peer} was late, another was quicker; it rests for "
            f"{member.resting_until - now:.0f} s",
            peer=member.peer,
        )
        for fetch in list(self._fetches):
            is_replaceable = self._scheduler.is_elsewhere(fetch.piece, member.peer)
            if fetch.member is member and fetch.is_asking and is_replaceable:
                fetch.cancel()

    def _declined(self, member: Member, piece: Piece, status: Status) -> None:
        limits, peer = self._context.limits, member.peer
        self._scheduler.lost(piece, peer)
        said = f"answers {status.name} for blocks {piece.start} to {piece.stop - 1}"
        self._swarm.answered(peer, said)
        if status is Status.NOT_HAVE:
            self._scheduler.peer_lacks(peer, piece.start, piece.stop)
        elif status is Status.BUSY:
            member.resting_until = self._context.clock.monotonic() + limits.busy_seconds
        elif self._swarm.members.get(peer) is member:
            self._swarm.drop(member, limits.rest_seconds, f"answers {status.name}")

    async def _unpaid(self, fetch: _Fetch, charge: Charge) -> None:
        """The peer wants to be paid first. Meanwhile others may have the piece."""
        member, limits = fetch.member, self._context.limits
        peer, now = member.peer, self._context.clock.monotonic()
        self._scheduler.lost(fetch.piece, peer)
        fetch.is_unpaid = True
        under_way = (f for f in self._fetches if f.member is member and not f.is_unpaid)
        if member.session.pending_bytes or any(under_way):  # that has used its credit
            member.is_waiting, member.resting_until = True, now + limits.busy_seconds
            return
        member.resting_until = now + limits.rest_seconds
        problem = await self._context.toll.pay(peer, charge)
        self._swarm.answered(peer, problem or f"is paid {charge.price} tokens a MiB")
        if not problem:
            member.resting_until = 0.0
            self.run()
        elif self._swarm.members.get(peer) is member:
            self._swarm.drop(member, limits.rest_seconds, problem)

    def cancel_peer(self, peer: PeerId) -> None:
        """A peer has left: what it was asked for will not come. What it sent is still stored."""
        for fetch in list(self._fetches):
            if fetch.member.peer == peer and fetch.is_asking:
                fetch.cancel()

    def arrived(self, start: int, stop: int) -> None:
        """Blocks came in another way: who was asked for them is not needed any more."""
        over = self._scheduler.arrived(start, stop)
        for fetch in list(self._fetches):
            if fetch.piece in over:
                fetch.cancel()
                if fetch.is_asking:
                    self._overtaken(fetch)

    def cancel_unwanted(self) -> None:
        """Only windows are wanted now: cancel requests for anything else."""
        for fetch in list(self._fetches):
            if fetch.is_asking and not self._scheduler.is_awaited(fetch.piece):
                fetch.cancel()

    def stop(self) -> list[asyncio.Task[None]]:
        """Cancel everything; returns what is still ending."""
        self._is_over = True
        self._context.budget.forget(self.run)
        self._set_alarm(None)
        for fetch in list(self._fetches):
            fetch.cancel()
        return [fetch.task for fetch in self._fetches if fetch.task is not None]
