"""The port to the network, by rust-libp2p: TCP and QUIC, Noise, yamux, Kademlia, mDNS.

The swarm runs in threads of its own. Everything it has to tell waits in one queue; its descriptor
wakes the loop, and a whole batch is handled at once. Commands carry a number; the answer to it
resolves one future.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from quire._core import Frame, NetNode
from quire.base.clock import Clock
from quire.base.errors import (
    BadConfig,
    BadEncoding,
    Busy,
    DeadlineExceeded,
    EnvironmentProblem,
    PeerError,
    PeerGone,
    PeerRefused,
    PeerSilent,
    PortInUse,
    ProtocolMismatch,
    QuireError,
)
from quire.base.events import EventBus
from quire.base.invariant import invariant
from quire.net.identity import Identity
from quire.net.libp2p_addresses import check_free, usable
from quire.net.libp2p_channel import Libp2pChannel
from quire.net.transport import (
    Address,
    Channel,
    ConnectionInfo,
    OnChannel,
    OnPeer,
    PeerId,
    ProviderRecord,
)

BATCH_EVENTS = 256
LISTEN_SECONDS = 10.0
JOIN_SECONDS = 2.0

_ERRORS: dict[str, type[QuireError]] = {
    "silent": PeerSilent,
    "refused": PeerRefused,
    "gone": PeerGone,
    "mismatch": ProtocolMismatch,
    "in-use": PortInUse,
    "address": BadConfig,
    "full": Busy,
}


class Libp2pTransport:
    """One node on the real network; implements `Transport`.

    `kad_protocol` keeps networks apart that must not share a routing table. `events` hears
    `peer.connected`, `peer.disconnected` and `peer.banned`, each with the reason.
    """

    def __init__(self, identity: Identity, *, listen: Sequence[Address], agent: str,
                 kad_protocol: str, mdns: bool = False, max_connections: int = 160,
                 clock: Clock, events: EventBus, idle_seconds: float = 3600.0,
                 record_seconds: float = 48 * 3600.0) -> None:
        self.peer_id = identity.peer_id
        self._make_node = lambda: NetNode(
            identity.private_key, agent=agent, kad_protocol=kad_protocol, mdns=mdns,
            max_connections=max_connections, idle_seconds=idle_seconds,
            record_seconds=record_seconds)
        self._listen = tuple(listen)
        self._clock = clock
        self._events = events
        self._running: NetNode | None = None
        self._is_stopping = False
        self._next_op = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._opening: dict[int, tuple[PeerId, str, int]] = {}
        self._finding: dict[int, Callable[[PeerId, tuple[Address, ...]], None]] = {}
        self._channels: WeakValueDictionary[int, Libp2pChannel] = WeakValueDictionary()
        self._protocols: dict[str, tuple[OnChannel, int]] = {}
        self._handlers: dict[asyncio.Task[None], None] = {}
        self._connections: dict[int, ConnectionInfo] = {}
        self._bans: dict[PeerId, tuple[float, str, asyncio.TimerHandle]] = {}
        self._listening: dict[Address, None] = {}
        self._joined: list[OnPeer] = []
        self._left: list[OnPeer] = []
        self._stopped: asyncio.Future[None] | None = None
        self._on_event: dict[str, Callable[..., None]] = {
            "message": self._on_message,
            "writable": self._on_writable,
            "ended": self._on_ended,
            "incoming": self._on_incoming,
            "done": self._on_done,
            "opened": self._on_opened,
            "failed": self._on_failed,
            "provider": self._on_provider,
            "connected": self._on_connected,
            "disconnected": self._on_disconnected,
            "identified": self._on_identified,
            "listening": self._on_listening,
            "unlistening": self._on_unlistening,
            "stopped": self._on_stopped,
        }

    # ---- life ----

    async def start(self) -> None:
        invariant(self._running is None, "a transport starts once")
        for address in self._listen:
            check_free(address)
        self._loop = asyncio.get_running_loop()
        try:
            self._running = node = self._make_node()
        except (RuntimeError, ValueError) as error:
            raise EnvironmentProblem(f"the network does not start: {error}") from None
        invariant(node.peer == self.peer_id, "both sides derive the same peer id",
                  here=self.peer_id, there=node.peer)
        self._stopped = self._loop.create_future()
        self._loop.add_reader(node.fd, self._drain)
        for protocol, (_, max_bytes) in self._protocols.items():
            node.serve(protocol, max_bytes)
        deadline = self._loop.time() + LISTEN_SECONDS
        try:
            for address in self._listen:
                await self._ask(lambda op, at=address: node.listen(op, at), deadline,
                                f"cannot listen on {address}")
        except BaseException:
            await self.stop(self._loop.time() + JOIN_SECONDS)
            raise

    async def stop(self, deadline: float) -> None:
        node = self._running
        if node is None or self._is_stopping:
            return
        self._is_stopping = True
        for task in list(self._handlers):
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                if self._handlers:
                    await asyncio.wait(list(self._handlers))
                node.stop(max(0.0, deadline - self._loop.time()))
                invariant(self._stopped is not None, "a running transport can stop")
                await asyncio.shield(self._stopped)  # type: ignore[arg-type]
        self._loop.remove_reader(node.fd)
        node.join(JOIN_SECONDS)
        self._abandon()

    def _abandon(self) -> None:
        """Nobody waits any more for a network that is gone."""
        for _, _, timer in self._bans.values():
            timer.cancel()
        for channel in list(self._channels.values()):
            channel.break_off("this node stopped")
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(PeerGone("this node stopped"))
        self._connections.clear()
        self._listening.clear()

    def listen_addresses(self) -> list[Address]:
        return sorted(self._listening, key=_is_loopback)

    def serve(self, protocol: str, on_channel: OnChannel, *, max_message_bytes: int) -> None:
        self._protocols[protocol] = (on_channel, max_message_bytes)
        if self._running is not None:
            self._running.serve(protocol, max_message_bytes)

    def on_peer_joined(self, listener: OnPeer) -> None:
        self._joined.append(listener)

    def on_peer_left(self, listener: OnPeer) -> None:
        self._left.append(listener)

    # ---- connections and channels ----

    async def dial(self, peer: PeerId, addresses: Sequence[Address], deadline: float) -> None:
        node = self._node()
        if self._is_connected(peer):
            return
        if peer in self._bans:
            until, reason, _ = self._bans[peer]
            raise PeerRefused(f"{peer} is banned here for another "
                              f"{until - self._loop.time():.0f} s: {reason}", peer=peer)
        where = ", ".join(addresses) or "any known address"
        what = f"cannot connect to {peer} at {where}"
        try:
            async with asyncio.timeout_at(deadline):
                found = await usable(addresses)
        except TimeoutError:
            raise PeerSilent(f"{what}: no host name resolved in time", peer=peer) from None
        if addresses and not found:
            raise PeerSilent(f"{what}: no usable address", peer=peer)
        await self._ask(lambda op: node.dial(op, peer, found), deadline, what, peer)

    async def open(self, peer: PeerId, protocol: str, *, max_message_bytes: int,
                   deadline: float) -> Channel:
        node = self._node()

        def begin(op: int) -> None:
            self._opening[op] = (peer, protocol, max_message_bytes)
            node.open(op, peer, protocol, max_message_bytes,
                      max(0.001, deadline - self._loop.time()))

        channel = await self._ask(begin, deadline, f"cannot open {protocol} with {peer}", peer)
        assert isinstance(channel, Libp2pChannel)
        return channel

    def hang_up(self, peer: PeerId) -> None:
        self._node().hang_up(peer)

    def ban(self, peer: PeerId, seconds: float, reason: str) -> None:
        self._node().ban(peer)
        if peer in self._bans:
            self._bans[peer][2].cancel()
        until = self._loop.time() + seconds
        self._bans[peer] = (until, reason, self._loop.call_at(until, self._unban, peer))
        self._events.publish("peer.banned", peer, f"banned for {seconds:.0f} s: {reason}")

    def _unban(self, peer: PeerId) -> None:
        del self._bans[peer]
        if self._running is not None:
            self._running.unban(peer)

    def connections(self) -> list[ConnectionInfo]:
        return list(self._connections.values())

    # ---- provider records ----

    async def provide(self, key: bytes, deadline: float) -> int:
        node = self._node()
        count = await self._ask(lambda op: node.provide(op, key), deadline,
                                f"cannot publish a record for {key.hex()}")
        return int(count)

    async def withdraw(self, key: bytes) -> None:
        self._node().stop_providing(key)

    async def find_providers(self, key: bytes, deadline: float,
                             on_found: Callable[[ProviderRecord], None]) -> None:
        node = self._node()
        seen: dict[PeerId, None] = {}

        def found(peer: PeerId, addresses: tuple[Address, ...]) -> None:
            if peer not in seen:
                seen[peer] = None
                self._loop.call_soon(on_found, ProviderRecord(peer, addresses))

        def begin(op: int) -> None:
            self._finding[op] = found
            node.find_providers(op, key)

        with contextlib.suppress(DeadlineExceeded):
            await self._ask(begin, deadline, f"cannot search for {key.hex()}")

    # ---- commands ----

    def _node(self) -> NetNode:
        if self._running is None or self._is_stopping:
            raise PeerGone("the network of this node is not running")
        return self._running

    def _is_connected(self, peer: PeerId) -> bool:
        return any(info.peer == peer for info in self._connections.values())

    async def _ask(self, begin: Callable[[int], None], deadline: float, what: str,
                   peer: PeerId = "") -> Any:
        """Give a command and wait for its answer; a late answer is dropped."""
        self._next_op += 1
        op = self._next_op
        future = self._waiting[op] = self._loop.create_future()
        try:
            begin(op)
            async with asyncio.timeout_at(deadline):
                return await future
        except ValueError as error:
            raise BadEncoding(f"{what}: {error}") from None
        except TimeoutError:
            if peer:
                raise PeerSilent(f"{what}: no answer in time", peer=peer) from None
            raise DeadlineExceeded(f"{what}: no end in time") from None
        except QuireError as error:
            raise type(error)(f"{what}: {error.message}", peer=peer) from None
        finally:
            del self._waiting[op]
            self._opening.pop(op, None)
            self._finding.pop(op, None)
            if self._running is not None:
                self._running.forget(op)

    # ---- events, in the order in which they happened ----

    def _drain(self) -> None:
        if self._running is None:
            return
        for kind, number, *rest in self._running.drain(BATCH_EVENTS):
            self._on_event[kind](number, *rest)

    def _on_message(self, number: int, frame: Frame) -> None:
        channel = self._channels.get(number)
        if channel is not None:
            channel.deliver(frame)

    def _on_writable(self, number: int) -> None:
        channel = self._channels.get(number)
        if channel is not None:
            channel.resume()

    def _on_ended(self, number: int, how: str, reason: str) -> None:
        channel = self._channels.get(number)
        if channel is not None:
            channel.end(how, reason)

    def _on_incoming(self, number: int, peer: PeerId, protocol: str) -> None:
        on_channel, max_bytes = self._protocols[protocol]
        channel = self._add_channel(number, peer, protocol, max_bytes)
        task = self._loop.create_task(_run(on_channel, channel))
        self._handlers[task] = None
        task.add_done_callback(lambda done: self._handlers.pop(done, None))

    def _on_done(self, op: int, value: int) -> None:
        future = self._waiting.get(op)
        if future is not None and not future.done():
            future.set_result(value)

    def _on_opened(self, op: int, number: int) -> None:
        future = self._waiting.get(op)
        if future is not None and not future.done():
            future.set_result(self._add_channel(number, *self._opening[op]))
        elif self._running is not None:
            self._running.reset(number)

    def _on_failed(self, op: int, failure: str, reason: str) -> None:
        future = self._waiting.get(op)
        if future is not None and not future.done():
            future.set_exception(_ERRORS[failure](reason))

    def _on_provider(self, op: int, peer: PeerId, addresses: list[Address]) -> None:
        found = self._finding.get(op)
        if found is not None:
            found(peer, tuple(addresses))

    def _on_connected(self, number: int, peer: PeerId, address: Address, outgoing: bool) -> None:
        is_first = not self._is_connected(peer)
        self._connections[number] = ConnectionInfo(peer, address, outgoing, self._clock.now())
        way = "to" if outgoing else "from"
        self._events.publish("peer.connected", peer, f"connected {way} {address}")
        if is_first:
            self._tell(self._joined, peer)

    def _on_disconnected(self, number: int, peer: PeerId, reason: str) -> None:
        if self._connections.pop(number, None) is None:
            return
        self._events.publish("peer.disconnected", peer, f"the connection ended: {reason}")
        if not self._is_connected(peer):
            self._tell(self._left, peer)

    def _on_identified(self, _: int, peer: PeerId, agent: str, protocols: list[str]) -> None:
        for number, info in self._connections.items():
            if info.peer == peer:
                self._connections[number] = replace(info, agent=agent, protocols=tuple(protocols))

    def _on_listening(self, _: int, address: Address) -> None:
        self._listening[address] = None

    def _on_unlistening(self, _: int, address: Address) -> None:
        self._listening.pop(address, None)

    def _on_stopped(self, _: int) -> None:
        if self._stopped is not None and not self._stopped.done():
            self._stopped.set_result(None)

    def _add_channel(self, number: int, peer: PeerId, protocol: str,
                     max_bytes: int) -> Libp2pChannel:
        invariant(self._running is not None, "channels live while the node runs")
        assert self._running is not None
        channel = Libp2pChannel(self._running, number, peer, protocol, max_bytes)
        self._channels[number] = channel
        return channel

    def _tell(self, listeners: list[OnPeer], peer: PeerId) -> None:
        for listener in listeners:
            self._loop.call_soon(listener, peer)


async def _run(on_channel: OnChannel, channel: Libp2pChannel) -> None:
    """Serve one incoming channel; a failing peer ends the channel and nothing else."""
    try:
        await on_channel(channel)
    except PeerError as problem:
        channel.abort(problem.message)
    except BaseException:
        channel.abort("the handler failed")
        raise
    channel.close()


def _is_loopback(address: Address) -> bool:
    return address.startswith(("/ip4/127.", "/ip6/::1/"))
