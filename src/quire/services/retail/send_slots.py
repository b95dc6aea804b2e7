"""How many links send at once: a few to one provider, more in all; first come, first served."""

from __future__ import annotations

import asyncio
from collections import Counter

LINKS_PER_PEER = 3
LINKS = 32


class SendSlots:
    """A slot belongs to a link from `take` to `give`, however often it asks for it."""

    def __init__(self, per_peer: int = LINKS_PER_PEER, total: int = LINKS) -> None:
        self._per_peer = per_peer
        self._total = total
        self._held: dict[str, str] = {}  # link -> peer
        self._of_peer: Counter[str] = Counter()
        self._queue: dict[str, tuple[str, asyncio.Future[None]]] = {}  # in the order of asking

    @property
    def held(self) -> int:
        """Links that send now."""
        return len(self._held)

    def held_by(self, peer: str) -> int:
        return self._of_peer[peer]

    async def take(self, link: str, peer: str) -> None:
        """Wait until the link may send."""
        if link in self._held:
            return
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue[link] = peer, ready
        self._admit()
        try:
            await ready
        except asyncio.CancelledError:
            if self._queue.pop(link, None) is None:
                self.give(link)  # it had been let in at this very moment
            raise

    def give(self, link: str) -> None:
        """The link does not send any more. Harmless when it has no slot."""
        peer = self._held.pop(link, None)
        if peer is not None:
            self._of_peer[peer] -= 1
            self._admit()

    def _admit(self) -> None:
        for link, (peer, ready) in list(self._queue.items()):
            if len(self._held) >= self._total:
                return
            if self._of_peer[peer] < self._per_peer and not ready.done():
                del self._queue[link]
                self._held[link] = peer
                self._of_peer[peer] += 1
                ready.set_result(None)
