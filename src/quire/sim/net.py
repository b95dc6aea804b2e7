"""The wires of a simulated network: latency, rate, loss and broken connections, by the seed.

The transport itself is `net/memory.py`, the same that the unit tests use; here is what its links
do, and a transport that runs what it serves on behalf of its own node instead of the caller.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Protocol

from quire.formats.peer_id import encode_peer_id, peer_id_of
from quire.kernels.signing import public_key_of
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.memory_channel import Link
from quire.net.transport import Address, Channel, OnChannel, OnPeer, PeerId, ProviderRecord
from quire.sim.rng import Streams
from quire.sim.tally import Tally
from quire.sim.tasks import OWNER, SimTask

PACKET_BYTES = 1400
RETRANSMIT_SECONDS = 0.2  # the least a sender waits before it sends again; doubled each time
RETRANSMIT_MAX = 5
LATE_SECONDS_MIN = 0.2  # of a message that is held up; up to thirty times as long


@dataclass(frozen=True, slots=True)
class WireTraits:
    """What the wires of one run are like."""

    latency_seconds: float
    jitter: float  # sigma of a log-normal factor on the latency
    bytes_per_second: float
    packet_loss: float  # probability for each packet
    break_chance: float  # probability for each message that the connection ends instead
    late_chance: float  # probability for each message that it is held up for seconds
    lookup_loss: float  # probability for each node asked for provider records that it is silent
    record_loss: float  # probability for each node given a provider record that it drops it
    repeat_chance: float  # probability that a provider record found is told twice, out of order

    @classmethod
    def drawn(cls, rng: random.Random) -> WireTraits:
        """From a quiet office to a bad line abroad."""
        return cls(
            latency_seconds=math.exp(rng.uniform(math.log(0.0005), math.log(0.15))),
            jitter=rng.uniform(0.0, 0.5),
            bytes_per_second=math.exp(rng.uniform(math.log(500e3), math.log(100e6))),
            packet_loss=rng.choice((0.0, 0.0, 0.0005, 0.005)),
            break_chance=rng.choice((0.0, 0.0, 0.001, 0.01)),
            late_chance=rng.choice((0.0, 0.0, 0.002, 0.02)),
            lookup_loss=rng.choice((0.0, 0.0, 0.1, 0.5)),
            record_loss=rng.choice((0.0, 0.0, 0.1, 0.5)),
            repeat_chance=rng.choice((0.0, 0.3)),
        )

    def __str__(self) -> str:
        return (
            f"latency {self.latency_seconds * 1000:.1f} ms, {self.bytes_per_second / 1e6:.1f} MB/s"
            f", jitter {self.jitter:.2f}, loss {self.packet_loss}, breaks {self.break_chance}, "
            f"late {self.late_chance}, lookups lost {self.lookup_loss}, records lost "
            f"{self.record_loss}, repeated {self.repeat_chance}"
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
        late = self._held_up() + self._sent_again(size_bytes)
        return self._busy_until - now + traits.latency_seconds * factor + late

    def breaks(self, size_bytes: int, now: float) -> bool:
        if self._weather.is_calm or not self._weather.traits.break_chance:
            return False
        if self._rng.random() >= self._weather.traits.break_chance:
            return False
        self._weather.tally.faults["connection broke"] += 1
        return True

    def _held_up(self) -> float:
        """Seconds for which this message is late; later ones of other channels overtake it."""
        chance = self._weather.traits.late_chance
        if self._weather.is_calm or not chance or self._rng.random() >= chance:
            return 0.0
        self._weather.tally.faults["message late"] += 1
        return float(LATE_SECONDS_MIN * 10 ** self._rng.uniform(0.0, 1.5))

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
            self._weather.tally.faults["packet lost"] += 1
            seconds, wait, any_lost = seconds + wait, wait * 2, loss
        return seconds


class Weather:
    """What all wires share. Once calm, nothing is lost any more; latency and rate stay."""

    def __init__(self, streams: Streams, tally: Tally) -> None:
        self.tally = tally
        self.lookups = streams.stream("lookups")
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


class Manner(Protocol):
    """What becomes of the channels on which a node serves."""

    def over(self, channel: Channel) -> Channel: ...


class SimTransport(MemoryTransport):
    """A node's transport: handlers and listeners run as the node that registered them. A node
    that misbehaves does so in what it serves."""

    def __init__(
        self,
        network: MemoryNetwork,
        peer_id: PeerId,
        address: Address,
        context: Context,
        weather: Weather,
        manners: Manner | None = None,
    ) -> None:
        super().__init__(network, peer_id, address, agent="simulated")
        self._context = context
        self._weather = weather
        self._manners = manners

    def serve(self, protocol: str, on_channel: OnChannel, *, max_message_bytes: int) -> None:
        owner, manners = self._context[OWNER], self._manners

        async def as_owner(channel: Channel) -> None:
            task = asyncio.current_task()
            if isinstance(task, SimTask):
                task.owner = owner
            OWNER.set(owner)
            await on_channel(channel if manners is None else manners.over(channel))

        super().serve(protocol, as_owner, max_message_bytes=max_message_bytes)

    def takes_record(self) -> bool:
        traits, rng = self._weather.traits, self._weather.lookups
        if self._weather.is_calm or rng.random() >= traits.record_loss:
            return True
        self._weather.tally.faults["provider record lost"] += 1
        return False

    def answers_lookup(self) -> bool:
        traits, rng = self._weather.traits, self._weather.lookups
        if self._weather.is_calm or rng.random() >= traits.lookup_loss:
            return True
        self._weather.tally.faults["lookup unanswered"] += 1
        return False

    async def find_providers(
        self, key: bytes, deadline: float, on_found: Callable[[ProviderRecord], None]
    ) -> None:
        """As a network does that answers twice and out of order."""
        told: list[ProviderRecord] = []

        def found(record: ProviderRecord) -> None:
            told.append(record)
            on_found(record)
            if self._weather.lookups.random() < self._weather.traits.repeat_chance:
                self._weather.tally.faults["provider record repeated"] += 1
                on_found(self._weather.lookups.choice(told))

        await super().find_providers(key, deadline, found)

    def on_peer_joined(self, listener: OnPeer) -> None:
        super().on_peer_joined(lambda peer: self._context.copy().run(listener, peer))

    def on_peer_left(self, listener: OnPeer) -> None:
        super().on_peer_left(lambda peer: self._context.copy().run(listener, peer))


def peer_id_named(rng: random.Random) -> PeerId:
    """A peer id of a real key."""
    return encode_peer_id(peer_id_of(public_key_of(rng.randbytes(32))))
