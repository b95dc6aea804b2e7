"""Something that is looked for at all peers that may have it, for whoever waits for it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from quire.base.errors import QuireError
from quire.formats.cid import Cid
from quire.net.exchange.candidates import Candidates
from quire.net.exchange.context import ExchangeContext
from quire.net.exchange.explain import Explanation
from quire.net.transport import PeerId

Found = TypeVar("Found")


class Search(ABC, Generic[Found]):
    """One search, shared by all that want its outcome; each waits with its own deadline.

    keys  CIDs whose providers are asked  ·  what  what is looked for, in words
    """

    def __init__(
        self, context: ExchangeContext, subject: str, keys: tuple[Cid, ...], what: str
    ) -> None:
        self._context = context
        self._subject = subject
        self._what = what
        self._candidates = Candidates(context, subject, keys, self._wants_more, self._ask)
        self._waiters = 0
        self._asked: dict[PeerId, None] = {}  # peers that answered, and do not have it
        self._found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._task = asyncio.get_running_loop().create_task(self._candidates.run())

    @property
    def is_over(self) -> bool:
        return self._task.done() or self._found.done()

    @property
    def subject(self) -> str:
        return self._subject

    def peer_joined(self) -> None:
        self._candidates.wake()

    def describe(self) -> str:
        return self._candidates.describe()

    def explain(self) -> Explanation:
        """Whom this search asked, and what comes next."""
        candidates = self._candidates
        return Explanation(
            reason=self.describe(),
            missing_blocks=1,
            missing=[(0, 1)],
            nowhere_blocks=1,
            searches=candidates.searches,
            peers=candidates.asked(),
            timers=candidates.timers(),
        )

    async def wait(self, deadline: float) -> Found:
        """What was looked for, verified.

        Raises   NotFound          nobody who answered has it, up to `deadline`
                 DeadlineExceeded  somebody should have it and did not deliver, or lied
        """
        self._waiters += 1
        try:
            with self._context.waits.waiting(self._subject, self._what, deadline) as wait:
                while not self._found.done():
                    wait.reason = f"{self._what}: {self.describe()}"
                    left = deadline - self._context.clock.monotonic()
                    if left <= 0:
                        raise self._not_found()
                    await asyncio.wait([self._found], timeout=min(left, 0.5))
            return self._found.result()
        finally:
            self._waiters -= 1
            if not self._waiters:
                await self.stop()

    async def stop(self, problem: QuireError | None = None) -> None:
        """End the search; whoever still waits gets `problem`."""
        if not self._found.done():
            if problem is None:
                self._found.cancel()
            else:
                self._fail(problem)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def _fail(self, problem: QuireError) -> None:
        """Whoever waits gets `problem`."""
        if not self._found.done():
            self._found.set_exception(problem)
            self._found.exception()  # seen: there may be no waiter

    @property
    def _is_somebody_to_blame(self) -> bool:
        """Whether a peer lied, or gave no answer at all."""
        problems = self._candidates.problems
        return bool(self._candidates.liars) or any(peer not in self._asked for peer in problems)

    def _wants_more(self, under_way: int) -> bool:
        return not self._found.done() and under_way < self._context.limits.manifest_peers

    @abstractmethod
    async def _ask(self, peer: PeerId) -> str:
        """Ask one connected peer; see `Candidates`. Settles `_found`, notes `_asked`."""

    @abstractmethod
    def _not_found(self) -> QuireError:
        """What to say when time is up."""
