"""Peers that lie and peers that stall: what they do to the messages that they serve.

They are production nodes whose answers are spoilt on the way out, each in one or more of the ways
below. A liar is expected to be found out or to be useless; a staller cannot be told from a slow
peer, and must only not keep the others from finishing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum

from quire.base.errors import BadManifest
from quire.base.ranges import RangeSet
from quire.formats.exchange import (
    MAX_MESSAGE_BYTES,
    BlockReply,
    HaveReply,
    RangeReply,
    Status,
    decode_message,
)
from quire.formats.manifest import decode_manifest, encode_manifest
from quire.net.transport import Channel, Message
from quire.sim.tally import Tally

OVERSIZE_BYTES = MAX_MESSAGE_BYTES + 1
TRICKLE_SECONDS_MAX = 20.0


class Lie(StrEnum):
    """How a liar spoils a message."""

    BIT = "bit flipped"
    BYTES = "wrong bytes"  # as many as were asked for, with the proof of the right ones
    PROOF = "wrong proof"
    RANGE = "another range"
    MANIFEST = "another manifest"
    HAVE = "false have"  # it has everything, and then it does not
    CUT = "message cut"
    TWICE = "answer twice"
    GARBAGE = "garbage"
    OVERSIZE = "oversize"


class Stall(StrEnum):
    """How a staller keeps others waiting."""

    SILENCE = "no answer"
    TRICKLE = "answer trickles"
    HANGS_UP = "channel closed"


class Manners:
    """The ways of one peer. `chance` is the probability for each message that it misbehaves."""

    def __init__(
        self, rng: random.Random, tally: Tally, ways: tuple[Lie | Stall, ...], chance: float
    ) -> None:
        self.ways = ways
        self.chance = chance
        self.tally = tally
        self.rng = rng

    @classmethod
    def of_liar(cls, rng: random.Random, tally: Tally) -> Manners:
        ways = tuple(rng.sample(list(Lie), rng.randint(1, 4)))
        return cls(rng, tally, ways, rng.choice((0.1, 0.5, 1.0)))

    @classmethod
    def of_staller(cls, rng: random.Random, tally: Tally) -> Manners:
        ways = tuple(rng.sample(list(Stall), rng.randint(1, 3)))
        return cls(rng, tally, ways, rng.choice((0.2, 0.6, 1.0)))

    def over(self, channel: Channel) -> Channel:
        """A channel on which this peer answers."""
        return _SpoiltChannel(channel, self)

    def __str__(self) -> str:
        return f"{', '.join(self.ways)} in {self.chance:.0%} of its messages"


class _SpoiltChannel:
    """Sends what its manners make of each message."""

    def __init__(self, channel: Channel, manners: Manners) -> None:
        self.peer = channel.peer
        self.protocol = channel.protocol
        self.receive = channel.receive
        self.close = channel.close
        self.abort = channel.abort
        self._channel = channel
        self._manners = manners

    async def send(self, *segments: Message) -> None:
        message, manners = b"".join(segments), self._manners
        if manners.rng.random() >= manners.chance:
            await self._channel.send(message)
            return
        way = manners.rng.choice(manners.ways)
        if isinstance(way, Lie):
            for each in SPOIL[way](message, manners.rng):
                manners.tally.faults[f"lie: {way}"] += each != message or way is Lie.TWICE
                await _put(self._channel, each)
            return
        manners.tally.faults[f"stall: {way}"] += 1
        if way is Stall.TRICKLE:
            await asyncio.sleep(manners.rng.uniform(0.0, TRICKLE_SECONDS_MAX))
            await self._channel.send(message)
        elif way is Stall.HANGS_UP:
            self._channel.close()


async def _put(channel: Channel, message: bytes) -> None:
    """Send past the limits of an honest channel."""
    outward = getattr(channel, "_outward", None)
    if outward is None:
        await channel.send(message)
    else:
        await outward.send(memoryview(message))


def _flip(message: bytes, rng: random.Random) -> list[bytes]:
    spoilt = bytearray(message)
    if spoilt:
        spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return [bytes(spoilt)]


def _wrong_bytes(message: bytes, rng: random.Random) -> list[bytes]:
    reply = decode_message(message)
    if isinstance(reply, RangeReply) and reply.data:
        data = rng.randbytes(len(reply.data))
        return [_joined(RangeReply(reply.id, reply.status, reply.start, bytes(reply.proof), data))]
    if isinstance(reply, BlockReply) and reply.data:
        return [_joined(BlockReply(reply.id, reply.status, rng.randbytes(len(reply.data))))]
    return [message]


def _another_manifest(message: bytes, rng: random.Random) -> list[bytes]:
    reply = decode_message(message)
    if not isinstance(reply, BlockReply) or not reply.data:
        return [message]
    try:
        manifest = decode_manifest(reply.data)
    except BadManifest:
        return [message]
    forged = replace(manifest, filename=f"forged-{rng.randrange(100)}")
    return [_joined(BlockReply(reply.id, reply.status, encode_manifest(forged)))]


def _wrong_proof(message: bytes, rng: random.Random) -> list[bytes]:
    reply = decode_message(message)
    if not isinstance(reply, RangeReply) or not reply.data:
        return [message]
    proof = rng.randbytes(len(reply.proof)) if reply.proof else bytes(32)
    return [_joined(RangeReply(reply.id, reply.status, reply.start, proof, bytes(reply.data)))]


def _another_range(message: bytes, rng: random.Random) -> list[bytes]:
    reply = decode_message(message)
    if not isinstance(reply, RangeReply) or not reply.data:
        return [message]
    start = max(0, reply.start + rng.choice((-1, 1, 7)))
    proof, data = bytes(reply.proof), bytes(reply.data)
    return [_joined(RangeReply(reply.id, reply.status, start, proof, data))]


def _false_have(message: bytes, _: random.Random) -> list[bytes]:
    reply = decode_message(message)
    if isinstance(reply, HaveReply) and reply.status is Status.OK:
        all_of_it = RangeSet([(0, reply.leaf_count)])
        claim = HaveReply(reply.id, Status.OK, reply.leaf_count, all_of_it, reply.block_size)
        return [_joined(claim)]
    if isinstance(reply, RangeReply):
        return [_joined(RangeReply(reply.id, Status.NOT_HAVE))]
    return [message]


def _joined(reply: HaveReply | RangeReply | BlockReply) -> bytes:
    return b"".join(reply.segments())


SPOIL: dict[Lie, Callable[[bytes, random.Random], list[bytes]]] = {
    Lie.BIT: _flip,
    Lie.BYTES: _wrong_bytes,
    Lie.PROOF: _wrong_proof,
    Lie.RANGE: _another_range,
    Lie.MANIFEST: _another_manifest,
    Lie.HAVE: _false_have,
    Lie.CUT: lambda message, rng: [message[: rng.randrange(max(1, len(message)))]],
    Lie.TWICE: lambda message, rng: [message, message],
    Lie.GARBAGE: lambda message, rng: [rng.randbytes(rng.randrange(200))],
    Lie.OVERSIZE: lambda message, rng: [bytes(OVERSIZE_BYTES)],
}
