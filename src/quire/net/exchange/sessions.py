"""One session for each peer that we ask, opened when needed and shared by all jobs."""

from __future__ import annotations

import asyncio

from quire.base.errors import PeerError, PeerGone, PeerSilent
from quire.formats.exchange import MAX_MESSAGE_BYTES
from quire.net.exchange.ledger import Ledger
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.session import OnEnd, OnUpdate, Session
from quire.net.single_flight import SingleFlight
from quire.net.transport import PeerId, Transport


class Sessions:
    """The open sessions of one node."""

    def __init__(
        self,
        transport: Transport,
        protocol_id: str,
        limits: ExchangeLimits,
        ledger: Ledger,
        on_update: OnUpdate,
        on_end: OnEnd,
    ) -> None:
        self._transport = transport
        self._protocol_id = protocol_id
        self._limits = limits
        self._ledger = ledger
        self._on_update = on_update
        self._on_end = on_end
        self._sessions: dict[PeerId, Session] = {}
        self._opening: SingleFlight[PeerId, Session] = SingleFlight()

    async def get(self, peer: PeerId, deadline: float) -> Session:
        """The session with a connected peer. Raises what `Transport.open` raises."""
        session = self._sessions.get(peer)
        if session is not None:
            return session
        try:
            async with asyncio.timeout_at(deadline):
                return await self._opening.run(peer, lambda: self._open(peer))
        except TimeoutError:
            raise PeerSilent(f"{peer} did not open a channel in time", peer=peer) from None

    def end(self, peer: PeerId, problem: PeerError) -> None:
        session = self._sessions.get(peer)
        if session is not None:
            session.end(problem)

    def all(self) -> dict[PeerId, Session]:
        return dict(self._sessions)

    def stop(self) -> None:
        for session in list(self._sessions.values()):
            session.end(PeerGone("the node stops"))

    async def _open(self, peer: PeerId) -> Session:
        deadline = asyncio.get_running_loop().time() + self._limits.answer_seconds
        channel = await self._transport.open(
            peer, self._protocol_id, max_message_bytes=MAX_MESSAGE_BYTES, deadline=deadline
        )
        session = Session(
            channel, self._limits, self._ledger.of(peer), self._on_update, self._ended
        )
        self._sessions[peer] = session
        return session

    def _ended(self, session: Session, problem: PeerError) -> None:
        if self._sessions.get(session.peer) is session:
            del self._sessions[session.peer]
        self._on_end(session, problem)
