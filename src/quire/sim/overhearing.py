"""What befalls single requests and answers: lost, told twice, held up; or one of the two who speak
dies of it, before or after the other has heard.

    request  ─► asker dies · served dies · lost · twice · late ─► handler
    answer  ◄── asker dies · served dies · lost · late        ◄──┘

A channel of `net/answering.py` is wrapped where it is served. A request that is told twice has
another number the second time, and the answer to that one is heard by nobody: so it is as if the
asker had repeated it.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from quire.formats import aggregator
from quire.formats.varint import decode_varint
from quire.net.request_frames import decode_request, request_head
from quire.net.transport import Channel, Message, PeerId
from quire.sim.tally import Tally

PHANTOM = 1 << 40  # added to the number of a request that is told again
LATE_SECONDS = (0.2, 12.0)


class Fate(StrEnum):
    """Of one message."""

    LOST = "lost"
    TWICE = "twice"
    LATE = "late"
    ASKER_DIES = "asker dies"
    SERVED_DIES = "served dies"


@dataclass(frozen=True, slots=True)
class Chances:
    """Of each message, for each fate."""

    lost: float
    twice: float
    late: float
    deadly: float

    @classmethod
    def drawn(cls, rng: random.Random) -> Chances:
        return cls(
            lost=rng.choice((0.0, 0.01, 0.05)),
            twice=rng.choice((0.0, 0.1, 0.5)),
            late=rng.choice((0.0, 0.01, 0.05)),
            deadly=rng.choice((0.0, 0.01, 0.03)),
        )


class Overhearing:
    """All messages of some protocols. `kill`: ends the life of a node by its peer id, and lets it
    begin another one later; False when it may not die now."""

    def __init__(
        self,
        protocols: Collection[str],
        rng: random.Random,
        tally: Tally,
        kill: Callable[[PeerId], bool],
    ) -> None:
        self.chances = Chances.drawn(rng)
        self.is_calm = False
        self._protocols = protocols
        self._rng = rng
        self._tally = tally
        self._kill = kill

    def at(self, peer: PeerId) -> Ears:
        """For the channels that a node serves."""
        return Ears(self, peer)

    def listens_to(self, protocol: str) -> bool:
        return protocol in self._protocols

    def fate(self) -> Fate | None:
        if self.is_calm:
            return None
        chances, drawn = self.chances, self._rng.random()
        for fate, chance in (
            (Fate.LOST, chances.lost),
            (Fate.TWICE, chances.twice),
            (Fate.LATE, chances.late),
            (Fate.ASKER_DIES, chances.deadly),
            (Fate.SERVED_DIES, chances.deadly),
        ):
            if drawn < chance:
                return fate
            drawn -= chance
        return None

    def note(self, what: str, fate: Fate) -> None:
        self._tally.faults[f"{what}: {fate}"] += 1

    async def hold_up(self) -> None:
        await asyncio.sleep(self._rng.uniform(*LATE_SECONDS))

    async def kill(self, peer: PeerId, what: str, fate: Fate, of: str) -> None:
        """Whoever dies of this does not come back from it. `of`: the kind of the request."""
        if self._kill(peer):
            self.note(f"{what} of {of}", fate)
            await asyncio.sleep(0.0)


class Ears:
    """Of one node; a Manner."""

    def __init__(self, all_of_them: Overhearing, own: PeerId) -> None:
        self._all = all_of_them
        self._own = own

    def over(self, channel: Channel) -> Channel:
        if not self._all.listens_to(channel.protocol):
            return channel
        return _Overheard(channel, self._all, self._own)


class _Overheard:
    """A channel as its server sees it."""

    def __init__(self, channel: Channel, all_of_them: Overhearing, own: PeerId) -> None:
        self.peer = channel.peer
        self.protocol = channel.protocol
        self.close = channel.close
        self.abort = channel.abort
        self._channel = channel
        self._all = all_of_them
        self._own = own
        self._again: deque[memoryview] = deque()
        self._open: dict[int, memoryview] = {}  # requests that were not answered, by number

    async def receive(self) -> memoryview:
        if self._again:
            return self._again.popleft()
        while True:
            message = await self._channel.receive()
            fate = self._all.fate()
            seq, payload = decode_request(message)
            self._open[seq] = payload
            if fate is Fate.TWICE:
                self._again.append(memoryview(request_head(seq | PHANTOM) + bytes(payload)))
            if await self._befalls(fate, "request", payload):
                return message

    async def send(self, *segments: Message) -> None:
        message = b"".join(segments)
        seq, _ = decode_varint(memoryview(message))
        if seq & PHANTOM:
            return
        fate, asked = self._all.fate(), self._open.pop(seq)
        if fate is Fate.TWICE or await self._befalls(fate, "answer", asked):
            await self._channel.send(message)

    async def _befalls(self, fate: Fate | None, what: str, asked: memoryview) -> bool:
        """Whether the message goes on. `asked`: the request that it is, or answers."""
        match fate:
            case Fate.ASKER_DIES | Fate.SERVED_DIES:
                peer = self.peer if fate is Fate.ASKER_DIES else self._own
                await self._all.kill(peer, what, fate, self._kind_of(asked))
            case Fate.LATE:
                self._all.note(what, fate)
                await self._all.hold_up()
            case Fate.LOST | Fate.TWICE:
                self._all.note(what, fate)
        return fate is not Fate.LOST

    def _kind_of(self, asked: memoryview) -> str:
        if "aggregator" not in self.protocol:
            return "Voucher"
        return type(aggregator.decode_request(asked).body).__name__
