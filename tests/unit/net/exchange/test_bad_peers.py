"""Peers that lie are banned and named, peers that are silent are done without."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from quire.base.errors import DeadlineExceeded, PeerGone
from quire.base.ranges import RangeSet
from quire.formats.exchange import (
    MAX_MESSAGE_BYTES,
    BlockReply,
    BlockRequest,
    Cancel,
    ExchangeMessage,
    HaveReply,
    HaveRequest,
    RangeReply,
    RangeRequest,
    Status,
    decode_message,
)
from quire.formats.manifest import Manifest, encode_manifest
from quire.net.exchange.limits import ExchangeLimits
from quire.net.memory_channel import SteadyLink
from quire.net.transport import Channel
from support.exchange_nodes import PROTOCOL, Request, answering, soon, until, world
from support.memory_store import MemoryStore, random_bytes
from support.networks import make_network

BLOCK = 65536
LEAVES = 64
DATA = random_bytes(LEAVES * BLOCK)
QUICK = ExchangeLimits(
    rest_seconds=0.1,
    again_seconds=0.1,
    search_pause_seconds=0.1,
    timeout_min_seconds=0.15,
    timeout_first_seconds=0.15,
    answer_seconds=0.3,
    busy_seconds=0.02,
)

ALL = RangeSet([(0, LEAVES)])
TRUE = MemoryStore()
DATASET = TRUE.add(DATA)
Lie = Callable[[RangeRequest], Awaitable[list[ExchangeMessage] | bytes]]


async def truth(request: RangeRequest) -> RangeReply:
    data = await TRUE.read_range(request.root, request.start, request.count)
    proof = await TRUE.prove_range(request.root, request.start, request.count)
    return RangeReply(request.id, Status.OK, request.start, proof, data)


async def wrong_bytes(request: RangeRequest) -> list[ExchangeMessage]:
    reply = await truth(request)
    data = bytearray(reply.data)
    data[-1] ^= 1
    return [RangeReply(reply.id, reply.status, reply.start, reply.proof, data)]


async def wrong_proof(request: RangeRequest) -> list[ExchangeMessage]:
    reply = await truth(request)
    proof = bytearray(reply.proof)
    proof[0] ^= 1
    return [RangeReply(reply.id, reply.status, reply.start, proof, reply.data)]


async def no_proof(request: RangeRequest) -> list[ExchangeMessage]:
    reply = await truth(request)
    return [RangeReply(reply.id, reply.status, reply.start, b"", reply.data)]


async def other_range(request: RangeRequest) -> list[ExchangeMessage]:
    start = (request.start + request.count) % LEAVES
    reply = await truth(RangeRequest(request.id, request.root, start, 1))
    return [reply]


async def other_range_under_the_right_name(request: RangeRequest) -> list[ExchangeMessage]:
    start = LEAVES - request.count if request.start == 0 else 0
    reply = await truth(RangeRequest(request.id, request.root, start, request.count))
    return [RangeReply(reply.id, reply.status, request.start, reply.proof, reply.data)]


async def truncated(request: RangeRequest) -> list[ExchangeMessage]:
    reply = await truth(request)
    return [RangeReply(reply.id, reply.status, reply.start, reply.proof, reply.data[:-1])]


async def too_much(request: RangeRequest) -> list[ExchangeMessage]:
    reply = await truth(request)
    return [
        RangeReply(
            reply.id, reply.status, reply.start, reply.proof, bytes(reply.data) + bytes(BLOCK)
        )
    ]


async def unasked(request: RangeRequest) -> list[ExchangeMessage]:
    reply = await truth(request)
    return [RangeReply(request.id + 1000, reply.status, reply.start, reply.proof, reply.data)]


async def twice(request: RangeRequest) -> list[ExchangeMessage]:
    reply = await truth(request)
    return [reply, reply]


async def another_kind(request: RangeRequest) -> list[ExchangeMessage]:
    return [BlockReply(request.id, Status.OK, b"not a range")]


async def a_request(request: RangeRequest) -> list[ExchangeMessage]:
    return [Cancel(1)]


async def garbage(request: RangeRequest) -> bytes:
    return b"\xff\x00garbage"


async def an_empty_frame(request: RangeRequest) -> bytes:
    return b""


async def a_cut_message(request: RangeRequest) -> bytes:
    return b"".join((await truth(request)).segments())[:-100]


LIES = [
    wrong_bytes,
    wrong_proof,
    no_proof,
    other_range,
    other_range_under_the_right_name,
    truncated,
    too_much,
    unasked,
    twice,
    another_kind,
    a_request,
    garbage,
    an_empty_frame,
    a_cut_message,
]


def lying(lie: Lie) -> Callable[[Channel], Awaitable[None]]:
    """A peer that says it has everything and answers range requests with a lie."""

    async def behave(channel: Channel) -> None:
        try:
            while True:
                request = decode_message(await channel.receive())
                if isinstance(request, HaveRequest):
                    reply = HaveReply(request.id, Status.OK, LEAVES, ALL, BLOCK)
                    await channel.send(*reply.segments())
                elif isinstance(request, BlockRequest):
                    await channel.send(*BlockReply(request.id, Status.NOT_HAVE).segments())
                elif isinstance(request, RangeRequest):
                    answer = await lie(request)
                    if isinstance(answer, bytes):
                        await channel.send(answer)
                    else:
                        for message in answer:
                            await channel.send(*message.segments())
        except PeerGone:
            return

    return behave


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_a_liar_is_banned_and_named_and_the_honest_peer_delivers(lie: Lie) -> None:
    async with world() as w:
        host = await w.node("host", QUICK)
        liar = await w.stranger("liar", lying(lie))
        dataset = host.store.register(DATASET.manifest_bytes)
        job = host.exchange.fetch(dataset)
        await w.connect(host, liar)
        await until(lambda: bool(host.exchange.banned()))
        assert [ban.peer for ban in host.exchange.banned()] == [liar.peer_id]
        assert not host.transport.connections()
        banned = [e for e in host.events.history() if e.kind == "peer.banned"]
        assert len(banned) == 1
        assert liar.peer_id in banned[0].message
        assert str(banned[0].facts["reason"])
        seed = await w.node("seed")
        seed.store.add(DATA)
        await w.connect(host, seed)
        await job.wait(soon())
        assert host.store.content(dataset) == DATA
        if lie is not twice:
            assert host.exchange.ledger.of(liar.peer_id).received_bytes == 0


async def test_a_message_above_the_limit_bans_its_sender() -> None:
    async with world() as w:
        host = await w.node("host", QUICK)
        transport = await w.stranger("liar", lying(garbage))
        dataset = host.store.register(DATASET.manifest_bytes)

        async def flood(channel: Channel) -> None:
            await channel.receive()
            await channel.send(bytes(MAX_MESSAGE_BYTES + 1))

        transport.serve(PROTOCOL, flood, max_message_bytes=2 * MAX_MESSAGE_BYTES)
        job = host.exchange.fetch(dataset)
        await w.connect(host, transport)
        await until(lambda: bool(host.exchange.banned()))
        assert "above the limit" in host.exchange.banned()[0].reason
        job.cancel()


async def test_with_liars_only_the_error_names_them() -> None:
    async with world() as w:
        host = await w.node("host", QUICK)
        one = await w.stranger("one", lying(wrong_bytes))
        other = await w.stranger("other", lying(garbage))
        dataset = host.store.register(DATASET.manifest_bytes)
        await w.connect(host, one, other)
        with pytest.raises(DeadlineExceeded) as caught:
            await host.exchange.fetch(dataset).wait(soon(0.5))
        assert one.peer_id in caught.value.message
        assert other.peer_id in caught.value.message
        assert "do not verify" in caught.value.message
        assert host.store.put_ranges == []


async def test_a_false_manifest_bans_its_sender_and_the_true_one_is_taken() -> None:
    def lie(request: Request) -> list[ExchangeMessage] | None:
        return [BlockReply(request.id, Status.OK, DATASET.manifest_bytes + b"x")]

    async with world() as w:
        host = await w.node("host", QUICK)
        liar = await w.stranger("liar", answering(lie))
        await w.connect(host, liar)
        with pytest.raises(DeadlineExceeded, match="peer-liar") as caught:
            await host.exchange.fetch_manifest(DATASET.manifest_cid, soon(0.3))
        assert caught.value.facts["liars"] == liar.peer_id
        assert [ban.peer for ban in host.exchange.banned()] == [liar.peer_id]
        seed = await w.node("seed")
        seed.store.add(DATA)
        await w.connect(host, seed)
        got = await host.exchange.fetch_manifest(DATASET.manifest_cid, soon())
        assert got.manifest == DATASET.manifest


async def stall(request: RangeRequest) -> list[ExchangeMessage]:
    return []


async def test_a_peer_that_stalls_for_ever_is_done_without() -> None:
    async with world() as w:
        host, seed = await w.node("host", QUICK), await w.node("seed")
        silent = await w.stranger("silent", lying(stall))
        dataset = host.store.register(DATASET.manifest_bytes)
        seed.store.add(DATA)
        await w.connect(host, silent, seed)
        await host.exchange.fetch(dataset).wait(soon())
        assert host.store.content(dataset) == DATA
        assert host.exchange.banned() == []


async def test_a_silent_peer_alone_is_dropped_and_the_job_says_what_it_waits_for() -> None:
    async with world() as w:
        host = await w.node("host", QUICK)
        silent = await w.stranger("silent", lying(stall))
        dataset = host.store.register(DATASET.manifest_bytes)
        await w.connect(host, silent)
        job = host.exchange.fetch(dataset)
        await until(lambda: "asked of 1 peers" in job.progress().reason)
        await until(lambda: "fetch.peer-dropped" in host.kinds())
        assert "fetch.peer-slow" in host.kinds()
        with pytest.raises(DeadlineExceeded, match=f"{LEAVES} blocks"):
            await job.wait(soon(0.3))


async def test_a_peer_that_answers_nothing_at_all_is_given_up() -> None:
    async def mute(channel: Channel) -> None:
        await asyncio.Event().wait()

    async with world() as w:
        host = await w.node("host", QUICK)
        await w.connect(host, await w.stranger("mute", mute))
        with pytest.raises(DeadlineExceeded, match="peer-mute did not answer"):
            await host.exchange.fetch_manifest(DATASET.manifest_cid, soon(0.6))


async def test_a_peer_of_another_protocol_is_passed_over() -> None:
    async with world() as w:
        host, seed = await w.node("host", QUICK), await w.node("seed")
        other = await w.stranger("other", lying(stall))
        other._protocols.clear()
        seed.store.add(DATA)
        await w.connect(host, other, seed)
        got = await host.exchange.fetch_manifest(DATASET.manifest_cid, soon())
        await host.exchange.fetch(got).wait(soon())


async def test_a_peer_that_lacks_what_it_promised_is_not_asked_for_it_again() -> None:
    asked: list[int] = []

    async def lack(request: RangeRequest) -> list[ExchangeMessage]:
        asked.append(request.start)
        if request.start < 32:
            return [RangeReply(request.id, Status.NOT_HAVE)]
        return [await truth(request)]

    async with world() as w:
        host, seed = await w.node("host", QUICK), await w.node("seed")
        half = await w.stranger("half", lying(lack))
        dataset = host.store.register(DATASET.manifest_bytes)
        await w.connect(host, half)
        job = host.exchange.fetch(dataset)
        await until(lambda: job.progress().verified_bytes == 32 * BLOCK)
        await until(lambda: "nobody known has 32 blocks" in job.progress().reason)
        assert len([start for start in asked if start < 32]) == len(
            {start for start in asked if start < 32}
        )
        seed.store.add(DATA)
        await w.connect(host, seed)
        await job.wait(soon())


async def test_a_busy_peer_is_asked_again_later() -> None:
    turns = iter(range(1000))

    async def busy(request: RangeRequest) -> list[ExchangeMessage]:
        if next(turns) < 3:
            return [RangeReply(request.id, Status.BUSY)]
        return [await truth(request)]

    async with world() as w:
        host = await w.node("host", QUICK)
        await w.connect(host, await w.stranger("busy", lying(busy)))
        dataset = host.store.register(DATASET.manifest_bytes)
        await host.exchange.fetch(dataset).wait(soon())
        assert host.store.content(dataset) == DATA


async def test_late_pieces_are_asked_of_a_second_peer_and_the_loser_is_cancelled() -> None:
    network = make_network(lambda sender, receiver: SteadyLink(0.001, 100e6))
    cancelled: list[int] = []
    served: list[int] = []

    async def behave(channel: Channel) -> None:
        """Delivers the first piece, then nothing."""
        while True:
            message = decode_message(await channel.receive())
            if isinstance(message, HaveRequest):
                reply = HaveReply(message.id, Status.OK, LEAVES, ALL, BLOCK)
                await channel.send(*reply.segments())
            elif isinstance(message, Cancel):
                cancelled.append(message.id)
                await channel.send(*RangeReply(message.id, Status.CANCELLED).segments())
            elif isinstance(message, RangeRequest) and not served:
                served.append(message.id)
                await channel.send(*(await truth(message)).segments())

    async with world(network) as w:
        host, seed = await w.node("host"), await w.node("seed")
        dataset = host.store.register(DATASET.manifest_bytes)
        seed.store.add(DATA)
        await w.connect(host, await w.stranger("lame", behave), seed)
        await host.exchange.fetch(dataset).wait(soon())
        assert host.store.content(dataset) == DATA
        assert sum(count for _, count in host.store.put_ranges) == LEAVES
        await until(lambda: bool(cancelled))
        assert host.exchange.banned() == []


@pytest.mark.parametrize(("size", "block_size"), [(LEAVES * 4096, 4096), (2 * len(DATA), BLOCK)])
async def test_a_false_manifest_of_a_true_tree_makes_nobody_a_liar(
    size: int, block_size: int
) -> None:
    async with world() as w:
        host, seed = await w.node("host", QUICK), await w.node("seed")
        seed.store.add(DATA)
        await w.connect(host, seed)
        false = host.store.register(
            encode_manifest(Manifest(DATASET.manifest.tree_cid, block_size, size))
        )
        with pytest.raises(DeadlineExceeded, match="knows the tree as 64 blocks of 65536 bytes"):
            await host.exchange.fetch(false).wait(soon(0.3))
        assert host.exchange.banned() == []
        assert host.transport.connections()
