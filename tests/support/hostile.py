"""Peers that break the protocol, over the real network; each misbehaves in one way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from quire.base.errors import PeerError
from quire.base.ranges import RangeSet
from quire.formats.exchange import (
    BlockReply,
    BlockRequest,
    HaveReply,
    HaveRequest,
    RangeReply,
    RangeRequest,
    Status,
    decode_message,
)
from quire.net.libp2p import Libp2pTransport
from quire.net.transport import Channel
from support.libp2p import make_node

PROTOCOL = "/quire/exchange/1.0.0"
MOST_BYTES = 64 << 20
BLOCK = 65_536

Answer = Callable[[Channel, object], Awaitable[None]]


class Dataset:
    """What a hostile peer pretends to hold."""

    def __init__(self, leaf_count: int) -> None:
        self.leaf_count = leaf_count

    async def truth(self, channel: Channel, message: object) -> None:
        """Answer as an honest holder would, up to the data, which it says it has not."""
        if isinstance(message, HaveRequest):
            all_of_it = RangeSet([(0, self.leaf_count)])
            reply = HaveReply(message.id, Status.OK, self.leaf_count, all_of_it, BLOCK)
            await channel.send(*reply.segments())
        elif isinstance(message, BlockRequest):
            await channel.send(*BlockReply(message.id, Status.NOT_HAVE).segments())
        elif isinstance(message, RangeRequest):
            await channel.send(*RangeReply(message.id, Status.NOT_HAVE).segments())


def garbage(_: Dataset) -> Answer:
    async def answer(channel: Channel, _message: object) -> None:
        await channel.send(random.Random(1).randbytes(3000))

    return answer


def wrong_proofs(dataset: Dataset) -> Answer:
    async def answer(channel: Channel, message: object) -> None:
        if not isinstance(message, RangeRequest):
            return await dataset.truth(channel, message)
        data = random.Random(2).randbytes(message.count * BLOCK)
        reply = RangeReply(message.id, Status.OK, message.start, bytes(32 * 10), data)
        return await channel.send(*reply.segments())

    return answer


def other_blocks(dataset: Dataset) -> Answer:
    async def answer(channel: Channel, message: object) -> None:
        if not isinstance(message, RangeRequest):
            return await dataset.truth(channel, message)
        data = bytes(message.count * BLOCK)
        reply = RangeReply(message.id, Status.OK, message.start + 1, b"", data)
        return await channel.send(*reply.segments())

    return answer


def oversized(dataset: Dataset) -> Answer:
    async def answer(channel: Channel, message: object) -> None:
        if not isinstance(message, RangeRequest):
            return await dataset.truth(channel, message)
        return await channel.send(bytes(9 << 20))

    return answer


def false_manifest(dataset: Dataset) -> Answer:
    async def answer(channel: Channel, message: object) -> None:
        if not isinstance(message, BlockRequest):
            return await dataset.truth(channel, message)
        reply = BlockReply(message.id, Status.OK, b"this is no manifest")
        return await channel.send(*reply.segments())

    return answer


def never_asked(_: Dataset) -> Answer:
    async def answer(channel: Channel, _message: object) -> None:
        await channel.send(*HaveReply(999_999, Status.NOT_HAVE).segments())

    return answer


def stalls(dataset: Dataset) -> Answer:
    async def answer(channel: Channel, message: object) -> None:
        if isinstance(message, HaveRequest):
            await dataset.truth(channel, message)

    return answer


def mute(_: Dataset) -> Answer:
    async def answer(_channel: Channel, _message: object) -> None:
        return

    return answer


@asynccontextmanager
async def hostile(answer: Answer) -> AsyncIterator[Libp2pTransport]:
    """A peer that answers every request by `answer`."""

    async def serve(channel: Channel) -> None:
        try:
            while True:
                await answer(channel, decode_message(await channel.receive()))
        except PeerError:
            return

    node = make_node(kad_protocol="/quire/kad/1.0.0")
    node.serve(PROTOCOL, serve, max_message_bytes=MOST_BYTES)
    await node.start()
    try:
        yield node
    finally:
        await node.stop(asyncio.get_running_loop().time() + 5)


def address_of(node: Libp2pTransport) -> str:
    return f"{node.listen_addresses()[0]}/p2p/{node.peer_id}"
