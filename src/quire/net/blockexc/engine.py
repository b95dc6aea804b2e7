"""`/codex/blockexc/1.0.0` and the same under other names: a dialect of our exchange.

    Link       the streams with one peer, shared by both roles
    Session    we ask: what the engine of net/exchange needs, out of single blocks and proofs
    Responder  we serve

One listener takes every id of the list; a peer is dialled with the ids in turn.
"""

from __future__ import annotations

from quire.base.errors import PeerError, PeerGone, PeerLied
from quire.base.invariant import invariant
from quire.formats.blockexc import Message
from quire.net.blockexc.limits import BlockexcLimits
from quire.net.blockexc.link import Ids, Link, LinkEvents
from quire.net.blockexc.responder import Responder
from quire.net.blockexc.session import BlockexcSession
from quire.net.exchange.dialect import DialectPorts
from quire.net.exchange.peer_session import PeerSession
from quire.net.transport import Channel, PeerId, Transport
from quire.store.port import BlockStore


class Blockexc:
    """The block exchange of one node, in both directions. `ids` must not be empty."""

    def __init__(
        self,
        transport: Transport,
        store: BlockStore,
        ids: Ids,
        limits: BlockexcLimits | None = None,
    ) -> None:
        invariant(bool(ids.accepted), "a dialect has a protocol id")
        self._transport = transport
        self._store = store
        self._ids = ids
        self._limits = limits or BlockexcLimits()
        self._ports: DialectPorts  # from `start` on
        self._responder: Responder | None = None
        self._links: dict[PeerId, Link] = {}
        self._sessions: dict[PeerId, BlockexcSession] = {}

    def start(self, ports: DialectPorts) -> None:
        """See Dialect.start."""
        self._ports = ports
        self._responder = Responder(self._store, self._limits, ports.ledger, ports.executor)
        for protocol in self._ids.accepted:
            self._transport.serve(
                protocol, self._on_channel, max_message_bytes=self._limits.message_bytes
            )
        self._transport.on_peer_left(self._peer_left)

    async def open(self, peer: PeerId, deadline: float) -> PeerSession:
        """See Dialect.open."""
        link = self._link(peer)
        try:
            await link.open(deadline)
        except PeerError:
            if not link.has_streams and self._links.get(peer) is link:
                self._peer_left(peer)
            raise
        session = self._sessions.get(peer)
        if session is None or session.is_over:
            session = self._sessions[peer] = BlockexcSession(link, self._ports, self._limits)
        return session

    async def stop(self) -> None:
        """See Dialect.stop."""
        for peer in list(self._links):
            self._peer_left(peer)
        if self._responder is not None:
            await self._responder.stop()

    def status(self) -> list[dict[str, object]]:
        """See Dialect.status."""
        return [] if self._responder is None else self._responder.status()

    # ---- called by the transport and by links ----

    async def _on_channel(self, channel: Channel) -> None:
        await self._link(channel.peer).serve(channel)

    def _peer_left(self, peer: PeerId) -> None:
        link = self._links.pop(peer, None)
        session = self._sessions.pop(peer, None)
        if session is not None:
            session.end(PeerGone(f"the connection to {peer} ended", peer=peer))
        if self._responder is not None:
            self._responder.forget(peer)
        if link is not None:
            link.close("the connection ended")

    def _took(self, link: Link, message: Message) -> None:
        if message.wants and self._responder is not None:
            self._responder.wanted(link, message.wants)
        session = self._sessions.get(link.peer)
        if session is not None and not session.is_over:
            session.take(message)

    def _cut(self, link: Link) -> None:
        session = self._sessions.get(link.peer)
        if session is not None:
            session.stream_ended()

    def _garbage(self, link: Link, what: str) -> None:
        problem = f"{link.peer} sent garbage {link.malformed} times: {what}"
        self._ports.blame(link.peer, PeerLied(problem, peer=link.peer))

    def _link(self, peer: PeerId) -> Link:
        link = self._links.get(peer)
        if link is None:
            link = self._links[peer] = Link(
                peer,
                self._transport,
                self._ids,
                self._limits,
                LinkEvents(self._took, self._cut, self._garbage),
            )
        return link
