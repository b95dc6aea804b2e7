"""The port through which all network traffic goes.

Two adapters exist: `libp2p.py` (rust-libp2p: TCP, QUIC, Noise, yamux, Kademlia, mDNS) and
`memory.py` (tests and the simulator). The same conformance tests run on both.

A *channel* is an ordered, reliable, two-way stream of whole messages between two peers, under one
protocol id. Messages are framed by the transport (unsigned varint length, then the bytes), so that
a channel never delivers half a message. Back-pressure is real in both directions: `send` waits
while the peer does not read, and a receiver that stops receiving stops the sender.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from quire.net.reachability import Reachability

PeerId: TypeAlias = str  # base58 text, "16Uiu2HA..."
Address: TypeAlias = str  # multiaddress text, "/ip4/127.0.0.1/tcp/8070"
Message: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """One live connection, as the API shows it."""

    peer: PeerId
    address: Address
    outgoing: bool
    since: float  # unix seconds
    agent: str = ""
    protocols: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """Who claims to have a key, and where it says it can be reached."""

    peer: PeerId
    addresses: tuple[Address, ...] = field(default=())


class Channel(Protocol):
    """One open stream of messages. Everything raises `PeerGone` once the stream has ended."""

    peer: PeerId
    protocol: str

    async def send(self, *segments: Message) -> None:
        """Queue one message made of the segments joined; waits while the peer is behind.

        Returns when the transport has taken the message, not when the peer has read it.
        Raises   PeerGone  the stream or connection ended
                 TooLarge  the message exceeds the protocol's limit
        """

    async def receive(self) -> memoryview:
        """The next message. Raises `PeerGone` at the end of the stream, `PeerLied` when the peer
        announced a message above the protocol's limit or sent a malformed length."""

    def close(self) -> None:
        """End our direction after what is queued; the peer then sees the end. Never waits."""

    def abort(self, reason: str) -> None:
        """Drop the stream at once, both directions. Never waits, harmless when already closed."""


OnChannel: TypeAlias = Callable[[Channel], Awaitable[None]]
OnPeer: TypeAlias = Callable[[PeerId], None]
OnReach: TypeAlias = Callable[[], None]


class Transport(Protocol):
    """Connections, channels and provider records of one node."""

    peer_id: PeerId

    async def start(self) -> None:
        """Begin to listen. Raises `PortInUse` when an address is taken."""

    async def stop(self, deadline: float) -> None:
        """Close all streams and connections, then the sockets; at the latest at `deadline`."""

    def listen_addresses(self) -> list[Address]:
        """Addresses of our sockets, without the /p2p suffix; wildcards already expanded.

        What others are told is `reachability().announced`.
        """

    def reachability(self) -> Reachability:
        """Whether others reach us, how that was found out, and what they are told."""

    def on_announced_changed(self, listener: OnReach) -> None:
        """Call `listener` when the addresses that others are told are others than before."""

    def serve(self, protocol: str, on_channel: OnChannel, *, max_message_bytes: int) -> None:
        """Accept channels of a protocol. `on_channel` runs in its own task for each."""

    def on_peer_joined(self, listener: OnPeer) -> None:
        """Call `listener` when the first connection to a peer is up."""

    def on_peer_left(self, listener: OnPeer) -> None:
        """Call `listener` when the last connection to a peer is gone."""

    async def dial(self, peer: PeerId, addresses: Sequence[Address], deadline: float) -> None:
        """Connect to a peer; at once when connected already.

        `addresses` may be empty when the routing table may know the peer.
        Raises   PeerSilent   nobody answered before `deadline` (monotonic seconds)
                 PeerRefused  someone answered who is another peer, or a limit or ban forbids it
        """

    async def open(
        self, peer: PeerId, protocol: str, *, max_message_bytes: int, deadline: float
    ) -> Channel:
        """Open a channel to a connected peer.

        Raises   PeerGone          not connected
                 ProtocolMismatch  the peer does not speak the protocol
                 PeerSilent        no answer before `deadline`
        """

    def hang_up(self, peer: PeerId) -> None:
        """Close every connection to a peer."""

    def ban(self, peer: PeerId, seconds: float, reason: str) -> None:
        """Hang up and refuse the peer in both directions for a while."""

    def connections(self) -> list[ConnectionInfo]:
        """Live connections, oldest first."""

    async def provide(self, key: bytes, deadline: float) -> int:
        """Publish that this node has `key`; returns how many peers took the record (0 if alone)."""

    async def withdraw(self, key: bytes) -> None:
        """Stop publishing `key`. Records already handed out age out at the peers."""

    async def find_providers(
        self, key: bytes, deadline: float, on_found: Callable[[ProviderRecord], None]
    ) -> None:
        """Search for providers until the search is exhausted or `deadline`; each once."""
