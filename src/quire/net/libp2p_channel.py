"""One libp2p stream of messages, as the port has it.

The Rust core reads ahead until the credit of the channel is used up; `receive` gives credit back.
"""

from __future__ import annotations

import asyncio
from collections import deque

from quire._core import Frame, NetNode
from quire.base.errors import PeerError, PeerGone, PeerLied, TooLarge
from quire.net.transport import Message, PeerId


class Libp2pChannel:
    """One end of a stream. Dropping the last reference ends it: at once, or, when closed, after
    what is queued."""

    def __init__(
        self, node: NetNode, number: int, peer: PeerId, protocol: str, max_message_bytes: int
    ) -> None:
        self.peer = peer
        self.protocol = protocol
        self._node = node
        self._number = number
        self._max_message_bytes = max_message_bytes
        self._loop = asyncio.get_running_loop()
        self._frames: deque[Frame] = deque()
        self._end: PeerError | None = None  # of the incoming direction
        self._broken: str | None = None  # of both
        self._is_closed = False
        self._senders: list[asyncio.Future[None]] = []
        self._receivers: list[asyncio.Future[None]] = []

    def __del__(self) -> None:
        if self._is_closed:
            self._node.release(self._number)
        else:
            self._node.reset(self._number)

    async def send(self, *segments: Message) -> None:
        while True:
            if self._is_closed or self._broken is not None:
                raise self._gone(self._broken or "it was closed here")
            try:
                is_taken = self._node.send(self._number, segments)
            except OverflowError:
                size = sum(memoryview(segment).nbytes for segment in segments)
                raise TooLarge(
                    f"a message of {size} bytes exceeds the limit of {self.protocol}, "
                    f"{self._max_message_bytes} bytes",
                    peer=self.peer,
                ) from None
            if is_taken:
                return
            if is_taken is None:
                raise self._gone(self._broken or "the peer closed it")
            await self._wait_in(self._senders)

    async def receive(self) -> memoryview:
        while not self._frames:
            if self._end is not None:
                raise self._end
            await self._wait_in(self._receivers)
        frame = self._frames.popleft()
        self._node.consumed(self._number, len(frame))
        return memoryview(frame)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._node.close(self._number)
            _wake(self._senders)

    def abort(self, reason: str) -> None:
        if self._broken is None:
            self._frames.clear()
            self.break_off(f"it was dropped here: {reason}")
            self._node.reset(self._number)

    # ---- called by the transport ----

    def deliver(self, frame: Frame) -> None:
        """A message arrived."""
        if self._end is None:
            self._frames.append(frame)
            _wake(self._receivers)

    def resume(self) -> None:
        """A sender that was refused may try again."""
        _wake(self._senders)

    def end(self, how: str, reason: str) -> None:
        """The incoming direction ended: `how` is closed, broken or lied."""
        if self._end is not None:
            return
        if how == "closed":
            self._end = self._gone(reason)
            _wake(self._receivers)
        else:
            if how == "lied":
                self._end = PeerLied(f"{self.peer} on {self.protocol}: {reason}", peer=self.peer)
            self.break_off(reason)

    def break_off(self, reason: str) -> None:
        """Both directions are gone; what has arrived can still be received."""
        self._broken = reason
        self._end = self._end or self._gone(reason)
        _wake(self._senders)
        _wake(self._receivers)

    def _gone(self, reason: str) -> PeerGone:
        return PeerGone(
            f"the channel {self.protocol} with {self.peer} ended: {reason}", peer=self.peer
        )

    async def _wait_in(self, queue: list[asyncio.Future[None]]) -> None:
        turn = self._loop.create_future()
        queue.append(turn)
        await turn


def _wake(queue: list[asyncio.Future[None]]) -> None:
    for turn in queue:
        if not turn.done():
            turn.set_result(None)
    queue.clear()
