"""What the block exchange does over every transport; each gives a `make_transport`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from quire.base.errors import PeerError
from quire.base.ranges import RangeSet
from quire.formats.blockexc import BlockAddress, Delivery, Message, Want, WantKind
from quire.formats.manifest import Manifest, encode_manifest
from quire.net.transport import Transport
from support.blockexc import SOON, Source, Stranger, giving, send, stranger
from support.exchange_nodes import IDS, QUICK, Node, World, fetch_all, soon, until, world
from support.memory_store import random_bytes

MakeTransport = Callable[[], Transport]
SIZE = 61 * 4096 - 7
DATA = random_bytes(SIZE, 3)
SOURCE = Source(DATA)


async def strangers(it: World, make: MakeTransport, **options: tuple[str, ...]) -> list[Node]:
    """Two nodes that do not know each other's own protocol."""
    nodes = [
        await it.node(
            name, QUICK, protocol=f"/{name}/1", blockexc=SOON, transport=make(), **options
        )
        for name in ("one", "other")
    ]
    await it.connect(*nodes)
    return nodes


async def beside(it: World, make: MakeTransport) -> tuple[Node, Stranger]:
    """A node and a scripted peer."""
    node = await it.node("node", QUICK, blockexc=SOON, transport=make())
    peer = await stranger(it, "peer", transport=make())
    await it.connect(node, peer.transport)
    return node, peer


class BlockexcConformance:
    """Fixture: make_transport() -> a transport that is not started."""

    @pytest.mark.parametrize("block_size", [4096, 65_536, 524_288])
    @pytest.mark.parametrize("blocks", [1, 2, 17, 61])
    async def test_a_dataset_moves_both_ways(
        self, make_transport: MakeTransport, block_size: int, blocks: int
    ) -> None:
        async with world() as it:
            one, other = await strangers(it, make_transport)
            for giver, taker, seed in ((one, other, 1), (other, one, 2)):
                data = random_bytes(block_size * blocks - 7, seed)
                dataset = giver.store.add(data, block_size=block_size)
                await fetch_all(taker, dataset.manifest_cid, data)
                traffic = taker.exchange.ledger.traffic[IDS[0]]
                assert traffic.received_blocks == blocks + 1

    @pytest.mark.parametrize("ids", [IDS[1:2], IDS[::-1]])
    async def test_the_first_id_of_the_list_is_spoken(
        self, make_transport: MakeTransport, ids: tuple[str, ...]
    ) -> None:
        async with world() as it:
            one, other = await strangers(it, make_transport, ids=ids)
            dataset = one.store.add(DATA, block_size=4096)
            await fetch_all(other, dataset.manifest_cid, DATA)
            assert list(other.exchange.ledger.traffic) == [ids[0]]

    async def test_a_part_is_fetched_from_who_has_it_and_the_rest_when_it_comes(
        self, make_transport: MakeTransport
    ) -> None:
        async with world() as it:
            one, other = await strangers(it, make_transport)
            dataset = one.store.add(DATA, block_size=4096, present=RangeSet([(0, 20)]))
            found = await other.exchange.fetch_manifest(dataset.manifest_cid, soon())
            job = other.exchange.fetch(found)
            await until(lambda: job.progress().verified_bytes == 20 * 4096)
            one.store.hold(dataset.tree_root, 20, 61)
            await job.wait(soon())
            assert other.store.content(found) == DATA

    async def test_an_answer_may_come_on_either_stream(self, make_transport: MakeTransport) -> None:
        async with world() as it:
            node, peer = await beside(it, make_transport)
            dataset = node.store.add(DATA, block_size=4096)
            for _ in range(2):
                channel = await peer.open(node.peer)
                await send(channel, Message(wants=(Want(BlockAddress(dataset.manifest_cid)),)))
                await until(lambda: len(peer.deliveries()) == 1)
                peer.received.clear()
                channel.close()

    async def test_a_false_block_is_a_ban_and_the_connection_ends(
        self, make_transport: MakeTransport
    ) -> None:
        def lie(want: Want) -> object:
            told = giving(SOURCE)(want)
            return replace(told, data=bytes(4096)) if isinstance(told, Delivery) else told

        async with world() as it:
            node, peer = await beside(it, make_transport)
            peer.answer = lie  # type: ignore[assignment]
            manifest = encode_manifest(Manifest(SOURCE.cid, 4096, SIZE))
            job = node.exchange.fetch(node.store.register(manifest))
            await until(lambda: [b.peer for b in node.exchange.banned()] == [peer.peer_id])
            await until(lambda: node.transport.connections() == [])
            with pytest.raises(PeerError):
                await (await peer.open(node.peer)).receive()
            job.cancel()

    async def test_garbage_closes_the_stream_and_in_the_end_the_connection(
        self, make_transport: MakeTransport
    ) -> None:
        async with world() as it:
            node, peer = await beside(it, make_transport)
            for _ in range(SOON.malformed):
                channel = await peer.open(node.peer)
                await channel.send(b"\xff" * 9)
                with pytest.raises(PeerError):
                    await channel.receive()
            await until(lambda: [b.peer for b in node.exchange.banned()] == [peer.peer_id])

    async def test_who_leaves_while_it_is_asked_is_done_without(
        self, make_transport: MakeTransport
    ) -> None:
        async with world() as it:
            node, gone = await beside(it, make_transport)
            good = await stranger(it, "good", transport=make_transport())
            gone.answer = good.answer = giving(SOURCE)
            gone.answer = lambda want: None if want.kind is WantKind.BLOCK else good.answer(want)
            manifest = encode_manifest(Manifest(SOURCE.cid, 4096, SIZE))
            job = node.exchange.fetch(node.store.register(manifest))
            await until(lambda: any(w.kind is WantKind.BLOCK for w in gone.wants()))
            await it.connect(node, good.transport)
            gone.transport.hang_up(node.peer)
            await job.wait(soon())
            assert set(job.progress().peers) == {good.peer_id}
