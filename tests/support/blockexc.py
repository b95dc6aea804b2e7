"""Strangers that speak the block exchange in their own way, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from quire.base.errors import PeerGone
from quire.formats.blockexc import (
    BlockAddress,
    Delivery,
    Message,
    Presence,
    Want,
    WantKind,
    decode_message,
    encode_segments,
)
from quire.formats.cid import block_cid, tree_cid
from quire.formats.merkle import prove
from quire.kernels.hashing import merkle_tree, sha256_blocks
from quire.net.blockexc.limits import BlockexcLimits
from quire.net.transport import Channel, PeerId, Transport
from support.exchange_nodes import IDS, World, soon
from support.networks import make_transport

MOST = 32 << 20
SOON = BlockexcLimits(
    answer_seconds=0.2,
    poll_seconds=0.05,
    watch_seconds=0.02,
    round_seconds=0.001,
    alive_seconds=0.1,
)


class Source:
    """A dataset that a stranger serves, block by block."""

    def __init__(self, data: bytes, block_size: int = 4096) -> None:
        self.digests = sha256_blocks(data, block_size)
        self.tree = merkle_tree(self.digests)
        self.cid = tree_cid(self.tree[-32:])
        self.count = len(self.digests) // 32
        padded = data.ljust(self.count * block_size, b"\0")
        self.blocks = [padded[i * block_size : (i + 1) * block_size] for i in range(self.count)]

    def delivery(self, index: int) -> Delivery:
        digest = self.digests[32 * index : 32 * index + 32]
        return Delivery(
            block_cid(digest),
            self.blocks[index],
            BlockAddress(self.cid, index),
            prove(self.tree, self.count, index),
        )


class Stranger:
    """A peer whose answer to each want is a function. Answers go on a stream of its own."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.received: list[Message] = []
        self.answer: Callable[[Want], Delivery | Presence | None] = lambda _: None
        self.own: Channel | None = None

    @property
    def peer_id(self) -> PeerId:
        return self.transport.peer_id

    def wants(self) -> list[Want]:
        return [want for message in self.received for want in message.wants]

    def cancelled(self) -> list[int | None]:
        return [want.address.index for want in self.wants() if want.cancel]

    def deliveries(self) -> list[Delivery]:
        return [d for message in self.received for d in message.deliveries]

    def presences(self) -> list[Presence]:
        return [p for message in self.received for p in message.presences]

    async def serve(self, channel: Channel) -> None:
        try:
            while True:
                message = decode_message(await channel.receive())
                self.received.append(message)
                answers = [self.answer(want) for want in message.wants if not want.cancel]
                await self.say(channel, answers)
        except PeerGone:
            return

    async def say(self, channel: Channel, answers: Iterable[Delivery | Presence | None]) -> None:
        found = list(answers)
        deliveries = tuple(a for a in found if isinstance(a, Delivery))
        presences = tuple(a for a in found if isinstance(a, Presence))
        if deliveries or presences:
            await send(channel, Message(deliveries=deliveries, presences=presences))

    async def open(self, peer: str, protocol: str = IDS[0]) -> Channel:
        """A stream of ours, on which the peer's answers are read too."""
        self.own = await self.transport.open(
            peer, protocol, max_message_bytes=MOST, deadline=soon()
        )
        return self.own


async def send(channel: Channel, message: Message) -> None:
    await channel.send(*encode_segments(message))


async def stranger(
    it: World, name: str, ids: tuple[str, ...] = IDS[:1], transport: Transport | None = None
) -> Stranger:
    transport = transport or make_transport(it.network, name)
    it.liars.append(transport)
    peer = Stranger(transport)
    for protocol in ids:
        transport.serve(protocol, peer.serve, max_message_bytes=MOST)
    await transport.start()
    return peer


def giving(source: Source, *, has: Callable[[int], bool] = lambda _: True):
    """An honest holder of some blocks, that answers as the reference does."""

    def answer(want: Want) -> Delivery | Presence | None:
        index = want.address.index
        if want.address.cid != source.cid or index is None:
            return Presence(want.address, False) if want.send_dont_have else None
        if want.kind is WantKind.HAVE:
            return Presence(want.address, has(index))
        return source.delivery(index) if has(index) else None

    return answer
