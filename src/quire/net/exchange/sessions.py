"""One session for each peer that we ask, opened when needed and shared by all jobs.

Our own protocol is tried first: what it can do, others cannot.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from quire.base.errors import PeerError, PeerGone, PeerSilent, ProtocolMismatch
from quire.formats.exchange import MAX_MESSAGE_BYTES
from quire.net.exchange.dialect import Dialect, DialectPorts
from quire.net.exchange.peer_session import PeerSession
from quire.net.exchange.session import Session
from quire.net.exchange.toll import Toll
from quire.net.single_flight import SingleFlight
from quire.net.transport import PeerId, Transport


class Sessions:
    """The open sessions of one node."""

    def __init__(
        self,
        transport: Transport,
        protocol_id: str,
        dialect: Dialect | None,
        ports: DialectPorts,
        toll: Toll,
    ) -> None:
        self._transport = transport
        self._protocol_id = protocol_id
        self._dialect = dialect
        self._ports = replace(ports, on_end=self._ended)
        self._on_end = ports.on_end
        self._toll = toll
        self._sessions: dict[PeerId, PeerSession] = {}
        self._opening: SingleFlight[PeerId, PeerSession] = SingleFlight()

    def start(self) -> None:
        """Let the other protocol be spoken too."""
        if self._dialect is not None:
            self._dialect.start(self._ports)

    async def get(self, peer: PeerId, deadline: float) -> PeerSession:
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

    def all(self) -> dict[PeerId, PeerSession]:
        return dict(self._sessions)

    def stop(self) -> None:
        for session in list(self._sessions.values()):
            session.end(PeerGone("the node stops"))

    async def _open(self, peer: PeerId) -> PeerSession:
        session = await self._connect(peer)
        self._sessions[peer] = session
        return session

    async def _connect(self, peer: PeerId) -> PeerSession:
        ports = self._ports
        deadline = asyncio.get_running_loop().time() + ports.limits.answer_seconds
        try:
            channel = await self._transport.open(
                peer, self._protocol_id, max_message_bytes=MAX_MESSAGE_BYTES, deadline=deadline
            )
        except ProtocolMismatch:
            if self._dialect is None:
                raise
            return await self._dialect.open(peer, deadline)
        account = ports.ledger.of(peer)
        return Session(channel, ports.limits, account, self._toll, ports.on_update, ports.on_end)

    def _ended(self, session: PeerSession, problem: PeerError) -> None:
        if self._sessions.get(session.peer) is session:
            del self._sessions[session.peer]
        self._on_end(session, problem)
