"""What one peer wants of us, and whose turn it is: no I/O.

Within a peer first come, first served; between peers deficit round robin by bytes, one message of
at most 20 blocks a turn, so that a peer that wants a whole window does not silence the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from quire.formats.blockexc import BlockAddress, Want
from quire.net.blockexc.limits import BLOCKS_PER_MESSAGE, BlockexcLimits
from quire.net.blockexc.link import Link


class Asker:
    """One peer's wants: `queue` is held here and to be sent, `absent` is not here (until when)."""

    def __init__(self, link: Link, limits: BlockexcLimits) -> None:
        self.link = link
        self.queue: dict[BlockAddress, int] = {}  # with the size in bytes that it counts for
        self.absent: dict[BlockAddress, float] = {}
        self.questions: deque[Want] = deque()  # wantHave, and all wants of single CIDs
        self.credit = 0
        self.busy = 0  # messages with blocks under way
        self.heard_at = 0.0  # when we last sent it something
        self.dropped = 0  # wants above a limit
        self._limits = limits

    def want(self, address: BlockAddress, size_bytes: int) -> None:
        """A block that is here."""
        self.absent.pop(address, None)
        if self._has_room(address, self.queue):
            self.queue[address] = size_bytes

    def miss(self, address: BlockAddress, until: float) -> None:
        """A block that is not here; one that the peer asks for again is remembered longer."""
        self.queue.pop(address, None)
        if self._has_room(address, self.absent):
            self.absent[address] = until

    def ask(self, want: Want) -> None:
        """A question to be answered in its turn."""
        if len(self.questions) < self._limits.questions_per_peer:
            self.questions.append(want)
        else:
            self.dropped += 1

    def cancel(self, address: BlockAddress) -> None:
        self.queue.pop(address, None)
        self.absent.pop(address, None)

    def expire(self, now: float) -> None:
        """Forget wants whose time is over."""
        for address in [a for a, until in self.absent.items() if until <= now]:
            del self.absent[address]

    def _has_room(
        self, address: BlockAddress, line: dict[BlockAddress, int] | dict[BlockAddress, float]
    ) -> bool:
        if address in line or len(self.queue) + len(self.absent) < self._limits.wants_per_peer:
            return True
        self.dropped += 1
        return False


class Turns:
    """Askers with something in their queue, in turn."""

    def __init__(self, quantum_bytes: int) -> None:
        self._quantum = quantum_bytes
        self._line: dict[Asker, None] = {}

    def add(self, asker: Asker) -> None:
        """It has something to be sent; it keeps its place when it is in the line already."""
        self._line.setdefault(asker)

    def remove(self, asker: Asker) -> None:
        self._line.pop(asker, None)

    def next(self, may_serve: Callable[[Asker], bool]) -> tuple[Asker, list[BlockAddress]] | None:
        """Whose turn it is, and the blocks of its message; they leave its queue."""
        for asker in list(self._line):
            if not asker.queue:
                del self._line[asker]
                asker.credit = 0
                continue
            if not may_serve(asker):
                continue
            asker.credit += self._quantum
            batch: list[BlockAddress] = []
            while asker.queue and len(batch) < BLOCKS_PER_MESSAGE:
                address, size = next(iter(asker.queue.items()))
                if batch and size > asker.credit:
                    break
                del asker.queue[address]
                asker.credit -= size
                batch.append(address)
            asker.credit = min(max(asker.credit, -self._quantum), self._quantum)
            del self._line[asker]
            if asker.queue:
                self._line[asker] = None  # to the back
            else:
                asker.credit = 0
            return asker, batch
        return None
