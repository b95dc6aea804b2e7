"""Fetching one manifest or block by its own CID, from whoever has it first."""

from __future__ import annotations

import asyncio
import hashlib

from quire.base.errors import DeadlineExceeded, PeerLied, QuireError, UnknownDataset
from quire.base.spans import span
from quire.formats.cid import Cid, is_manifest
from quire.formats.exchange import Status
from quire.net.exchange.candidates import Candidates
from quire.net.exchange.context import ExchangeContext
from quire.net.exchange.explain import Explanation
from quire.net.transport import PeerId


class Hunt:
    """The search for one CID, shared by all that want it; each waits with its own deadline."""

    def __init__(self, context: ExchangeContext, cid: Cid) -> None:
        self.cid = cid
        self._context = context
        self._subject = str(cid)
        self._candidates = Candidates(context, self._subject, (cid,), self._wants_more, self._ask)
        self._waiters = 0
        self._asked: dict[PeerId, None] = {}
        self._found: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._task = asyncio.get_running_loop().create_task(self._candidates.run())

    @property
    def is_over(self) -> bool:
        return self._task.done() or self._found.done()

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

    async def wait(self, deadline: float) -> bytes:
        """The content, verified.

        Raises   UnknownDataset    nobody who answered has it, up to `deadline`
                 DeadlineExceeded  somebody should have it and did not deliver, or lied
        """
        self._waiters += 1
        try:
            with self._context.waits.waiting(self._subject, "looking for it", deadline) as wait:
                while not self._found.done():
                    wait.reason = f"looking for it: {self.describe()}"
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
                self._found.set_exception(problem)
                self._found.exception()  # seen: there may be no waiter
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])

    def _wants_more(self, under_way: int) -> bool:
        return not self._found.done() and under_way < self._context.limits.manifest_peers

    async def _ask(self, peer: PeerId) -> str:
        deadline = self._context.clock.monotonic() + self._context.limits.answer_seconds
        session = await self._context.sessions.get(peer, deadline)
        with span("exchange.block", cid=self.cid, peer=peer):
            reply = await session.ask_block(self.cid, deadline)
        self._asked[peer] = None
        if reply.status is not Status.OK:
            return f"answers {reply.status.name}"
        if hashlib.sha256(reply.data).digest() != self.cid.digest:
            raise PeerLied(
                f"{peer} sent {len(reply.data)} bytes that are not {self.cid}", peer=peer
            )
        self._context.ledger.received(peer, session.protocol, len(reply.data), 1)
        if not self._found.done():
            self._found.set_result(bytes(reply.data))
        return ""

    def _not_found(self) -> QuireError:
        what = "manifest" if is_manifest(self.cid) else "block"
        text = f"the {what} {self.cid} was not found in time: {self.describe()}"
        problems = self._candidates.problems
        if self._candidates.liars or any(peer not in self._asked for peer in problems):
            return DeadlineExceeded(text, liars=", ".join(self._candidates.liars))
        return UnknownDataset(text)
