"""The port to the network, by rust-libp2p: TCP and QUIC, Noise, yamux, Kademlia, mDNS.

The swarm runs in threads of its own; `libp2p_swarm.py` brings it onto the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from functools import partial
from typing import Any

from quire._core import NetNode
from quire.base.clock import Clock
from quire.base.errors import EnvironmentProblem, PeerGone, PeerRefused, PeerSilent
from quire.base.events import EventBus
from quire.base.invariant import invariant
from quire.net.identity import Identity
from quire.net.libp2p_addresses import check_free, usable
from quire.net.libp2p_swarm import Swarm
from quire.net.nat import RelayLimits
from quire.net.reachability import Reachability, describe, reachability_of
from quire.net.serving import serve_channel
from quire.net.transport import (
    Address,
    Channel,
    ConnectionInfo,
    OnChannel,
    OnPeer,
    OnReach,
    PeerId,
    ProviderRecord,
)

LISTEN_SECONDS = 10.0
GIVE_UP_SECONDS = 2.0  # to close what a failed start has opened


class Libp2pTransport:
    """One node on the real network; implements `Transport`.

    `kad_protocol` keeps networks apart that must not share a routing table. `events` hears
    `peer.connected`, `peer.disconnected`, `peer.banned` and `reach.changed`, each with the reason.
    `nat` is what `nat_for_swarm` gives; with `relay` the node forwards for others.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        listen: Sequence[Address],
        agent: str,
        kad_protocol: str,
        mdns: bool = False,
        ping: bool = True,
        max_connections: int = 160,
        clock: Clock,
        events: EventBus,
        idle_seconds: float = 3600.0,
        record_seconds: float = 48 * 3600.0,
        nat: str = "none",
        relay: RelayLimits | None = None,
    ) -> None:
        self.peer_id = identity.peer_id
        self._make_node = partial(
            NetNode,
            identity.private_key,
            agent=agent,
            kad_protocol=kad_protocol,
            mdns=mdns,
            ping=ping,
            max_connections=max_connections,
            idle_seconds=idle_seconds,
            record_seconds=record_seconds,
            nat=nat,
            relay=None if relay is None else astuple(relay),
        )
        self._listen = tuple(listen)
        self._clock = clock
        self._events = events
        self._running: Swarm | None = None
        self._is_stopping = False
        self._protocols: dict[str, tuple[OnChannel, int]] = {}
        self._handlers: dict[asyncio.Task[None], None] = {}
        self._connections: dict[int, ConnectionInfo] = {}
        self._bans: dict[PeerId, tuple[float, str, asyncio.TimerHandle]] = {}
        self._listening: dict[Address, None] = {}
        self._reach = Reachability("unknown", ())
        self._announced_changed: list[OnReach] = []
        self._joined: list[OnPeer] = []
        self._left: list[OnPeer] = []

    # ---- life ----

    async def start(self) -> None:
        invariant(self._running is None, "a transport starts once")
        for address in self._listen:
            check_free(address)
        self._loop = asyncio.get_running_loop()
        try:
            node = self._make_node()
        except (RuntimeError, ValueError) as error:
            raise EnvironmentProblem(f"the network does not start: {error}") from None
        invariant(
            node.peer == self.peer_id,
            "both sides derive the same peer id",
            here=self.peer_id,
            there=node.peer,
        )
        self._running = Swarm(
            node,
            {
                "incoming": self._on_incoming,
                "connected": self._on_connected,
                "disconnected": self._on_disconnected,
                "identified": self._on_identified,
                "listening": self._on_listening,
                "unlistening": self._on_unlistening,
                "reach": self._on_reach,
            },
        )
        for protocol, (_, max_bytes) in self._protocols.items():
            node.serve(protocol, max_bytes)
        deadline = self._loop.time() + LISTEN_SECONDS
        try:
            for address in self._listen:
                await self._running.ask(
                    partial(node.listen, address=address), deadline, f"cannot listen on {address}"
                )
        except BaseException:
            await self.stop(self._loop.time() + GIVE_UP_SECONDS)
            raise

    async def stop(self, deadline: float) -> None:
        if self._running is None or self._is_stopping:
            return
        self._is_stopping = True
        for task in list(self._handlers):
            task.cancel()
        if self._handlers:
            await asyncio.wait(list(self._handlers), timeout=max(0.0, deadline - self._loop.time()))
        await self._running.stop(deadline)
        for _, _, timer in self._bans.values():
            timer.cancel()
        self._connections.clear()
        self._listening.clear()

    def listen_addresses(self) -> list[Address]:
        return sorted(self._listening, key=_is_loopback)

    def reachability(self) -> Reachability:
        return self._reach

    def on_announced_changed(self, listener: OnReach) -> None:
        self._announced_changed.append(listener)

    def serve(self, protocol: str, on_channel: OnChannel, *, max_message_bytes: int) -> None:
        self._protocols[protocol] = (on_channel, max_message_bytes)
        if self._running is not None:
            self._running.node.serve(protocol, max_message_bytes)

    def on_peer_joined(self, listener: OnPeer) -> None:
        self._joined.append(listener)

    def on_peer_left(self, listener: OnPeer) -> None:
        self._left.append(listener)

    # ---- connections and channels ----

    async def dial(self, peer: PeerId, addresses: Sequence[Address], deadline: float) -> None:
        swarm = self._swarm()
        if self._is_connected(peer):
            return
        if peer in self._bans:
            until, reason, _ = self._bans[peer]
            raise PeerRefused(
                f"{peer} is banned here for another {until - self._loop.time():.0f} s: {reason}",
                peer=peer,
            )
        where = ", ".join(addresses) or "any known address"
        what = f"cannot connect to {peer} at {where}"
        try:
            async with asyncio.timeout_at(deadline):
                found = await usable(addresses)
        except TimeoutError:
            raise PeerSilent(f"{what}: no host name resolved in time", peer=peer) from None
        if addresses and not found:
            raise PeerSilent(f"{what}: no usable address", peer=peer)
        await swarm.ask(lambda op: swarm.node.dial(op, peer, found), deadline, what, peer)

    async def open(
        self, peer: PeerId, protocol: str, *, max_message_bytes: int, deadline: float
    ) -> Channel:
        return await self._swarm().open(peer, protocol, max_message_bytes, deadline)

    def hang_up(self, peer: PeerId) -> None:
        self._swarm().node.hang_up(peer)

    def ban(self, peer: PeerId, seconds: float, reason: str) -> None:
        self._swarm().node.ban(peer)
        if peer in self._bans:
            self._bans[peer][2].cancel()
        until = self._loop.time() + seconds
        self._bans[peer] = (until, reason, self._loop.call_at(until, self._unban, peer))
        self._events.publish("peer.banned", peer, f"banned for {seconds:.0f} s: {reason}")

    def _unban(self, peer: PeerId) -> None:
        del self._bans[peer]
        if self._running is not None:
            self._running.node.unban(peer)

    def connections(self) -> list[ConnectionInfo]:
        return list(self._connections.values())

    # ---- provider records ----

    async def provide(self, key: bytes, deadline: float) -> int:
        swarm = self._swarm()
        count = await swarm.ask(
            lambda op: swarm.node.provide(op, key),
            deadline,
            f"cannot publish a record for {key.hex()}",
        )
        return int(count)

    async def withdraw(self, key: bytes) -> None:
        self._swarm().node.stop_providing(key)

    async def find_providers(
        self, key: bytes, deadline: float, on_found: Callable[[ProviderRecord], None]
    ) -> None:
        seen: dict[PeerId, None] = {}

        def found(peer: PeerId, addresses: tuple[Address, ...]) -> None:
            if peer not in seen:
                seen[peer] = None
                self._loop.call_soon(on_found, ProviderRecord(peer, addresses))

        await self._swarm().find_providers(key, deadline, found)

    # ---- inside ----

    def _swarm(self) -> Swarm:
        if self._running is None or self._is_stopping:
            raise PeerGone("the network of this node is not running")
        return self._running

    def _is_connected(self, peer: PeerId) -> bool:
        return any(info.peer == peer for info in self._connections.values())

    # ---- events, in the order in which they happened ----

    def _on_incoming(self, number: int, peer: PeerId, protocol: str) -> None:
        assert self._running is not None
        if self._is_stopping:
            self._running.node.reset(number)
            return
        on_channel, max_bytes = self._protocols[protocol]
        channel = self._running.accept(number, peer, protocol, max_bytes)
        task = self._loop.create_task(serve_channel(on_channel, channel))
        self._handlers[task] = None
        task.add_done_callback(lambda done: self._handlers.pop(done, None))

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

    def _on_reach(self, _: int, facts: dict[str, Any]) -> None:
        before, now = self._reach, reachability_of(facts)
        self._reach = now
        if before.status != now.status:
            self._events.publish("reach.changed", "", describe(now), status=now.status)
        if before.announced != now.announced:
            for listener in self._announced_changed:
                self._loop.call_soon(listener)

    def _tell(self, listeners: list[OnPeer], peer: PeerId) -> None:
        for listener in listeners:
            self._loop.call_soon(listener, peer)


def _is_loopback(address: Address) -> bool:
    return address.startswith(("/ip4/127.", "/ip6/::1/"))
