"""Nodes of the reference are served for nothing, whatever a node asks of its own kind."""

from __future__ import annotations

from quire.base.events import EventBus
from quire.formats.blockexc import BlockAddress, Message, Presence, Want, WantKind, decode_message
from quire.formats.blockexc import encode_message as encode
from quire.services.caching.caching import Caching
from quire.services.caching.terms import CacheTerms
from support.blockexc import SOON, Source, send, stranger
from support.cache_kit import AllCached
from support.exchange_nodes import IDS, QUICK, until, world
from support.memory_store import random_bytes

DATA = random_bytes(300 * 4096)
SOURCE = Source(DATA)


async def test_a_stock_peer_is_served_free_and_needs_no_protocol_that_it_does_not_know() -> None:
    async with world() as it:
        events = EventBus(it.clock)
        terms = CacheTerms(price=1000, free_bytes=0)
        caching = Caching(terms, AllCached(), it.clock, events)  # type: ignore[arg-type]
        await caching.start()
        node = await it.node("server", QUICK, blockexc=SOON, toll=caching.toll, events=events)
        node.store.add(DATA, block_size=4096)
        peer = await stranger(it, "stock", IDS[:1])
        await it.connect(node, peer.transport)
        channel = await peer.open(node.peer, IDS[0])
        ask = [Want(BlockAddress(SOURCE.cid, n), WantKind.HAVE, send_dont_have=True)
               for n in range(300)]  # fmt: skip
        await send(channel, Message(wants=tuple(ask)))
        await until(lambda: len(peer.presences()) == 300)
        assert all(presence.have and presence.price == 0 for presence in peer.presences())
        wanted = tuple(Want(BlockAddress(SOURCE.cid, n)) for n in range(300))
        await send(channel, Message(wants=wanted))
        await until(lambda: len(peer.deliveries()) == 300)
        assert all(m.account == b"" and m.payment == b"" for m in peer.received)
        assert [bytes(d.data) for d in peer.deliveries()] == SOURCE.blocks
        assert caching.total().earned == 0
        assert "cache.refused" not in node.kinds()
        await caching.stop()


def test_price_and_account_of_a_stock_peer_are_read_as_they_are_and_written_the_same() -> None:
    presence = Presence(BlockAddress(SOURCE.cid, 1), True, price=(1 << 256) - 1)
    message = Message(presences=(presence,), account=bytes(range(20)), payment=b'{"state": 1}')
    data = encode(message)
    assert decode_message(data) == message
    assert encode(decode_message(data)) == data
    free = Message(presences=(Presence(BlockAddress(SOURCE.cid, 1), True),))
    assert bytes(32) in encode(free)  # a price of nothing is 32 zeros, as the reference has it
