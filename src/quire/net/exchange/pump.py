"""The way of a piece: assigned, asked for, verified in a worker thread, handed to the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from quire.base.errors import Bug, PeerError, PeerLied, PeerSilent, QuireError
from quire.base.spans import span
from quire.formats.exchange import MAX_DATA_BYTES, RangeReply, Status
from quire.kernels.hashing import verify_range
from quire.net.exchange.context import ExchangeContext
from quire.net.exchange.peer_session import PeerSession
from quire.net.exchange.scheduler import Piece, Scheduler
from quire.net.exchange.swarm import Member, Swarm
from quire.net.transport import PeerId
from quire.store.dataset import Dataset

_UNKNOWN_COST_SECONDS = 1.0  # after which a piece of a peer of unknown speed counts as late


@dataclass(slots=True, eq=False)
class _Fetch:
    """A piece asked of a member."""

    member: Member
    piece: Piece
    size_bytes: int
    is_asking: bool = True  # until the reply is here
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
    ) -> None:
        self._context = context
        self._root = dataset.tree_root
        self._subject = str(dataset.manifest_cid)
        self._block_size = dataset.manifest.block_size
        self._scheduler = scheduler
        self._swarm = swarm
        self._on_stored = events.on_stored
        self._on_problem = events.on_problem
        self._on_change = events.on_change
        self._fetches: dict[_Fetch, None] = {}
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
        ready = self._swarm.by_load()
        while ready:
            ready = [member for member in ready if self._assign(member, now)]

    def _assign(self, member: Member, now: float) -> bool:
        """Give a peer one more piece; False when it can have none now."""
        estimate = member.session.estimate
        if member.session.room_bytes <= 0 or member.resting_until > now:
            return False
        blocks = min(
            estimate.piece_blocks(self._block_size),
            MAX_DATA_BYTES // self._block_size,
            member.session.max_blocks,
        )
        most = blocks * self._block_size
        if not self._context.budget.has_room(most, self.run):
            return False
        cost = estimate.cost_seconds(member.session.pending_bytes + most)
        due = now + (_UNKNOWN_COST_SECONDS if cost is None else cost)
        piece = self._scheduler.second_owner(member.peer, now, cost)
        if piece is None:
            piece = self._scheduler.next_piece(member.peer, blocks, due)
        if piece is None:
            return False
        size = piece.count * self._block_size
        self._context.budget.take(size)
        member.session.reserve(size)
        fetch = _Fetch(member, piece, size)
        self._fetches[fetch] = None
        fetch.task = asyncio.get_running_loop().create_task(self._fetch(fetch))
        fetch.task.add_done_callback(lambda task: self._fetched(fetch, task))
        return True

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
                member.timeouts = 0
                await self._keep(session, piece, reply)
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
        others = self._scheduler.claim(piece, peer)
        if others is None:
            account.wasted_bytes += size
            return
        for fetch in list(self._fetches):
            if fetch.piece is piece and fetch.member.peer in others:
                fetch.cancel()
        try:
            await context.store.put_range(self._root, piece.start, reply.data, digests, reply.proof)
        except BaseException:
            self._scheduler.unclaim(piece)
            raise
        self._scheduler.finished(piece)
        self._swarm.answered(peer, f"sent blocks {piece.start} to {piece.stop - 1}")
        context.ledger.received(peer, session.protocol, size, piece.count)
        self._on_stored(peer, size)

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

    def cancel_peer(self, peer: PeerId) -> None:
        """A peer has left: what it was asked for will not come. What it sent is still stored."""
        for fetch in list(self._fetches):
            if fetch.member.peer == peer and fetch.is_asking:
                fetch.cancel()

    def cancel_unwanted(self) -> None:
        """Only windows are wanted now: cancel requests for anything else."""
        for fetch in list(self._fetches):
            if fetch.is_asking and not self._scheduler.is_awaited(fetch.piece):
                fetch.cancel()

    def stop(self) -> list[asyncio.Task[None]]:
        """Cancel everything; returns what is still ending."""
        self._is_over = True
        self._context.budget.forget(self.run)
        for fetch in list(self._fetches):
            fetch.cancel()
        return [fetch.task for fetch in self._fetches if fetch.task is not None]
