"""The wires of a simulated network: latency, rate, loss and broken connections, by the seed.

The transport itself is `net/memory.py`, the same that the unit tests use; here is what its links
do, and a transport that runs what it serves on behalf of its own node instead of the caller.
"""

from __future__ import annotations

import asyncio
import math
import random
from contextvars import Context
from dataclasses import dataclass

from quire.formats.peer_id import encode_peer_id, peer_id_of
from quire.kernels.signing import public_key_of
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.memory_channel import Link
from quire.net.transport import Address, Channel, Message, OnChannel, OnPeer, PeerId
from quire.sim.rng import Streams
from quire.sim.tasks import OWNER, SimTask

PACKET_BYTES = 1400
RETRANSMIT_SECONDS = 0.2  # the least a sender waits before it sends again; doubled each time
RETRANSMIT_MAX = 5


@dataclass(frozen=True, slots=True)
class WireTraits:
    """What the wires of one run are like."""

    latency_seconds: float
    jitter: float  # sigma of a log-normal factor on the latency
    bytes_per_second: float
    packet_loss: float  # probability for each packet
    break_chance: float  # probability for each message that the connection ends instead

    @classmethod
    def drawn(cls, rng: random.Random) -> WireTraits:
        """From a quiet office to a bad line abroad."""
        return cls(
            latency_seconds=math.exp(rng.uniform(math.log(0.0005), math.log(0.15))),
            jitter=rng.uniform(0.0, 0.5),
            bytes_per_second=math.exp(rng.uniform(math.log(500e3), math.log(100e6))),
            packet_loss=rng.choice((0.0, 0.0, 0.0005, 0.005)),
            break_chance=rng.choice((0.0, 0.0, 0.001, 0.01)),
        )


class SimLink(Link):
    """One direction between two nodes. All channels of a connection queue up behind each other."""

    def __init__(self, weather: Weather, rng: random.Random) -> None:
        self._weather = weather
        self._rng = rng
        self._busy_until = 0.0

    def delay(self, size_bytes: int, now: float) -> float:
        traits = self._weather.traits
        self._busy_until = max(now, self._busy_until) + size_bytes / traits.bytes_per_second
        factor = self._rng.lognormvariate(0.0, traits.jitter) if traits.jitter else 1.0
        return (
            self._busy_until - now + traits.latency_seconds * factor + self._sent_again(size_bytes)
        )

    def breaks(self, size_bytes: int, now: float) -> bool:
        if self._weather.is_calm or not self._weather.traits.break_chance:
            return False
        return self._rng.random() < self._weather.traits.break_chance

    def _sent_again(self, size_bytes: int) -> float:
        """Seconds lost because a packet was lost, perhaps again and again."""
        loss = self._weather.traits.packet_loss
        if self._weather.is_calm or not loss:
            return 0.0
        any_lost = 1.0 - (1.0 - loss) ** (1 + size_bytes // PACKET_BYTES)
        seconds, wait = 0.0, RETRANSMIT_SECONDS
        for _ in range(RETRANSMIT_MAX):
            if self._rng.random() >= any_lost:
                break
            seconds, wait, any_lost = seconds + wait, wait * 2, loss
        return seconds


class Weather:
    """What all wires share. Once calm, nothing is lost any more; latency and rate stay."""

    def __init__(self, streams: Streams) -> None:
        self.traits = WireTraits.drawn(streams.stream("wire traits"))
        self.is_calm = False
        self._streams = streams
        self._by_direction: dict[tuple[PeerId, PeerId], random.Random] = {}

    def link(self, sender: PeerId, receiver: PeerId) -> SimLink:
        """The link of a new connection; the randomness of a direction goes on across them."""
        rng = self._by_direction.get((sender, receiver))
        if rng is None:
            rng = self._streams.stream(f"wire/{sender}/{receiver}")
            self._by_direction[sender, receiver] = rng
        return SimLink(self, rng)


class LyingChannel:
    """A channel that alters a byte of every second message that it sends."""

    def __init__(self, channel: Channel, rng: random.Random) -> None:
        self.peer = channel.peer
        self.protocol = channel.protocol
        self.receive = channel.receive
        self.close = channel.close
        self.abort = channel.abort
        self._send = channel.send
        self._rng = rng

    async def send(self, *segments: Message) -> None:
        message = bytearray(b"".join(segments))
        if message and self._rng.random() < 0.5:
            message[self._rng.randrange(len(message))] ^= 1 << self._rng.randrange(8)
        await self._send(message)


class SimTransport(MemoryTransport):
    """A node's transport: handlers and listeners run as the node that registered them."""

    def __init__(
        self,
        network: MemoryNetwork,
        peer_id: PeerId,
        address: Address,
        context: Context,
        lies: random.Random | None = None,
    ) -> None:
        super().__init__(network, peer_id, address, agent="simulated")
        self._context = context
        self._lies = lies

    def serve(self, protocol: str, on_channel: OnChannel, *, max_message_bytes: int) -> None:
        owner, lies = self._context[OWNER], self._lies

        async def as_owner(channel: Channel) -> None:
            task = asyncio.current_task()
            if isinstance(task, SimTask):
                task.owner = owner
            OWNER.set(owner)
            await on_channel(channel if lies is None else LyingChannel(channel, lies))

        super().serve(protocol, as_owner, max_message_bytes=max_message_bytes)

    def on_peer_joined(self, listener: OnPeer) -> None:
        super().on_peer_joined(lambda peer: self._context.copy().run(listener, peer))

    def on_peer_left(self, listener: OnPeer) -> None:
        super().on_peer_left(lambda peer: self._context.copy().run(listener, peer))


def peer_id_named(rng: random.Random) -> PeerId:
    """A peer id of a real key."""
    return encode_peer_id(peer_id_of(public_key_of(rng.randbytes(32))))
