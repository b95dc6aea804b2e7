"""What a peer that asks us gets, and what it gets when it asks for too much."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from quire.base.errors import PeerGone
from quire.base.ranges import RangeSet
from quire.formats.cid import manifest_cid
from quire.formats.exchange import (
    MAX_BLOCKS,
    MAX_LEAVES,
    MAX_MESSAGE_BYTES,
    BlockReply,
    BlockRequest,
    Cancel,
    ExchangeMessage,
    HaveReply,
    HaveRequest,
    HaveUpdate,
    LeavesReply,
    LeavesRequest,
    RangeReply,
    RangeRequest,
    Status,
    decode_message,
)
from quire.kernels.hashing import sha256_blocks, verify_leaves, verify_range
from quire.net.exchange.limits import ExchangeLimits
from quire.net.transport import Channel
from quire.store.dataset import Dataset
from support.exchange_nodes import PROTOCOL, Node, World, soon, until, world
from support.memory_store import random_bytes
from support.networks import make_transport

BLOCK = 65536
DATA = random_bytes(64 * BLOCK)


async def asker(w: World, node: Node, name: str) -> Channel:
    """A bare channel of a new peer to a node."""
    transport = make_transport(w.network, name)
    await transport.start()
    w.liars.append(transport)
    await transport.dial(node.peer, node.transport.listen_addresses(), soon())
    return await transport.open(
        node.peer, PROTOCOL, max_message_bytes=2 * MAX_MESSAGE_BYTES, deadline=soon()
    )


@asynccontextmanager
async def serving(
    limits: ExchangeLimits | None = None, present: RangeSet | None = None
) -> AsyncIterator[tuple[World, Node, Dataset, Channel]]:
    async with world() as w:
        node = await w.node("server", limits)
        dataset = node.store.add(DATA, present=present)
        yield w, node, dataset, await asker(w, node, "asker")


async def ask(channel: Channel, message: ExchangeMessage) -> ExchangeMessage:
    await channel.send(*message.segments())
    async with asyncio.timeout(5):
        return decode_message(await channel.receive())


async def test_a_range_comes_with_a_proof_that_verifies() -> None:
    async with serving() as (_, _, dataset, channel):
        reply = await ask(channel, RangeRequest(7, dataset.tree_root, 5, 11))
        assert isinstance(reply, RangeReply)
        assert (reply.id, reply.status, reply.start) == (7, Status.OK, 5)
        assert reply.data == DATA[5 * BLOCK : 16 * BLOCK]
        assert verify_range(reply.data, BLOCK, 5, 64, reply.proof, dataset.tree_root)


async def test_digests_of_leaves_come_with_a_proof_that_verifies() -> None:
    async with serving() as (_, node, dataset, channel):
        reply = await ask(channel, LeavesRequest(7, dataset.tree_root, 5, 11))
        assert isinstance(reply, LeavesReply)
        assert (reply.id, reply.status, reply.start) == (7, Status.OK, 5)
        assert reply.data == sha256_blocks(DATA, BLOCK)[5 * 32 : 16 * 32]
        assert verify_leaves(reply.data, 5, 64, reply.proof, dataset.tree_root)
        assert node.store.reads == []


@pytest.mark.parametrize(("start", "count"), [(64, 1), (60, 5), (1 << 61, MAX_LEAVES), (0, 65)])
async def test_leaves_outside_the_tree_are_not_had(start: int, count: int) -> None:
    async with serving() as (_, _, dataset, channel):
        reply = await ask(channel, LeavesRequest(1, dataset.tree_root, start, count))
        assert reply == LeavesReply(1, Status.NOT_HAVE)


async def test_leaves_of_unknown_trees_are_not_had() -> None:
    async with serving() as (_, _, _, channel):
        reply = await ask(channel, LeavesRequest(2, bytes(32), 0, 1))
        assert reply == LeavesReply(2, Status.NOT_HAVE)


async def test_a_manifest_is_given_by_its_cid() -> None:
    async with serving() as (_, _, dataset, channel):
        reply = await ask(channel, BlockRequest(1, dataset.manifest_cid))
        assert reply == BlockReply(1, Status.OK, dataset.manifest_bytes)


async def test_what_is_held_is_told_as_ranges() -> None:
    some = RangeSet([(0, 3), (10, 20)])
    async with serving(present=some) as (_, _, dataset, channel):
        reply = await ask(channel, HaveRequest(1, dataset.tree_root))
        assert reply == HaveReply(1, Status.OK, 64, some, BLOCK)


async def test_growing_holdings_are_told_until_they_are_complete() -> None:
    limits = ExchangeLimits(update_seconds=0.01)
    async with serving(limits, RangeSet([(0, 3)])) as (_, node, dataset, channel):
        await ask(channel, HaveRequest(1, dataset.tree_root))
        node.store.hold(dataset.tree_root, 10, 12)
        update = decode_message(await channel.receive())
        assert update == HaveUpdate(dataset.tree_root, 64, RangeSet([(10, 12)]))
        node.store.hold(dataset.tree_root, 0, 64)
        update = decode_message(await channel.receive())
        assert update == HaveUpdate(dataset.tree_root, 64, RangeSet([(3, 10), (12, 64)]))
        waiting = asyncio.ensure_future(channel.receive())
        await asyncio.wait([waiting], timeout=0.05)
        assert not waiting.done()
        waiting.cancel()


@pytest.mark.parametrize(("start", "count"), [(64, 1), (60, 5), (1 << 61, MAX_BLOCKS), (20, 1)])
async def test_a_range_that_is_not_here_is_answered_at_once(start: int, count: int) -> None:
    async with serving(present=RangeSet([(0, 20), (21, 64)])) as (_, node, dataset, channel):
        reply = await ask(channel, RangeRequest(1, dataset.tree_root, start, count))
        assert reply == RangeReply(1, Status.NOT_HAVE)
        assert node.store.reads == []


async def test_unknown_trees_and_manifests_are_answered_with_not_have() -> None:
    async with serving() as (_, _, _, channel):
        assert await ask(channel, HaveRequest(1, bytes(32))) == HaveReply(1, Status.NOT_HAVE)
        reply = await ask(channel, RangeRequest(2, bytes(32), 0, 1))
        assert reply == RangeReply(2, Status.NOT_HAVE)
        reply = await ask(channel, BlockRequest(3, manifest_cid(b"unknown")))
        assert reply == BlockReply(3, Status.NOT_HAVE)


async def test_what_is_withheld_is_answered_with_not_have() -> None:
    async with serving() as (_, node, dataset, channel):
        root = dataset.tree_root
        node.store.withheld.append(root)
        assert await ask(channel, HaveRequest(1, root)) == HaveReply(1, Status.NOT_HAVE)
        reply = await ask(channel, RangeRequest(2, root, 0, 1))
        assert reply == RangeReply(2, Status.NOT_HAVE)
        assert await ask(channel, LeavesRequest(3, root, 0, 1)) == LeavesReply(3, Status.NOT_HAVE)
        assert node.store.reads == []


async def test_more_than_a_message_holds_is_refused() -> None:
    async with world() as w:
        node = await w.node("server")
        dataset = node.store.add(bytes(200 * BLOCK))
        channel = await asker(w, node, "asker")
        reply = await ask(channel, RangeRequest(1, dataset.tree_root, 0, 128))
        assert reply == RangeReply(1, Status.REFUSED)
        reply = await ask(channel, RangeRequest(2, dataset.tree_root, 0, 127))
        assert isinstance(reply, RangeReply)
        assert reply.status is Status.OK


async def test_a_block_that_turns_out_bad_is_not_had() -> None:
    async with serving() as (_, node, dataset, channel):
        state = node.store._trees[dataset.tree_root]
        tree = node.store.tree(dataset.tree_root)
        assert tree is not None

        async def lost(root: bytes, start: int, count: int) -> bytes:
            state.present.remove(start, start + count)
            return await type(node.store).read_range(node.store, root, start, count)

        node.store.read_range = lost  # type: ignore[method-assign]
        reply = await ask(channel, RangeRequest(1, dataset.tree_root, 0, 1))
        assert reply == RangeReply(1, Status.NOT_HAVE)


async def test_too_many_requests_are_answered_with_busy() -> None:
    limits = ExchangeLimits(bytes_per_peer=4 * BLOCK, serving_reads=1)
    async with serving(limits) as (_, _, dataset, channel):
        for number in range(1, 11):
            await channel.send(*RangeRequest(number, dataset.tree_root, 0, 1).segments())
        replies = [decode_message(await channel.receive()) for _ in range(10)]
        assert sorted(r.id for r in replies if isinstance(r, RangeReply)) == list(range(1, 11))
        statuses = [r.status for r in replies if isinstance(r, RangeReply)]
        assert set(statuses) == {Status.OK, Status.BUSY}


async def test_every_request_gets_one_reply_also_when_cancelled() -> None:
    limits = ExchangeLimits(serving_reads=1)
    async with serving(limits) as (_, node, dataset, channel):
        for number in range(1, 21):
            await channel.send(*RangeRequest(number, dataset.tree_root, 0, 16).segments())
        for number in (20, 10, 999):
            await channel.send(*Cancel(number).segments())
        replies = {}
        for _ in range(20):
            reply = decode_message(await channel.receive())
            assert isinstance(reply, RangeReply)
            assert reply.id not in replies
            replies[reply.id] = reply.status
        assert replies[20] is replies[10] is Status.CANCELLED
        assert list(replies.values()).count(Status.OK) == 18
        assert len(node.store.reads) == 18


async def test_peers_are_served_in_turns() -> None:
    limits = ExchangeLimits(serving_reads=1, messages_per_peer=100)
    async with serving(limits) as (w, node, dataset, greedy):
        modest = await asker(w, node, "modest")
        order: list[str] = []
        read = node.store.read_range

        async def watch(root: bytes, start: int, count: int) -> bytes:
            order.append("greedy" if start == 0 else "modest")
            return await read(root, start, count)

        node.store.read_range = watch  # type: ignore[method-assign]
        for number in range(1, 41):
            await greedy.send(*RangeRequest(number, dataset.tree_root, 0, 16).segments())
        for number in range(1, 6):
            await modest.send(*RangeRequest(number, dataset.tree_root, 16, 16).segments())
        for _ in range(40):
            await greedy.receive()
        for _ in range(5):
            await modest.receive()
        assert len(order) == 45
        first = order.index("modest")
        assert order[first : first + 9].count("modest") == 5


async def test_a_peer_that_does_not_read_holds_up_nobody_and_little_memory() -> None:
    limits = ExchangeLimits(messages_per_peer=2)
    async with serving(limits) as (w, node, dataset, deaf):
        for number in range(1, 31):
            await deaf.send(*RangeRequest(number, dataset.tree_root, 0, 32).segments())
        other = await asker(w, node, "other")
        for number in range(1, 11):
            reply = await ask(other, RangeRequest(number, dataset.tree_root, 32, 1))
            assert isinstance(reply, RangeReply)
        # Two messages wait for the transport, the pipe holds one or two more.
        assert len([r for r in node.store.reads if r == (0, 32)]) <= 4


async def test_a_peer_that_asks_and_never_reads_is_not_read_from_for_ever() -> None:
    limits = ExchangeLimits(replies_per_peer=10)
    async with serving(limits) as (_, _, dataset, deaf):
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for number in range(1, 200_000):
                await deaf.send(*HaveRequest(number, dataset.tree_root).segments())
                sent += 1

        flooding = asyncio.ensure_future(flood())
        await asyncio.wait([flooding], timeout=0.5)
        flooding.cancel()
        assert sent < 150_000


GARBAGE = [b"\xff\xff", b"", b"".join(RangeReply(1, Status.NOT_HAVE).segments())]


@pytest.mark.parametrize("message", GARBAGE, ids=["garbage", "nothing", "a reply"])
async def test_an_asker_that_breaks_the_protocol_is_banned(message: bytes) -> None:
    async with serving() as (_, node, _, channel):
        await channel.send(message)
        with pytest.raises(PeerGone):
            await channel.receive()
        await until(lambda: bool(node.exchange.banned()))
        assert node.exchange.banned()[0].peer == "peer-asker"
        assert "peer.banned" in node.kinds()


async def test_an_asker_that_uses_an_id_twice_is_banned() -> None:
    async with serving(ExchangeLimits(serving_reads=1)) as (_, node, dataset, channel):
        for _ in range(3):
            await channel.send(*RangeRequest(1, dataset.tree_root, 0, 1).segments())
        await until(lambda: bool(node.exchange.banned()))
        assert "twice" in node.exchange.banned()[0].reason


async def test_an_oversized_request_bans_its_sender() -> None:
    async with serving() as (_, node, _, channel):
        await channel.send(bytes(MAX_MESSAGE_BYTES + 1))
        await until(lambda: bool(node.exchange.banned()))


async def test_an_asker_that_leaves_is_forgotten() -> None:
    async with serving(ExchangeLimits(serving_reads=1)) as (w, node, dataset, channel):
        for number in range(1, 31):
            await channel.send(*RangeRequest(number, dataset.tree_root, 0, 32).segments())
        await until(lambda: bool(node.exchange.status()["serving"]))
        w.network.crash("peer-asker")
        await until(lambda: not node.exchange.status()["serving"])
        other = await asker(w, node, "other")
        reply = await ask(other, RangeRequest(1, dataset.tree_root, 0, 1))
        assert isinstance(reply, RangeReply)
        assert reply.status is Status.OK


async def test_a_peer_has_a_limit_of_channels() -> None:
    async with serving(ExchangeLimits(channels_per_peer=2)) as (w, node, _, first):
        transport = w.liars[0]
        second = await transport.open(node.peer, PROTOCOL, max_message_bytes=1000, deadline=soon())
        assert await ask(second, HaveRequest(1, bytes(32))) == HaveReply(1, Status.NOT_HAVE)
        assert await ask(first, HaveRequest(1, bytes(32))) == HaveReply(1, Status.NOT_HAVE)
        third = await transport.open(node.peer, PROTOCOL, max_message_bytes=1000, deadline=soon())
        with pytest.raises(PeerGone):
            await third.receive()
