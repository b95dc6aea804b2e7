"""A node that asks a price: what those get who know of prices, and those who do not."""

from __future__ import annotations

from quire.base.events import EventBus
from quire.base.units import MIB
from quire.formats.charge import Charge, Purse
from quire.formats.cid import block_cid
from quire.formats.exchange import (
    BlockReply,
    BlockRequest,
    HaveReply,
    HaveRequest,
    LeavesReply,
    LeavesRequest,
    RangeReply,
    RangeRequest,
    Status,
    decode_message,
)
from quire.net.exchange.toll import Free
from quire.net.transport import Channel
from quire.services.caching.caching import Caching
from quire.services.caching.terms import CacheTerms
from support.cache_kit import AllCached
from support.exchange_nodes import PROTOCOL, Node, World, soon, until, world
from support.memory_store import random_bytes
from support.networks import make_transport

BLOCK = 65536
DATA = random_bytes(64 * BLOCK)


async def seller(w: World, free_bytes: int) -> tuple[Node, Caching]:
    events = EventBus(w.clock)
    terms = CacheTerms(price=1000, free_bytes=free_bytes)
    caching = Caching(terms, AllCached(), w.clock, events)  # type: ignore[arg-type]
    await caching.start()
    return await w.node("seller", toll=caching.toll, events=events), caching


async def asker(w: World, node: Node) -> Channel:
    transport = make_transport(w.network, "asker")
    await transport.start()
    w.liars.append(transport)
    await transport.dial(node.peer, node.transport.listen_addresses(), soon())
    return await transport.open(node.peer, PROTOCOL, max_message_bytes=16 * MIB, deadline=soon())


async def ask(channel: Channel, message):
    await channel.send(*message.segments())
    return decode_message(await channel.receive())


async def test_who_knows_of_prices_is_told_the_price_and_who_does_not_is_refused() -> None:
    async with world() as w:
        node, caching = await seller(w, 2 * BLOCK)
        dataset = node.store.add(DATA)
        channel = await asker(w, node)
        root = dataset.tree_root
        have = await ask(channel, HaveRequest(1, root))
        assert isinstance(have, HaveReply)
        assert have.charge == Charge(1000)
        free = await ask(channel, RangeRequest(2, root, 0, 2, Purse()))
        assert isinstance(free, RangeReply)
        assert (free.status, free.charge) == (Status.OK, None)
        refused = await ask(channel, RangeRequest(3, root, 2, 1, Purse(5000)))
        assert refused == RangeReply(3, Status.PAYMENT_DUE, charge=Charge(1000))
        assert await ask(channel, RangeRequest(4, root, 2, 1)) == RangeReply(4, Status.REFUSED)
        await caching.stop()


async def test_manifests_and_digests_are_free_and_blocks_by_their_cid_are_not() -> None:
    async with world() as w:
        node, caching = await seller(w, 0)
        dataset = node.store.add(DATA)
        cid = block_cid(dataset.tree_root)
        node.store.add_block(cid, DATA[:BLOCK])
        channel = await asker(w, node)
        manifest = await ask(channel, BlockRequest(1, dataset.manifest_cid))
        assert isinstance(manifest, BlockReply)
        assert manifest.status is Status.OK
        leaves = await ask(channel, LeavesRequest(2, dataset.tree_root, 0, 64))
        assert isinstance(leaves, LeavesReply)
        assert leaves.status is Status.OK
        block = await ask(channel, BlockRequest(3, cid, Purse()))
        assert block == BlockReply(3, Status.PAYMENT_DUE, charge=Charge(1000))
        assert await ask(channel, BlockRequest(4, cid)) == BlockReply(4, Status.REFUSED)
        await caching.stop()


async def test_what_is_cancelled_or_never_sent_is_not_counted() -> None:
    async with world() as w:
        node, caching = await seller(w, MIB)
        dataset = node.store.add(DATA)
        channel = await asker(w, node)
        for number in range(1, 17):
            await channel.send(*RangeRequest(number, dataset.tree_root, 0, 1, Purse()).segments())
        tab = caching.books.of("peer-asker").tab
        await until(lambda: tab.given_bytes > 0)
        channel.abort("enough")
        await until(lambda: (tab.pending_bytes, tab.pending_parts) == (0, 0))
        await caching.stop()
        assert 0 <= tab.given_bytes == tab.ahead_bytes <= MIB


async def test_without_a_price_everybody_is_served_and_nobody_is_paid() -> None:
    toll = Free()
    assert toll.admit("peer", bytes(32), 1 << 40, Purse()) is None
    assert toll.posted("peer", bytes(32)) == 0
    assert toll.knows("peer", Purse())
    assert toll.offer("peer") == Purse()
    assert toll.room("peer") > 1 << 40
    assert "pays for nothing" in await toll.pay("peer", Charge(7))
