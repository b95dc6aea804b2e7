"""We serve peers that ask by the block exchange."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quire.base.errors import PeerGone
from quire.formats.blockexc import BlockAddress, Message, Want, WantKind, decode_message
from quire.formats.cid import block_cid, manifest_cid, tree_cid
from quire.net.blockexc.asker import Asker, Turns
from support.blockexc import SOON, Source, send, stranger
from support.exchange_nodes import IDS, QUICK, until, world
from support.memory_store import random_bytes

DATA = random_bytes(300 * 4096)
SOURCE = Source(DATA)


def leaf(index, cid=SOURCE.cid):
    return BlockAddress(cid, index)


def wants(indices, **options):
    return Message(wants=tuple(Want(leaf(index), **options) for index in indices))


async def pair(it, ids=IDS[:1], limits=SOON):
    """A node that holds everything, and a stranger with a stream to it."""
    node = await it.node("server", QUICK, blockexc=limits)
    dataset = node.store.add(DATA, block_size=4096)
    peer = await stranger(it, "peer", ids)
    await it.connect(node, peer.transport)
    return node, dataset, peer, await peer.open(node.peer, ids[0])


def told(node, key):
    """What the status of the node says of the stranger."""
    return next((entry[key] for entry in node.exchange.status()["serving"]), None)


async def test_blocks_come_twenty_at_a_time_in_order_with_true_proofs():
    async with world() as it:
        _, _, peer, channel = await pair(it)
        await send(channel, wants(range(250)))
        await until(lambda: len(peer.deliveries()) == 250)
        assert max(len(message.deliveries) for message in peer.received) == 20
        assert [d.address.index for d in peer.deliveries()] == list(range(250))
        for delivery in peer.deliveries():
            assert delivery.proof is not None
            delivery.proof.check(
                delivery.cid.digest,
                SOURCE.cid.digest,
                index=delivery.address.index,
                leaf_count=SOURCE.count,
            )
            assert bytes(delivery.data) == SOURCE.blocks[delivery.address.index]


async def test_what_is_here_is_said_at_once_with_a_price_and_what_is_not_only_when_asked():
    async with world() as it:
        _, dataset, peer, channel = await pair(it)
        absent = leaf(1, tree_cid(bytes(32)))
        asked = [leaf(0), leaf(299), leaf(300), absent, BlockAddress(dataset.manifest_cid)]
        asked += [BlockAddress(block_cid(bytes(32))), BlockAddress(SOURCE.cid)]
        quiet = tuple(Want(a, WantKind.HAVE) for a in asked)
        await send(channel, Message(wants=quiet))
        await until(lambda: len(peer.presences()) == 3)
        assert [p.have for p in peer.presences()] == [True] * 3
        loud = tuple(Want(a, WantKind.HAVE, send_dont_have=True) for a in asked)
        await send(channel, Message(wants=loud))
        await until(lambda: len(peer.presences()) == 10)
        said = {p.address: p.have for p in peer.presences()[3:]}
        assert [said[a] for a in asked] == [True, True, False, False, True, False, False]


async def test_a_long_want_list_is_answered_in_messages_of_at_most_1024():
    async with world() as it:
        _, _, peer, channel = await pair(it)
        for _ in range(4):
            await send(channel, wants(range(1024), kind=WantKind.HAVE, send_dont_have=True))
        await until(lambda: len(peer.presences()) == 4096)
        assert max(len(message.presences) for message in peer.received) <= 1024


async def test_a_manifest_and_a_leaf_are_sent_together():
    async with world() as it:
        _, dataset, peer, channel = await pair(it)
        await send(
            channel, Message(wants=(Want(BlockAddress(dataset.manifest_cid)), Want(leaf(7))))
        )
        await until(lambda: len(peer.deliveries()) == 2)
        found = {d.address: bytes(d.data) for d in peer.deliveries()}
        assert found[leaf(7)] == SOURCE.blocks[7]
        assert manifest_cid(found[BlockAddress(dataset.manifest_cid)]) == dataset.manifest_cid


async def test_what_is_withheld_is_not_sent():
    async with world() as it:
        node, dataset, peer, channel = await pair(it)
        node.store.withheld.append(dataset.tree_root)
        public = node.store.add(b"public", block_size=4096)
        await send(channel, wants(range(3)))
        await send(channel, Message(wants=(Want(leaf(0, public.manifest.tree_cid)),)))
        await until(lambda: len(peer.deliveries()) == 1)
        assert peer.deliveries()[0].address.cid == public.manifest.tree_cid
        assert node.store.reads == [(0, 1)]


async def test_what_is_not_here_is_sent_when_it_comes():
    async with world() as it:
        node, dataset, peer, channel = await pair(it)
        node.store.lose(dataset.tree_root, 10, 20)
        await send(channel, wants(range(8, 22)))
        await until(lambda: len(peer.deliveries()) == 4)
        other = random_bytes(9000, 7)
        later = Source(other)
        await send(channel, Message(wants=(Want(leaf(1, later.cid)),)))
        node.store.hold(dataset.tree_root, 10, 20)
        await until(lambda: len(peer.deliveries()) == 14)
        dataset = node.store.add(other, block_size=4096)
        await until(lambda: len(peer.deliveries()) == 15)
        await send(channel, Message(wants=(Want(BlockAddress(dataset.manifest_cid)),)))
        await until(lambda: len(peer.deliveries()) == 16)


async def test_a_manifest_that_comes_later_is_sent_too():
    async with world() as it:
        node, _, peer, channel = await pair(it)
        elsewhere = await it.node("elsewhere", QUICK)
        other = random_bytes(9000, 8)
        cid = elsewhere.store.add(other, block_size=4096).manifest_cid
        await send(channel, Message(wants=(Want(BlockAddress(cid)),)))
        await until(lambda: told(node, "remembered") == 1)
        node.store.add(other, block_size=4096)
        await until(lambda: [d.cid for d in peer.deliveries()] == [cid])


async def test_who_waits_hears_from_us_all_the_time_until_the_want_is_too_old():
    async with world() as it:
        limits = replace(SOON, wanted_seconds=0.5)
        node, dataset, peer, channel = await pair(it, limits=limits)
        node.store.lose(dataset.tree_root, 0, 300)
        await send(channel, wants([3]))
        await until(lambda: len(peer.presences()) >= 2)
        assert {(p.address, p.have) for p in peer.presences()} == {(leaf(3), False)}
        await until(lambda: told(node, "remembered") == 0)


async def test_what_is_cancelled_is_not_sent():
    async with world() as it:
        node, dataset, peer, channel = await pair(it)
        node.store.lose(dataset.tree_root, 0, 300)
        await send(channel, wants(range(30)))
        await send(channel, wants(range(25), cancel=True))
        await until(lambda: told(node, "remembered") == 5)
        node.store.hold(dataset.tree_root, 0, 300)
        await until(lambda: len(peer.deliveries()) == 5)
        assert [d.address.index for d in peer.deliveries()] == list(range(25, 30))


async def test_every_id_is_served_and_the_trimmed_form_is_spoken_where_it_is_known():
    for protocol in IDS:
        async with world() as it:
            node, _, peer, channel = await pair(it, (protocol,))
            raw = []

            async def keep(inbound, raw=raw):
                raw.append(bytes(await inbound.receive()))

            peer.transport.serve(protocol, keep, max_message_bytes=1 << 25)
            await send(channel, wants([1], kind=WantKind.HAVE))
            await until(lambda raw=raw: raw)
            is_trimmed = protocol != IDS[0]
            assert raw[0].endswith(bytes.fromhex("2800")) is is_trimmed
            assert (bytes(32) in raw[0]) is not is_trimmed  # the price
            assert decode_message(raw[0]).presences[0].have
            assert told(node, "protocol") == protocol


async def test_wants_above_the_limit_are_dropped():
    async with world() as it:
        node, dataset, _, channel = await pair(it, limits=replace(SOON, wants_per_peer=100))
        node.store.lose(dataset.tree_root, 0, 300)
        await send(channel, wants(range(300)))
        await until(lambda: told(node, "dropped") == 200)
        assert told(node, "remembered") == 100


@pytest.mark.parametrize("garbage", [b"\xff" * 9, bytes.fromhex("0a0a0a060a0208002005")])
async def test_garbage_closes_the_stream_and_repeated_garbage_is_a_ban(garbage):
    async with world() as it:
        node, _, peer, channel = await pair(it)
        for _ in range(3):
            assert node.exchange.banned() == []
            await channel.send(garbage)
            with pytest.raises(PeerGone):
                await asyncio.wait_for(channel.receive(), 5)
            if not node.exchange.banned():
                channel = await peer.open(node.peer)
        await until(lambda: node.exchange.banned())


async def test_a_message_above_the_limit_closes_the_stream():
    async with world() as it:
        node, _, peer, _ = await pair(it, limits=replace(SOON, message_bytes=10_000))
        channel = await peer.open(node.peer)
        await channel.send(bytes(10_001))
        with pytest.raises(PeerGone):
            await asyncio.wait_for(channel.receive(), 5)
        assert node.exchange.banned() == []


async def test_only_so_many_streams_are_taken_of_one_peer():
    async with world() as it:
        node, _, peer, first = await pair(it, limits=replace(SOON, streams_per_peer=2))
        second, third = await peer.open(node.peer), await peer.open(node.peer)
        with pytest.raises(PeerGone):
            await asyncio.wait_for(third.receive(), 5)
        for channel in (first, second):
            await send(channel, wants([1]))
        await until(lambda: len(peer.deliveries()) == 2)


class _NoLink:
    peer = "peer"


def asker_with(count, size):
    asker = Asker(_NoLink(), SOON)
    for index in range(count):
        asker.want(leaf(index), size)
    return asker


def test_turns_go_round_by_bytes():
    many, few, large = asker_with(100, 65_536), asker_with(30, 65_536), asker_with(30, 524_288)
    turns = Turns(20 * 65_536)
    for asker in (many, few, large):
        turns.add(asker)
    served = {id(many): 0, id(few): 0, id(large): 0}
    for _ in range(6):
        turn = turns.next(lambda _: True)
        assert turn is not None
        asker, batch = turn
        served[id(asker)] += len(batch)
        assert 0 < len(batch) <= 20
    assert served[id(many)] == 40
    assert served[id(few)] == 30
    assert 4 <= served[id(large)] <= 6


def test_who_may_not_be_served_keeps_its_turn():
    first, second = asker_with(5, 1), asker_with(5, 1)
    turns = Turns(100)
    turns.add(first)
    turns.add(second)
    turn = turns.next(lambda asker: asker is second)
    assert turn is not None
    assert turn[0] is second
    turn = turns.next(lambda _: True)
    assert turn is not None
    assert turn[0] is first
    assert turns.next(lambda _: True) is None


def test_an_address_is_wanted_once():
    asker = asker_with(3, 10)
    asker.want(leaf(1), 10)
    assert list(asker.queue) == [leaf(0), leaf(1), leaf(2)]
    asker.miss(leaf(1), 5.0)
    assert list(asker.queue) == [leaf(0), leaf(2)]
    asker.want(leaf(1), 10)
    assert not asker.absent
