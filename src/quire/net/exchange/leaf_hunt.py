"""Fetching the list of a tree's leaves: parts of it, from several peers at once.

Each part comes with its range proof, so that a false one is noticed when it comes, and is kept
when it was checked: a hunt that is broken off goes on where it was.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from quire.base.errors import (
    DeadlineExceeded,
    NotFound,
    PeerError,
    PeerLied,
    ProtocolMismatch,
    QuireError,
)
from quire.base.ranges import RangeSet
from quire.base.spans import span
from quire.formats.exchange import MAX_LEAVES, LeavesReply, Status
from quire.kernels.hashing import verify_leaves
from quire.net.exchange.context import ExchangeContext
from quire.net.exchange.explain import RANGES_SHOWN, Explanation
from quire.net.exchange.peer_session import AskedTree, PeerSession
from quire.net.exchange.search import Search
from quire.net.transport import PeerId
from quire.store.dataset import Dataset
from quire.store.shape import DIGEST_BYTES


class LeavesUnknown(NotFound):
    """Nobody who answered can give the list of a tree's leaves."""

    code, retry = "leaves-unknown", True
    hint = (
        "a node of Quire that holds the whole dataset or has its list of leaves must be in reach; "
        "nodes of Codex cannot give one"
    )


class LeafHunt(Search[None]):
    """The search for what is unknown of one list. `wait` raises LeavesUnknown."""

    def __init__(self, context: ExchangeContext, dataset: Dataset, unknown: RangeSet) -> None:
        self._tree = AskedTree(dataset.tree_root, dataset.block_count, dataset.manifest.block_size)
        self._unknown = unknown
        self._asking: dict[int, list[PeerId]] = {}  # by the first leaf of a part
        self._changed = asyncio.Event()
        self._cannot: dict[PeerId, None] = {}  # they speak another protocol
        keys = (dataset.manifest.tree_cid, dataset.manifest_cid)
        subject = str(dataset.manifest_cid)
        super().__init__(context, subject, keys, "getting the list of leaves")

    def explain(self) -> Explanation:
        """Whom this search asked, and which leaves' digests are still to come."""
        return replace(
            super().explain(),
            missing_blocks=self._unknown.count(),
            missing=list(self._unknown)[:RANGES_SHOWN],
            nowhere_blocks=0,
        )

    async def _ask(self, peer: PeerId) -> str:
        context = self._context
        until = context.clock.monotonic() + context.limits.answer_seconds
        session = await context.sessions.get(peer, until)
        while self._unknown:
            part = self._next_part(peer)
            if part is None:  # others are asked for all that is left
                await self._change()
                part = self._next_part(peer, again=True)
                if part is None:
                    continue
            problem = await self._get(session, *part)
            if problem:
                return problem
        if not self._found.done():
            self._found.set_result(None)
        return ""

    async def _get(self, session: PeerSession, start: int, count: int) -> str:
        """One part from one peer; why it was not had, if it was not."""
        peer, context = session.peer, self._context
        self._asking.setdefault(start, []).append(peer)
        try:
            size_bytes = session.pending_bytes + count * DIGEST_BYTES
            until = context.clock.monotonic() + session.estimate.timeout_seconds(size_bytes)
            with span("exchange.leaves", peer=peer, start=start, count=count):
                reply = await session.ask_leaves(self._tree, start, count, until)
            if reply.status is not Status.OK:
                if reply.status is not Status.BUSY:
                    self._asked[peer] = None
                return f"answers {reply.status.name} when asked for the list of leaves"
            await self._keep(session, start, count, reply)
        except ProtocolMismatch:
            self._asked[peer] = self._cannot[peer] = None
            raise
        except PeerError:
            raise
        except QuireError as problem:  # the store cannot take it
            self._fail(problem)
            return problem.message
        finally:
            self._asking[start].remove(peer)
            self._changed.set()
        return ""

    async def _keep(self, session: PeerSession, start: int, count: int, reply: LeavesReply) -> None:
        """Check a part and store it. Raises PeerLied when it does not verify."""
        context, tree, peer = self._context, self._tree, session.peer
        is_true = await asyncio.get_running_loop().run_in_executor(
            context.executor,
            verify_leaves,
            reply.data,
            start,
            tree.leaf_count,
            reply.proof,
            tree.root,
        )
        if not is_true:
            raise PeerLied(
                f"{peer} sent digests of the leaves {start} to {start + count - 1} of "
                f"{self._subject} that do not verify",
                peer=peer,
            )
        if not self._unknown.within(start, start + count):
            context.ledger.of(peer).wasted_bytes += len(reply.data)
            return
        await context.store.put_leaf_range(tree.root, start, reply.data, reply.proof)
        self._unknown.remove(start, start + count)
        context.ledger.received(peer, session.protocol, len(reply.data), 0)

    def _next_part(self, peer: PeerId, *, again: bool = False) -> tuple[int, int] | None:
        """The first part, aligned, that is unknown and that nobody is asked for; `again`: that
        this peer is not asked for."""
        for start, stop in self._unknown:
            for at in range(start - start % MAX_LEAVES, stop, MAX_LEAVES):
                asked = self._asking.get(at, [])
                if not asked or (again and peer not in asked):
                    return at, min(MAX_LEAVES, self._tree.leaf_count - at)
        return None

    async def _change(self) -> None:
        """Wait until a part has come, or has not, or is late."""
        self._changed.clear()
        try:
            async with asyncio.timeout(self._context.limits.late_first_seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    def _not_found(self) -> QuireError:
        text = (
            f"the list of leaves of {self._subject} lacks {self._unknown.count()} of "
            f"{self._tree.leaf_count} digests: {self.describe()}"
        )
        if self._cannot:
            text += (
                f". {len(self._cannot)} of the peers speak the protocol of Codex, which has no "
                "lists of leaves: without one, blocks that nobody holds any more cannot be "
                "checked after they are rebuilt"
            )
        if self._is_somebody_to_blame:
            return DeadlineExceeded(text, liars=", ".join(self._candidates.liars))
        return LeavesUnknown(text)
