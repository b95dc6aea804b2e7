"""We ask a peer that speaks only the block exchange; it is honest, partial, slow, or lies."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quire.base.errors import DeadlineExceeded, UnknownDataset
from quire.base.ranges import RangeSet
from quire.formats.blockexc import BlockAddress, Delivery, Message, Presence, WantKind
from quire.formats.cid import block_cid, manifest_cid, tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.formats.merkle import ZERO
from quire.kernels.hashing import sha256_blocks
from support.blockexc import SOON, Source, giving, send, stranger
from support.exchange_nodes import QUICK, soon, until, world
from support.memory_store import random_bytes

SIZE = 100 * 4096 - 5
DATA = random_bytes(SIZE)
SOURCE = Source(DATA)


def registered(node, size=SIZE, block_size=4096):
    """The dataset is known to the node, without blocks."""
    return node.store.register(encode_manifest(Manifest(SOURCE.cid, block_size, size)))


async def asker(it):
    return await it.node("asker", QUICK, blockexc=SOON)


async def test_wants_are_runs_of_at_most_twenty_blocks_after_one_question():
    async with world() as it:
        node, peer = await asker(it), await stranger(it, "peer")
        peer.answer = giving(SOURCE)
        await it.connect(node, peer.transport)
        await node.exchange.fetch(registered(node)).wait(soon())
        assert len(peer.received[0].wants) == SOURCE.count
        blocks = [m for m in peer.received if m.wants and m.wants[0].kind is WantKind.BLOCK]
        assert all(len(message.wants) <= 20 for message in blocks)
        asked = [want.address.index for message in blocks for want in message.wants]
        assert sorted(asked) == list(range(SOURCE.count))


async def test_two_peers_share_the_work_and_partial_ones_are_asked_again():
    async with world() as it:
        node = await asker(it)
        low, high = await stranger(it, "low"), await stranger(it, "high")
        come = RangeSet([(50, 60)])
        low.answer = giving(SOURCE, has=lambda i: i < 50)
        high.answer = giving(SOURCE, has=lambda i: i in come)
        await it.connect(node, low.transport, high.transport)
        job = node.exchange.fetch(registered(node))
        await until(lambda: job.progress().verified_bytes == 60 * 4096)
        come.add(50, 100)
        await job.wait(soon())
        assert set(job.progress().peers) == {low.transport.peer_id, high.transport.peer_id}


async def test_what_a_peer_never_delivers_is_cancelled_and_taken_from_another():
    async with world() as it:
        node, silent, good = await asker(it), await stranger(it, "silent"), await stranger(it, "b")
        honest = giving(SOURCE)
        silent.answer = lambda want: honest(want) if want.kind is WantKind.HAVE else None
        good.answer = honest
        await it.connect(node, silent.transport)
        job = node.exchange.fetch(registered(node))
        await until(lambda: silent.cancelled())
        await it.connect(node, good.transport)
        await job.wait(soon())
        assert job.progress().peers == {good.transport.peer_id: len(DATA) + 5}
        assert node.exchange.banned() == []


async def test_what_a_peer_says_it_has_not_goes_to_another_at_once():
    async with world() as it:
        node, poor, good = await asker(it), await stranger(it, "poor"), await stranger(it, "good")
        honest = giving(SOURCE)
        poor.answer = lambda want: (
            honest(want) if want.kind is WantKind.HAVE else Presence(want.address, False)
        )
        good.answer = honest
        await it.connect(node, poor.transport, good.transport)
        await node.exchange.fetch(registered(node)).wait(soon())
        assert node.exchange.ledger.of(poor.transport.peer_id).timeouts == 0


def with_proof(**changes):
    return lambda d: replace(d, proof=replace(d.proof, **changes))


def with_path(change):
    return lambda d: replace(d, proof=replace(d.proof, path=change(d.proof.path)))


ZEROS = block_cid(sha256_blocks(bytes(4096), 4096))
LIES = {
    "another block": lambda d: replace(
        d, data=bytes(4096), cid=block_cid(sha256_blocks(bytes(4096), 4096))
    ),
    "data that is not its CID": lambda d: replace(d, data=bytes(4096)),
    "a block cut short": lambda d: replace(d, data=d.data[:-1]),
    "no proof": lambda d: replace(d, proof=None),
    "a proof of another leaf": with_proof(index=3),
    "a sibling changed": with_path(lambda path: (ZERO, *path[1:])),
    "the top changed": with_path(lambda path: (*path[:-1], ZERO)),
    "a CID of another kind": lambda d: replace(d, cid=tree_cid(d.cid.digest)),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("at", [0, 5, 15, 99])
async def test_a_false_block_is_a_ban_wherever_it_stands(lie, at):
    def answer(want):
        told = giving(SOURCE)(want)
        is_it = isinstance(told, Delivery) and want.address.index == at
        return LIES[lie](told) if is_it else told

    async with world() as it:
        node, liar, good = await asker(it), await stranger(it, "liar"), await stranger(it, "good")
        liar.answer, good.answer = answer, giving(SOURCE)
        await it.connect(node, liar.transport)
        job = node.exchange.fetch(registered(node))
        await until(lambda: node.exchange.banned())
        await it.connect(node, good.transport)
        await job.wait(soon())
        assert [ban.peer for ban in node.exchange.banned()] == [liar.transport.peer_id]


@pytest.mark.parametrize(("size", "block_size"), [(90 * 4096, 4096), (100 * 8192, 8192)])
async def test_a_manifest_that_tells_another_shape_makes_nobody_a_liar(size, block_size):
    async with world() as it:
        node, peer = await asker(it), await stranger(it, "peer")
        peer.answer = giving(SOURCE)
        await it.connect(node, peer.transport)
        dataset = registered(node, size=size, block_size=block_size)
        with pytest.raises(DeadlineExceeded):
            await node.exchange.fetch(dataset).wait(soon(0.5))
        assert node.exchange.banned() == []
        assert node.store.put_ranges == []


async def test_blocks_that_nobody_asked_for_are_dropped_and_a_flood_of_them_is_a_ban():
    async with world() as it:
        node = await it.node("asker", QUICK, blockexc=replace(SOON, strays=10))
        peer = await stranger(it, "peer")
        peer.answer = giving(SOURCE)
        await it.connect(node, peer.transport)
        await node.exchange.fetch(registered(node)).wait(soon())
        own = await peer.open(node.peer)
        again = tuple(SOURCE.delivery(i) for i in range(20))
        await send(own, Message(deliveries=again))  # late ones may come twice
        account = node.exchange.ledger.of(peer.transport.peer_id)
        await until(lambda: account.wasted_bytes == 20 * 4096)
        assert node.exchange.banned() == []
        other = tuple(replace(d, address=BlockAddress(tree_cid(bytes(32)), 1)) for d in again)
        await send(own, Message(deliveries=other))
        await until(lambda: node.exchange.banned())


async def test_a_manifest_is_asked_for_by_a_question_first_and_a_false_one_is_a_ban():
    data = encode_manifest(Manifest(SOURCE.cid, 4096, len(DATA)))
    cid = manifest_cid(data)

    def answering(content):
        def answer(want):
            if want.kind is WantKind.HAVE:
                return Presence(want.address, want.address.cid == cid)
            return Delivery(cid, content, BlockAddress(cid))

        return answer

    async with world() as it:
        node, liar, good = await asker(it), await stranger(it, "liar"), await stranger(it, "good")
        liar.answer, good.answer = answering(b"other"), answering(data)
        await it.connect(node, liar.transport)
        with pytest.raises(DeadlineExceeded):
            await node.exchange.fetch_manifest(cid, soon(0.5))
        assert [ban.peer for ban in node.exchange.banned()] == [liar.transport.peer_id]
        await it.connect(node, good.transport)
        dataset = await node.exchange.fetch_manifest(cid, soon())
        assert dataset.manifest_cid == cid
        assert [want.kind for want in good.wants()] == [WantKind.HAVE, WantKind.BLOCK]


async def test_who_says_that_it_has_not_got_a_manifest_is_believed():
    async with world() as it:
        node, peer = await asker(it), await stranger(it, "peer")
        peer.answer = giving(SOURCE)
        await it.connect(node, peer.transport)
        with pytest.raises(UnknownDataset):
            await node.exchange.fetch_manifest(manifest_cid(b"unknown"), soon(0.3))


async def test_a_stream_that_ends_is_opened_again_and_what_was_asked_is_asked_again():
    async with world() as it:
        node, peer = await asker(it), await stranger(it, "peer")
        honest, broken = giving(SOURCE), []

        def answer(want):
            if want.kind is WantKind.BLOCK and not broken:
                broken.append(want)
                return None
            return honest(want) if broken or want.kind is WantKind.HAVE else None

        async def ending(channel):
            reading = asyncio.ensure_future(peer.serve(channel))
            if not broken:
                await until(lambda: broken)
                channel.abort("reset")
            await reading

        peer.answer = answer
        peer.transport.serve("/codex/blockexc/1.0.0", ending, max_message_bytes=1 << 25)
        await it.connect(node, peer.transport)
        await node.exchange.fetch(registered(node)).wait(soon())
        assert node.exchange.ledger.of(peer.transport.peer_id).timeouts == 0


async def test_our_own_protocol_is_preferred():
    async with world() as it:
        node, other = await asker(it), await it.node("other", QUICK, blockexc=SOON)
        dataset = other.store.add(DATA, block_size=4096)
        await it.connect(node, other)
        found = await node.exchange.fetch_manifest(dataset.manifest_cid, soon())
        await node.exchange.fetch(found).wait(soon())
        assert list(node.exchange.ledger.traffic) == ["/quire/exchange/1.0.0"]


async def test_both_kinds_of_peers_serve_one_fetch_and_status_tells_them_apart():
    async with world() as it:
        node, other, peer = (
            await asker(it),
            await it.node("other", QUICK),
            await stranger(it, "peer"),
        )
        half = RangeSet([(0, 50)])
        dataset = other.store.add(DATA, block_size=4096, present=half)
        peer.answer = giving(SOURCE, has=lambda i: i >= 50)
        await it.connect(node, other, peer.transport)
        found = await node.exchange.fetch_manifest(dataset.manifest_cid, soon())
        await node.exchange.fetch(found).wait(soon())
        assert node.store.content(found) == DATA
        protocols = {p["peer"]: p["protocol"] for p in node.exchange.status()["peers"]}
        assert protocols == {
            other.peer: "/quire/exchange/1.0.0",
            peer.transport.peer_id: "/codex/blockexc/1.0.0",
        }


async def test_a_window_is_fetched_before_the_rest():
    async with world() as it:
        node, peer = await asker(it), await stranger(it, "peer")
        peer.answer = giving(SOURCE)
        await it.connect(node, peer.transport)
        await node.exchange.ensure(registered(node), 70, 9, soon())
        asked = [w.address.index for w in peer.wants() if w.kind is WantKind.BLOCK]
        assert sorted(asked) == list(range(70, 79))
