"""Whom to try next for a key: providers that a search found, and all connected peers.

Used for trees (swarm) and for manifests and blocks (by_cid). A peer that could not help rests a
while and is then tried again; a liar never is. Searches pause longer while they find nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from quire.base.errors import PeerError, PeerLied, ProtocolMismatch, QuireError
from quire.formats.cid import Cid
from quire.net.exchange.context import ExchangeContext
from quire.net.exchange.explain import Answers, AskedPeer, Timer
from quire.net.transport import Address, PeerId

Attempt = Callable[[PeerId], Awaitable[str]]

_TOLD_PROBLEMS = 3  # how many of them a description names
_KEPT_PROBLEMS = 32
_POLL_SECONDS = 1.0
_SEARCH = "search"  # stands where a peer does, for what a search said


class Candidates:
    """Tries peers one by one or several at once, as long as `wants_more` says so.

    `attempt(peer)` uses a connected peer: an empty text means that it helps (it is not tried again
    before `rest` releases it), any other text says why not.
    """

    def __init__(
        self,
        context: ExchangeContext,
        subject: str,
        keys: tuple[Cid, ...],
        wants_more: Callable[[int], bool],
        attempt: Attempt,
    ) -> None:
        self.liars: dict[PeerId, str] = {}
        self.problems: dict[PeerId, str] = {}
        self.answers = Answers()
        self._context = context
        self._subject = subject
        self._keys = keys
        self._wants_more = wants_more  # given the number of attempts under way
        self._attempt = attempt
        self._resting: dict[PeerId, float] = {}  # until, monotonic
        self._refusals: dict[PeerId, int] = {}  # in a row
        self._trying: dict[PeerId, asyncio.Task[None]] = {}
        self._found: dict[PeerId, tuple[Address, ...]] = {}
        self._search: asyncio.Task[None] | None = None
        self._next_search_at = 0.0
        self._pause_seconds = context.limits.search_pause_seconds
        self._searches = 0
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Try peers until cancelled; then everything under way is cancelled too."""
        try:
            while True:
                self._step(self._context.clock.monotonic())
                self._wake.clear()
                try:
                    async with asyncio.timeout(_POLL_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            left = [*self._trying.values(), *([self._search] if self._search else [])]
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)

    def wake(self) -> None:
        """Something changed: a peer joined, or more peers are wanted."""
        self._wake.set()

    def rest(self, peer: PeerId, seconds: float, problem: str) -> None:
        """Leave a peer alone for a while."""
        self._resting[peer] = self._context.clock.monotonic() + seconds
        if problem:
            self._note(peer, problem)
        self._wake.set()

    def lied(self, peer: PeerId, problem: PeerLied) -> None:
        """Ban a peer and remember it as the reason."""
        self.liars[peer] = problem.message
        self.answers.note(peer, problem.message, self._context.clock.monotonic())
        self._resting[peer] = float("inf")
        self._context.blame(peer, problem, self._subject)

    def search_soon(self) -> None:
        """A peer was lost: do not wait for the pause to end."""
        self._pause_seconds = self._context.limits.search_pause_seconds
        now = self._context.clock.monotonic()
        self._next_search_at = min(self._next_search_at, now + self._pause_seconds)

    def describe(self) -> str:
        """What is being tried, in words."""
        now = self._context.clock.monotonic()
        parts = []
        if self._trying:
            parts.append(f"asking {', '.join(list(self._trying)[:_TOLD_PROBLEMS])}")
        if self._search is not None:
            parts.append("searching for providers")
        elif self._searches:
            wait = max(0.0, self._next_search_at - now)
            parts.append(f"{self._searches} searches done, the next in {wait:.0f} s")
        parts += [f"banned {peer}: {why}" for peer, why in self.liars.items()]
        told = [f"{peer}: {why}" for peer, why in self.problems.items() if peer not in self.liars]
        parts += told[-_TOLD_PROBLEMS:]
        if not told and not self.liars and not self._trying:
            parts.append("no connected peer and no provider is known")
        return "; ".join(parts)

    @property
    def searches(self) -> int:
        """Searches of the network that have ended."""
        return self._searches

    @property
    def is_settled(self) -> bool:
        """Whether the network was searched and everybody who is known has answered."""
        return self._searches > 0 and self._search is None and not self._trying

    def asked(self) -> list[AskedPeer]:
        """Every peer that was tried, with what it said last; members of a swarm included."""
        now = self._context.clock.monotonic()
        peers: dict[PeerId, None] = dict.fromkeys(self._trying)
        peers.update(dict.fromkeys(peer for peer, _ in self.answers if peer != _SEARCH))
        return [self._describe(peer, now) for peer in peers]

    def timers(self) -> list[Timer]:
        """When the network is searched again."""
        if self._search is not None:
            return []
        left = self._next_search_at - self._context.clock.monotonic()
        return [Timer("the network is searched for providers again", max(0.0, left))]

    def _describe(self, peer: PeerId, now: float) -> AskedPeer:
        answer, until = self.answers.of(peer), self._resting.get(peer, 0.0)
        again = None
        if peer in self.liars:
            state = "banned"
        elif peer in self._trying:
            state = "asking"
        elif now < until < float("inf"):
            state, again = "resting", until - now
        else:
            state = "helps"
        return AskedPeer(
            peer=peer,
            state=state,
            has_blocks=None,
            asked_blocks=0,
            received_bytes=0,
            last_answer="" if answer is None else answer.text,
            answered_ago_seconds=None if answer is None else now - answer.at,
            next_in_seconds=again,
        )

    def _step(self, now: float) -> None:
        for peer in list(self._found):
            self._consider(peer, now)
        for connection in self._context.transport.connections():
            self._consider(connection.peer, now)
        if (
            self._search is None
            and now >= self._next_search_at
            and self._wants_more(len(self._trying))
        ):
            self._search = asyncio.get_running_loop().create_task(self._run_search())

    def _consider(self, peer: PeerId, now: float) -> None:
        if (
            peer in self._trying
            or now < self._resting.get(peer, 0.0)
            or self._context.is_banned(peer)
            or not self._wants_more(len(self._trying))
        ):
            return
        self._trying[peer] = asyncio.get_running_loop().create_task(self._try(peer))

    async def _try(self, peer: PeerId) -> None:
        limits = self._context.limits
        seconds = limits.rest_seconds
        try:
            addresses = self._found.get(peer)
            if addresses is not None:
                deadline = self._context.clock.monotonic() + limits.answer_seconds
                await self._context.transport.dial(peer, addresses, deadline)
            problem = await self._attempt(peer)
            self._resting[peer] = float("inf")
            if problem:
                again = limits.again_seconds * 2.0 ** self._refusals.get(peer, 0)
                self._refusals[peer] = min(self._refusals.get(peer, 0) + 1, 16)
                self.rest(peer, min(again, seconds), problem)
            else:
                self.problems.pop(peer, None)
                self._refusals.pop(peer, None)
        except PeerLied as lie:
            self.lied(peer, lie)
        except ProtocolMismatch as problem:
            self.rest(peer, 20 * seconds, problem.message)
        except PeerError as problem:
            self._found.pop(peer, None)
            self.rest(peer, seconds, problem.message)
        finally:
            self._trying.pop(peer, None)
            self._wake.set()

    async def _run_search(self) -> None:
        limits, clock = self._context.limits, self._context.clock
        before = len(self._found)
        try:
            for key in self._keys:
                deadline = clock.monotonic() + limits.search_seconds
                async for record in self._context.finder.find(key, deadline):
                    if record.peer != self._context.transport.peer_id:
                        self._found[record.peer] = record.addresses
                        self._wake.set()
        except QuireError as problem:
            self._note(_SEARCH, problem.message)
        finally:
            self._search = None
            self._searches += 1
            self._next_search_at = clock.monotonic() + self._pause_seconds
            if len(self._found) == before:
                self._pause_seconds = min(2 * self._pause_seconds, limits.search_pause_max_seconds)

    def _note(self, peer: PeerId, problem: str) -> None:
        self.answers.note(peer, problem, self._context.clock.monotonic())
        self.problems.pop(peer, None)
        self.problems[peer] = problem
        if len(self.problems) > _KEPT_PROBLEMS:
            del self.problems[next(iter(self.problems))]
