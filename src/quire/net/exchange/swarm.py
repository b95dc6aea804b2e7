"""The peers of one fetch: they join with what they hold, are told apart by speed, and leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from quire.base.errors import PeerError, PeerLied, PeerSilent
from quire.base.ranges import RangeSet
from quire.formats.cid import Cid
from quire.formats.exchange import HaveUpdate, Status
from quire.net.exchange.candidates import Candidates
from quire.net.exchange.context import ExchangeContext
from quire.net.exchange.peer_session import AskedTree, PeerSession
from quire.net.transport import PeerId
from quire.store.dataset import Dataset


@dataclass(slots=True, eq=False)
class Member:
    """A peer of the swarm and how it does in this fetch."""

    session: PeerSession
    timeouts: int = 0  # in a row
    lates: int = 0  # overtaken by a second peer without having said a word, in a row
    resting_until: float = 0.0  # monotonic; it was busy, or late, or is to be paid first
    is_waiting: bool = False  # it serves on when what is under way from it is paid
    ask_again_at: float = 0.0  # monotonic; what it holds, if it is of no use until then
    questions: int = 0  # how often that was asked, in a row

    @property
    def peer(self) -> PeerId:
        return self.session.peer


class Swarm:
    """Who helps with one tree. `on_ranges(peer, ranges)` and `on_left(peer)` tell the fetch."""

    def __init__(
        self,
        context: ExchangeContext,
        dataset: Dataset,
        is_hungry: Callable[[], bool],
        on_ranges: Callable[[PeerId, RangeSet], None],
        on_left: Callable[[PeerId], None],
    ) -> None:
        self.members: dict[PeerId, Member] = {}
        self._context = context
        self.tree = AskedTree(dataset.tree_root, dataset.block_count, dataset.manifest.block_size)
        self._subject = str(dataset.manifest_cid)
        protection = dataset.manifest.protection
        rows = 0 if protection is None else protection.k + protection.m
        self._size = context.limits.peers_per_job + rows  # each row may be with another peer
        self._is_hungry = is_hungry
        self._on_ranges = on_ranges
        self._on_left = on_left
        keys: tuple[Cid, ...] = (dataset.manifest.tree_cid, dataset.manifest_cid)
        self.candidates = Candidates(context, self._subject, keys, self._wants_more, self._join)
        self._task: asyncio.Task[None] | None = None
        self._asking: dict[PeerId, asyncio.Task[None]] = {}

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self.candidates.run())

    async def stop(self) -> None:
        """Forget all members; their sessions stay open for others."""
        tasks = [*self._asking.values(), *([] if self._task is None else [self._task])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.members.clear()

    def by_load(self) -> list[Member]:
        """Members, the one with the most room in its window first."""
        return sorted(
            self.members.values(),
            key=lambda m: m.session.pending_bytes / m.session.estimate.window_bytes(),
        )

    def updated(self, peer: PeerId, update: HaveUpdate) -> bool:
        """A member holds more than before. Whether the peer is a member."""
        if peer in self.members and update.leaf_count == self.tree.leaf_count:
            self._on_ranges(peer, update.added)
        return peer in self.members

    def ask_again(self, is_useless: Callable[[PeerId], bool]) -> None:
        """Ask members that have nothing of what is missing what they hold by now.

        A complete holder does not tell of changes, and one that lost the dataset and got it anew
        has forgotten whom it told: without a question nobody would ever hear of it."""
        now, limits = self._context.clock.monotonic(), self._context.limits
        for member in list(self.members.values()):
            if now < member.ask_again_at or member.peer in self._asking:
                continue
            pause = min(limits.rest_seconds, limits.again_seconds * 2.0**member.questions)
            member.ask_again_at = now + pause
            if not is_useless(member.peer):
                member.questions = 0
            elif member.questions and len(self.members) >= self._size:
                self.drop(member, limits.rest_seconds, "has nothing of what is missing")
            else:
                member.questions += 1
                asking = self._ask_what_it_has(member)
                self._asking[member.peer] = asyncio.get_running_loop().create_task(asking)

    async def _ask_what_it_has(self, member: Member) -> None:
        deadline = self._context.clock.monotonic() + self._context.limits.answer_seconds
        problem = "does not have it any more"
        try:
            reply = await member.session.ask_have(self.tree, deadline)
            if reply.status is Status.OK and reply.present is not None:
                problem = ""
                if reply.leaf_count == self.tree.leaf_count and member.peer in self.members:
                    self._on_ranges(member.peer, reply.present)
        except PeerLied as lie:
            self._context.blame(member.peer, lie, self._subject)
        except PeerError as silence:
            problem = silence.message
        finally:
            self._asking.pop(member.peer, None)
        if problem and self.members.get(member.peer) is member:
            self.drop(member, self._context.limits.again_seconds, problem)

    def session_ended(self, session: PeerSession, problem: PeerError) -> None:
        """A member is gone; unless it lied, it may come back when it is connected again."""
        member = self.members.get(session.peer)
        if member is not None and member.session is session:
            if isinstance(problem, PeerLied):
                self.candidates.lied(session.peer, problem)
            self.drop(member, 1.0, problem.message)

    def drop(self, member: Member, rest_seconds: float, problem: str) -> None:
        """Do without a member, for a while."""
        del self.members[member.peer]
        self._context.events.publish(
            "fetch.peer-dropped",
            self._subject,
            f"{member.peer} is out: {problem}",
            peer=member.peer,
        )
        self._on_left(member.peer)
        if member.peer not in self.candidates.liars:
            self.candidates.rest(member.peer, rest_seconds, problem)
        self.candidates.search_soon()

    def answered(self, peer: PeerId, text: str) -> None:
        """Remember what a peer said last."""
        self.candidates.answers.note(peer, text, self._context.clock.monotonic())

    def silent(self, member: Member, problem: PeerSilent) -> None:
        """A member let a request time out: trust it less, in the end do without it."""
        member.timeouts += 1
        self.answered(member.peer, problem.message)
        member.session.estimate.timed_out()
        self._context.ledger.of(member.peer).timeouts += 1
        limits = self._context.limits
        if member.timeouts >= limits.max_timeouts and member.peer in self.members:
            self.drop(
                member,
                limits.rest_seconds,
                f"{member.timeouts} requests in a row timed out: {problem.message}",
            )
        else:
            self._context.events.publish(
                "fetch.peer-slow", self._subject, problem.message, peer=member.peer
            )

    def _wants_more(self, under_way: int) -> bool:
        return self._is_hungry() and len(self.members) + under_way < self._size

    async def _join(self, peer: PeerId) -> str:
        deadline = self._context.clock.monotonic() + self._context.limits.answer_seconds
        session = await self._context.sessions.get(peer, deadline)
        reply = await session.ask_have(self.tree, deadline)
        tree = self.tree
        if reply.status is not Status.OK or reply.present is None:
            return "does not have it"
        if (reply.leaf_count, reply.block_size) != (tree.leaf_count, tree.block_size):
            # A false manifest may name a true tree in another shape: nobody is to blame here.
            return (
                f"knows the tree as {reply.leaf_count} blocks of {reply.block_size} bytes, not "
                f"{tree.leaf_count} of {tree.block_size}"
            )
        if session.is_over:
            return "went away"
        again_at = self._context.clock.monotonic() + self._context.limits.again_seconds
        self.members[peer] = Member(session, ask_again_at=again_at)
        asks = "" if reply.charge is None else f", asks {reply.charge.price} tokens a MiB"
        self.answered(peer, f"has {reply.present.count()} of {tree.leaf_count} blocks{asks}")
        self._context.events.publish(
            "fetch.peer-joined",
            self._subject,
            f"{peer} has {reply.present.count()} of {tree.leaf_count} blocks",
            peer=peer,
        )
        self._on_ranges(peer, reply.present)
        return ""
