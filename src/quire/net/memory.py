"""The `Transport` in memory, for tests and the simulator: whole networks in one event loop.

A `MemoryNetwork` knows which address is whose. Connections have one `Link` for each direction;
provider records live at the nodes that took them and die with these. Everything is deterministic:
only the loop's timers move things, and nothing is iterated in an unordered way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from quire.base.clock import Clock
from quire.base.errors import PeerGone, PeerRefused, PeerSilent, PortInUse, ProtocolMismatch
from quire.net.memory_channel import Link, MemoryChannel, Pipe
from quire.net.reachability import Reachability
from quire.net.serving import serve_channel
from quire.net.transport import (
    Address,
    ConnectionInfo,
    OnChannel,
    OnPeer,
    OnReach,
    PeerId,
    ProviderRecord,
)
from quire.net.xor_distance import xor_distance

RECORD_SECONDS = 48 * 3600.0  # life of a provider record, as Kademlia has it
RECORD_COPIES = 20  # Kademlia's k: how many nodes take a record
PIPE_BYTES = 1 << 20  # per channel and direction


@dataclass(slots=True, eq=False)
class _Connection:
    """What joins two nodes: a link each way and the pipes of all channels."""

    dialer: MemoryTransport
    listener: MemoryTransport
    since: float
    links: dict[PeerId, Link]  # by sender
    pipes: list[tuple[PeerId, Pipe]] = field(default_factory=list)  # with the sender of each

    def other(self, peer: PeerId) -> MemoryTransport:
        return self.listener if self.dialer.peer_id == peer else self.dialer

    def pipe_from(self, sender: PeerId, is_stalled: bool) -> Pipe:
        pipe = Pipe(self.links[sender], PIPE_BYTES, lambda: self.end("the connection broke"))
        pipe.stall(is_stalled)
        self.pipes = [(peer, known) for peer, known in self.pipes if not known.is_over]
        self.pipes.append((sender, pipe))
        return pipe

    def stall(self, is_stalled: bool, sender: PeerId | None = None) -> None:
        """Hold back, or let go, what one node sends; what both send when none is named."""
        for peer, pipe in self.pipes:
            if sender is None or peer == sender:
                pipe.stall(is_stalled)

    def end(self, reason: str) -> None:
        """Both nodes forget the connection and all its channels raise `PeerGone`."""
        for _, pipe in self.pipes:
            pipe.break_off(reason)
        for node in (self.dialer, self.listener):
            node.forget(self)


class MemoryNetwork:
    """All nodes of one simulated network, and what the wires between them do.

    `link_between(sender, receiver)` makes the link of one direction of a new connection.
    """

    def __init__(
        self, clock: Clock, link_between: Callable[[PeerId, PeerId], Link] | None = None
    ) -> None:
        self.clock = clock
        self._link_between = link_between or (lambda sender, receiver: Link())
        self._nodes: dict[Address, MemoryTransport] = {}
        self._cuts: dict[tuple[PeerId, PeerId], None] = {}  # (sender, receiver)

    def partition(self, one: PeerId, other: PeerId) -> None:
        """Silence between two nodes, both ways: open connections stall, dials go unanswered."""
        self.cut(one, other)
        self.cut(other, one)

    def heal(self, one: PeerId, other: PeerId) -> None:
        """Undo `partition`; what was held back arrives."""
        self.mend(one, other)
        self.mend(other, one)

    def cut(self, sender: PeerId, receiver: PeerId) -> None:
        """What one node sends does not reach the other any more; the opposite way is open."""
        self._cuts[sender, receiver] = None
        self._stall(sender, receiver, True)

    def mend(self, sender: PeerId, receiver: PeerId) -> None:
        """Undo `cut`; what was held back arrives."""
        self._cuts.pop((sender, receiver), None)
        self._stall(sender, receiver, False)

    def is_cut(self, sender: PeerId, receiver: PeerId) -> bool:
        return (sender, receiver) in self._cuts

    def is_apart(self, one: PeerId, other: PeerId) -> bool:
        """Whether no question from one to the other is answered."""
        return self.is_cut(one, other) or self.is_cut(other, one)

    def drop(self, one: PeerId, other: PeerId, reason: str = "the connection broke") -> None:
        """End the connection between two nodes."""
        node = self.node(one)
        if node is not None:
            node.drop(other, reason)

    def crash(self, peer: PeerId, notice_seconds: float = 0.0) -> None:
        """A node stops at this instant; the others notice after `notice_seconds`."""
        node = self.node(peer)
        if node is not None:
            node.vanish("the peer crashed", notice_seconds)

    def node(self, peer: PeerId) -> MemoryTransport | None:
        """The running node with this id."""
        return next((n for n in self._nodes.values() if n.peer_id == peer), None)

    def at(self, address: Address) -> MemoryTransport | None:
        return self._nodes.get(address)

    def join(self, address: Address, node: MemoryTransport) -> None:
        if address in self._nodes:
            raise PortInUse(f"{address} is taken by {self._nodes[address].peer_id}")
        self._nodes[address] = node

    def leave(self, address: Address) -> None:
        self._nodes.pop(address, None)

    def link(self, sender: PeerId, receiver: PeerId) -> Link:
        return self._link_between(sender, receiver)

    def _stall(self, sender: PeerId, receiver: PeerId, is_stalled: bool) -> None:
        node = self.node(sender)
        connection = node.connection(receiver) if node is not None else None
        if connection is not None:
            connection.stall(is_stalled, sender)


class MemoryTransport:
    """One node of a `MemoryNetwork`."""

    def __init__(
        self,
        network: MemoryNetwork,
        peer_id: PeerId,
        address: Address,
        *,
        agent: str = "memory",
        record_seconds: float = RECORD_SECONDS,
    ) -> None:
        self.peer_id = peer_id
        self.agent = agent
        self._network = network
        self._address = address
        self._record_seconds = record_seconds
        self._is_up = False
        self._protocols: dict[str, tuple[OnChannel, int]] = {}
        self._connections: dict[PeerId, _Connection] = {}
        self._banned: dict[PeerId, float] = {}  # until, monotonic
        self._joined: list[OnPeer] = []
        self._left: list[OnPeer] = []
        self._handlers: dict[asyncio.Task[None], None] = {}
        self._records: dict[bytes, dict[PeerId, tuple[float, Address]]] = {}

    # ---- life ----

    async def start(self) -> None:
        self._network.join(self._address, self)
        self._is_up = True

    async def stop(self, deadline: float) -> None:
        handlers = list(self._handlers)
        self.vanish("the node stopped", 0.0)
        if handlers:
            await asyncio.wait(handlers)

    def vanish(self, reason: str, notice_seconds: float) -> None:
        """Be gone: our channels end now, the others see it after `notice_seconds`."""
        self._network.leave(self._address)
        self._is_up = False
        loop = asyncio.get_running_loop()
        for connection in list(self._connections.values()):
            if notice_seconds <= 0:
                connection.end(reason)
            else:
                connection.stall(True)
                loop.call_later(notice_seconds, connection.end, reason)
        for handler in list(self._handlers):
            handler.cancel()

    def listen_addresses(self) -> list[Address]:
        return [self._address]

    def serve(self, protocol: str, on_channel: OnChannel, *, max_message_bytes: int) -> None:
        self._protocols[protocol] = (on_channel, max_message_bytes)

    def reachability(self) -> Reachability:
        return Reachability("unknown", tuple(self.listen_addresses()))

    def on_announced_changed(self, listener: OnReach) -> None:
        """Addresses here never change."""

    def on_peer_joined(self, listener: OnPeer) -> None:
        self._joined.append(listener)

    def on_peer_left(self, listener: OnPeer) -> None:
        self._left.append(listener)

    # ---- connections and channels ----

    async def dial(self, peer: PeerId, addresses: Sequence[Address], deadline: float) -> None:
        if peer in self._connections:
            return
        if self._bans(peer):
            raise PeerRefused(f"{peer} is banned here", peer=peer)
        target = self._locate(peer, addresses)
        await self._travel(peer, target, deadline)
        if target is None or not target._is_up or not self._is_up:
            where = ", ".join(addresses) or "any address"
            raise PeerSilent(f"nobody answers for {peer} at {where}", peer=peer)
        if target.peer_id != peer:
            raise PeerRefused(f"{target.peer_id} answered where {peer} was expected", peer=peer)
        if target._bans(self.peer_id) or target is self:
            raise PeerRefused(f"{peer} refuses the connection", peer=peer)
        if peer not in self._connections:
            self._connect(target)

    async def open(
        self, peer: PeerId, protocol: str, *, max_message_bytes: int, deadline: float
    ) -> MemoryChannel:
        connection = self._connections.get(peer)
        if connection is None:
            raise PeerGone(f"not connected to {peer}", peer=peer)
        target = connection.other(self.peer_id)
        await self._travel(peer, target, deadline)
        if self._connections.get(peer) is not connection:
            raise PeerGone(f"the connection to {peer} ended", peer=peer)
        served = target._protocols.get(protocol)
        if served is None:
            raise ProtocolMismatch(f"{peer} does not speak {protocol}", peer=peer)
        there = connection.pipe_from(self.peer_id, self._network.is_cut(self.peer_id, peer))
        back = connection.pipe_from(peer, self._network.is_cut(peer, self.peer_id))
        on_channel, their_limit = served
        target._accept(on_channel, MemoryChannel(self.peer_id, protocol, back, there, their_limit))
        return MemoryChannel(peer, protocol, there, back, max_message_bytes)

    def hang_up(self, peer: PeerId) -> None:
        self.drop(peer, "the connection was closed")

    def ban(self, peer: PeerId, seconds: float, reason: str) -> None:
        self._banned[peer] = asyncio.get_running_loop().time() + seconds
        self.drop(peer, f"banned: {reason}")

    def connections(self) -> list[ConnectionInfo]:
        return [
            ConnectionInfo(
                peer,
                c.other(self.peer_id)._address,
                c.dialer is self,
                c.since,
                c.other(self.peer_id).agent,
                tuple(c.other(self.peer_id)._protocols),
            )
            for peer, c in self._connections.items()
        ]

    def connection(self, peer: PeerId) -> _Connection | None:
        return self._connections.get(peer)

    def drop(self, peer: PeerId, reason: str) -> None:
        """End the connection to a peer at both ends."""
        connection = self._connections.get(peer)
        if connection is not None:
            connection.end(reason)

    def forget(self, connection: _Connection) -> None:
        """Called by the connection when it has ended."""
        peer = connection.other(self.peer_id).peer_id
        if self._connections.get(peer) is connection:
            del self._connections[peer]
            self._tell(self._left, peer)

    # ---- provider records ----

    async def provide(self, key: bytes, deadline: float) -> int:
        loop = asyncio.get_running_loop()
        entry = (loop.time() + self._record_seconds, self._address)
        takers = sorted(self._reachable(), key=lambda node: xor_distance(key, node.peer_id))
        took = [node for node in takers[:RECORD_COPIES] if node.takes_record()]
        for node in [self, *took]:
            node._records.setdefault(key, {})[self.peer_id] = entry
        await asyncio.sleep(0)
        return len(took)

    async def withdraw(self, key: bytes) -> None:
        self._records.get(key, {}).pop(self.peer_id, None)

    async def find_providers(
        self, key: bytes, deadline: float, on_found: Callable[[ProviderRecord], None]
    ) -> None:
        now = asyncio.get_running_loop().time()
        seen = {self.peer_id}
        for node in [self, *self._reachable()]:
            if node is not self:
                await self._travel(node.peer_id, node, deadline)
            if not node.answers_lookup():
                continue
            for peer, (expires, address) in list(node._records.get(key, {}).items()):
                if expires > now and peer not in seen:
                    seen.add(peer)
                    on_found(ProviderRecord(peer, (address,)))

    def takes_record(self) -> bool:
        """Whether a record that another node gives reaches this one."""
        return True

    def answers_lookup(self) -> bool:
        """Whether an answer of this node about records reaches whoever asked."""
        return True

    # ---- inside ----

    def _bans(self, peer: PeerId) -> bool:
        until = self._banned.get(peer)
        return until is not None and asyncio.get_running_loop().time() < until

    def _locate(self, peer: PeerId, addresses: Sequence[Address]) -> MemoryTransport | None:
        for address in addresses:
            found = self._network.at(address.partition("/p2p/")[0])
            if found is not None:
                return found
        if addresses:
            return None
        return next((n for n in self._reachable() if n.peer_id == peer), None)

    def _reachable(self) -> list[MemoryTransport]:
        """All other nodes that a chain of connections leads to, nearest first."""
        seen = {self.peer_id: self}
        queue = [self]
        for node in queue:
            for connection in node._connections.values():
                other = connection.other(node.peer_id)
                is_apart = self._network.is_apart(node.peer_id, other.peer_id)
                if other.peer_id not in seen and other._is_up and not is_apart:
                    seen[other.peer_id] = other
                    queue.append(other)
        return queue[1:]

    async def _travel(self, peer: PeerId, target: MemoryTransport | None, deadline: float) -> None:
        """Spend one round trip to a node; `PeerSilent` when it does not fit before `deadline`."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        seconds = 0.0
        if target is not None:
            for sender, receiver in ((self, target), (target, self)):
                link = self._network.link(sender.peer_id, receiver.peer_id)
                seconds += link.delay(0, now)
            if self._network.is_apart(self.peer_id, target.peer_id):
                seconds = float("inf")
        await asyncio.sleep(max(0.0, min(seconds, deadline - now)))
        is_there = target is None or (target._is_up and self._is_up)
        if now + seconds > deadline or not is_there:
            await asyncio.sleep(max(0.0, deadline - loop.time()))
            raise PeerSilent(f"{peer} did not answer in time", peer=peer)

    def _connect(self, target: MemoryTransport) -> None:
        links = {
            self.peer_id: self._network.link(self.peer_id, target.peer_id),
            target.peer_id: self._network.link(target.peer_id, self.peer_id),
        }
        connection = _Connection(self, target, self._network.clock.now(), links)
        self._connections[target.peer_id] = connection
        target._connections[self.peer_id] = connection
        self._tell(self._joined, target.peer_id)
        target._tell(target._joined, self.peer_id)

    def _accept(self, on_channel: OnChannel, channel: MemoryChannel) -> None:
        task = asyncio.get_running_loop().create_task(serve_channel(on_channel, channel))
        self._handlers[task] = None
        task.add_done_callback(lambda done: self._handlers.pop(done, None))

    def _tell(self, listeners: list[OnPeer], peer: PeerId) -> None:
        for listener in list(listeners):
            listener(peer)
