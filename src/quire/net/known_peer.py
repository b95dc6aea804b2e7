"""Where peers can be reached, in the two forms that people hand around.

A plain address that ends in the peer's name, `/ip4/1.2.3.4/tcp/8070/p2p/16Uiu2HA...`, or a signed
peer record, `spr:...`, in which the peer itself vouches for its addresses (network.md 3.6).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from quire.base.errors import BadConfig, BadEncoding
from quire.formats.multiaddr import Multiaddr
from quire.formats.peer_id import decode_peer_id
from quire.formats.peer_record import MAX_ADDRESSES, SCHEME, PeerRecord, decode_spr, encode_spr
from quire.kernels import signing
from quire.net.identity import Identity
from quire.net.transport import Address, PeerId


@dataclass(frozen=True, slots=True)
class KnownPeer:
    """A peer and the addresses, without /p2p, at which it may listen."""

    peer: PeerId
    addresses: tuple[Address, ...]


def parse_known_peer(text: str) -> KnownPeer:
    """The peer of an address with /p2p or of an `spr:` text, whose signature is checked.

    Raises   BadConfig  neither, malformed, or a record without an address
    """
    try:
        if text.startswith(SCHEME):
            record = decode_spr(text, signing.verify)
            peer, found = record.peer, [address.without_peer() for address in record.addresses]
        else:
            address = Multiaddr.parse(text)
            if address.peer is None:
                raise BadConfig(f"{text!r} does not say which peer it is; end it in /p2p/16Uiu2...")
            peer, found = address.peer, [address.without_peer()]
        decode_peer_id(peer)
    except BadEncoding as error:
        raise BadConfig(f"{text[:120]!r} is not the address of a peer: {error.message}") from None
    addresses = tuple(str(address) for address in found if address.host is not None)
    if not addresses:
        raise BadConfig(f"{text[:120]!r} holds no address at which the peer could be reached")
    return KnownPeer(peer, addresses)


def parse_peer(text: str) -> KnownPeer:
    """As `parse_known_peer`; a bare peer id is taken too, of a peer whose address others know.

    Raises   BadConfig
    """
    if "/" in text or text.startswith(SCHEME):
        return parse_known_peer(text)
    try:
        decode_peer_id(text)
    except BadEncoding as error:
        raise BadConfig(f"{text[:120]!r} names no peer: {error.message}") from None
    return KnownPeer(text, ())


def own_spr(identity: Identity, addresses: Iterable[Address], now: float) -> str | None:
    """This node's signed record as `spr:` text; None while it listens nowhere.

    `now` in unix seconds becomes the sequence number: of two records the later one counts.
    """
    known = tuple(Multiaddr.parse(address) for address in addresses)[:MAX_ADDRESSES]
    if not known:
        return None
    return encode_spr(PeerRecord(identity.public_key, int(now), known), identity.sign)
