"""What one peer holds, found out by asking: nothing is pushed in this protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice

from quire.base.ranges import RangeSet
from quire.formats.blockexc import MAX_ENTRIES, BlockAddress, Message, Presence, Want, WantKind
from quire.formats.cid import tree_cid
from quire.net.blockexc.limits import BlockexcLimits
from quire.net.exchange.peer_session import AskedTree


class Questions:
    """Asks `post` whether the peer has blocks, and collects what it answers."""

    def __init__(self, limits: BlockexcLimits, post: Callable[[Message], None]) -> None:
        self._limits = limits
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._open: dict[BlockAddress, list[_Question]] = {}

    def told(self, presence: Presence) -> None:
        """The peer has said something of an address."""
        for question in self._open.pop(presence.address, ()):
            question.answer(presence)

    def repeat(self) -> None:
        """Put all that is open again: a stream ended."""
        self._put(list(self._open))

    async def ask(self, addresses: list[BlockAddress], deadline: float) -> dict[BlockAddress, bool]:
        """What the peer says of them, up to `deadline`; asked again while it says nothing.

        A peer that has answered a part and then is silent has nothing more to say: some answer
        only for what they have.
        """
        question = _Question(addresses, self._loop.create_future())
        for address in addresses:
            self._open.setdefault(address, []).append(question)
        try:
            while question.left:
                now, known = self._loop.time(), len(question.answers)
                if now >= deadline:
                    break
                self._put(list(question.left))
                wait = min(deadline - now, self._limits.answer_seconds)
                await asyncio.wait([question.done], timeout=wait)
                if question.answers and len(question.answers) == known:
                    break
        finally:
            for address in question.left:
                self._close(address, question)
        return question.answers

    def _close(self, address: BlockAddress, question: _Question) -> None:
        rest = [other for other in self._open.pop(address, ()) if other is not question]
        if rest:
            self._open[address] = rest

    def _put(self, addresses: list[BlockAddress]) -> None:
        for at in range(0, len(addresses), MAX_ENTRIES):
            wants = tuple(
                Want(address, WantKind.HAVE, send_dont_have=True)
                for address in addresses[at : at + MAX_ENTRIES]
            )
            self._post(Message(wants=wants))


class _Question:
    """Addresses asked about together."""

    def __init__(self, addresses: Iterable[BlockAddress], done: asyncio.Future[None]) -> None:
        self.left: dict[BlockAddress, None] = dict.fromkeys(addresses)
        self.answers: dict[BlockAddress, bool] = {}
        self.done = done

    def answer(self, presence: Presence) -> None:
        if presence.address in self.left:
            del self.left[presence.address]
            self.answers[presence.address] = presence.have
            if not self.left and not self.done.done():
                self.done.set_result(None)


def sample(leaf_count: int, most: int) -> list[int]:
    """Up to `most` leaves, all or evenly spread, the first and the last among them."""
    if leaf_count <= most:
        return list(range(leaf_count))
    return [i * (leaf_count - 1) // (most - 1) for i in range(most)]


class PartialHolding:
    """Keeps asking a peer that holds a part of a tree, until it holds all of it."""

    def __init__(self, tree: AskedTree, known: RangeSet, limits: BlockexcLimits) -> None:
        self._tree = tree
        self._cid = tree_cid(tree.root)
        self._known = known
        self._limits = limits

    async def watch(self, questions: Questions, tell: Callable[[RangeSet], bool]) -> None:
        """Ask for ever, or until `tell` answers that nobody wants to know any more."""
        pause, loop = self._limits.poll_seconds, asyncio.get_running_loop()
        whole = RangeSet([(0, self._tree.leaf_count)])
        while unknown := whole.minus(self._known):
            news = 0
            leaves = (index for start, stop in unknown for index in range(start, stop))
            while batch := list(islice(leaves, MAX_ENTRIES)):
                asked = [BlockAddress(self._cid, index) for index in batch]
                deadline = loop.time() + self._limits.answer_seconds
                answers = await questions.ask(asked, deadline)
                added = indices_of(address for address, has in answers.items() if has)
                news += len(added)
                for start, stop in added:
                    self._known.add(start, stop)
                if not tell(added):
                    return
                if not answers:
                    break  # it is silent
            if news:
                pause = self._limits.poll_seconds
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._limits.poll_max_seconds)


def indices_of(addresses: Iterable[BlockAddress]) -> RangeSet:
    """The leaves that addresses of one tree name."""
    found = RangeSet()
    for index in sorted(a.index for a in addresses if a.index is not None):
        found.add(index, index + 1)
    return found
