"""Who this node is and whom it is connected to: /spr, /peerid, /connect."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from aiohttp import web

from quire.base.errors import BadEncoding, InputError, PeerError, QuireError
from quire.faces.rest.inputs import timeout_of
from quire.faces.rest.reply import Plain, reply_choice, reply_text
from quire.formats.multiaddr import Multiaddr
from quire.formats.peer_id import decode_peer_id
from quire.net.known_peer import own_spr
from quire.node.node import Node

NO_PEER = "Unable to find Peer!"
NO_DIAL = "Unable to dial peer"
CONNECTED = "Successfully connected to peer"


async def peer_id(request: web.Request, node: Node) -> web.Response:
    return reply_choice(request, "id", node.transport.peer_id)


async def spr(request: web.Request, node: Node) -> web.Response:
    record = spr_of(node)
    if not record:
        error = QuireError("this node has no address that others could dial yet")
        raise Plain(503, "", error, "application/json")
    return reply_choice(request, "spr", record)


def spr_of(node: Node) -> str:
    """The signed record of this node's addresses; empty while it has none."""
    return own_spr(node.identity, announced_addresses(node), node.clock.now()) or ""


def listen_addresses(node: Node) -> list[str]:
    """Addresses of the sockets, ranked."""
    return _ranked(node.transport.listen_addresses())


def announced_addresses(node: Node) -> list[str]:
    """What others are told, ranked."""
    return _ranked(node.transport.reachability().announced)


def _ranked(addresses: Iterable[str]) -> list[str]:
    """Plain IPv4 TCP first, because user interfaces look at the first only."""

    def rank(address: str) -> int:
        parts = address.split("/")
        return 0 if parts[1] == "ip4" and parts[3] == "tcp" and len(parts) == 5 else 1

    return sorted(addresses, key=rank)


def key_of(peer: str) -> str:
    """Where a peer stands in the routing table: SHA-256 of its id, in hexadecimal."""
    return hashlib.sha256(decode_peer_id(peer)).hexdigest()


async def connect(request: web.Request, node: Node) -> web.Response:
    """Dial a peer at the given addresses, or find it. One malformed address spoils them all."""
    try:
        peer = request.match_info["peerId"]
        decode_peer_id(peer)
    except BadEncoding as error:
        raise Plain(400, "peerid: incorrect PeerId string", error) from None
    addresses = _addresses(request.query.getall("addrs", []))
    deadline = node.clock.monotonic() + timeout_of(request, node)
    try:
        await node.transport.dial(peer, addresses, deadline)
    except PeerError as error:
        raise Plain(400, NO_DIAL if addresses else NO_PEER, error) from None
    return reply_text(CONNECTED)


def _addresses(texts: list[str]) -> list[str]:
    try:
        return [str(Multiaddr.parse(text).without_peer()) for text in texts]
    except InputError:
        return []
