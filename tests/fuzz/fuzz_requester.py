"""Fuzz what a peer may answer to a node that fetches from it.

An input is a script of how the peer answers request after request: truly, with bits flipped, cut,
twice, with other messages, or not at all; when the script has ended it answers truly. Whatever it
does, the fetch ends in success or in an error of Quire, a peer that never deviated is not banned
and delivers, no wrong byte reaches the store, and nothing is left running.
"""

import asyncio
from collections.abc import AsyncIterator

from quire.base.errors import PeerGone, QuireError
from quire.base.events import EventBus
from quire.base.ranges import RangeSet
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.formats.cid import Cid
from quire.formats.exchange import (
    MAX_MESSAGE_BYTES,
    BlockReply,
    BlockRequest,
    DataRequest,
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
from quire.formats.exchange_ranges import decode_ranges
from quire.kernels.hashing import sha256_blocks
from quire.net.exchange.engine import Exchange
from quire.net.exchange.limits import ExchangeLimits
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.transport import Channel, ProviderRecord
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop
from quire.sim.rng import Streams
from support.memory_store import MemoryStore, random_bytes

PROTOCOL = "/quire/exchange/1.0.0"
BLOCK = 4096
DATA = random_bytes(3 * BLOCK - 11)
SOURCE = MemoryStore()
DATASET = SOURCE.add(DATA, block_size=BLOCK)
ROOT = DATASET.tree_root
LEAVES = sha256_blocks(DATA, BLOCK)
LIMITS = ExchangeLimits(
    piece_bytes=BLOCK,
    piece_bytes_first=BLOCK,
    timeout_min_seconds=0.3,
    timeout_first_seconds=0.3,
    answer_seconds=0.3,
    rest_seconds=0.5,
    search_pause_seconds=10.0,
)
FETCH_SECONDS = 1.5
LOOP = SimLoop(Streams(2).stream("loop"))
VECTORS = ()
TRULY, FLIP, RAW, SILENT, TWICE, CUT, UPDATE, CLOSE = range(8)
SEEDS = (
    bytes([TRULY] * 6),
    bytes([TRULY, TRULY, FLIP, 1, 0, 40, 1, TRULY]),
    bytes([TRULY, FLIP, 2, 0, 3, 255, 0, 9, 1]),
    bytes([TRULY, TRULY, SILENT, TWICE, TRULY]),
    bytes([CUT, 0, 20]),
    bytes([TRULY, TRULY, CUT, 8, 0, SILENT, SILENT]),
    bytes([TRULY, TRULY, UPDATE, 2, 0, 3, TRULY, CLOSE]),
    bytes([TRULY, FLIP, 1, 0, 60, 1, TRULY]),
    bytes([TRULY, SILENT, TRULY, TRULY, TWICE]),
    bytes([RAW, 4, 8, 2, 16, 1, TRULY]),
)


class Script:
    """What the peer does, read from the input."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self.is_true = True

    def byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def number(self) -> int:
        return self.byte() << 8 | self.byte()

    def stretch(self) -> bytes:
        length = self.byte()
        self._at += length
        return self._data[self._at - length : self._at]

    async def answer(self, channel: Channel, reply: bytes) -> None:
        """Answer one request as the script says."""
        way = self.byte() % 8
        self.is_true &= way == TRULY
        if way == FLIP:
            spoilt = bytearray(reply)
            for _ in range(1 + self.byte() % 3):
                spoilt[self.number() % len(spoilt)] ^= self.byte()
            await channel.send(bytes(spoilt))
        elif way == RAW:
            await channel.send(self.stretch())
            await channel.send(reply)
        elif way == CUT:
            await channel.send(reply[: self.number() % (len(reply) + 1)])
        elif way == UPDATE:
            try:
                added = decode_ranges(self.stretch(), DATASET.block_count)
            except QuireError:
                added = RangeSet()
            update = HaveUpdate(ROOT, DATASET.block_count, added)
            await channel.send(*update.segments())
            await channel.send(reply)
        elif way == CLOSE:
            channel.close()
        elif way != SILENT:
            for _ in range(2 if way == TWICE else 1):
                await channel.send(reply)


async def _truth(message: object) -> bytes:
    if isinstance(message, HaveRequest):
        tree = SOURCE.tree(message.root)
        found = HaveReply(message.id, Status.NOT_HAVE)
        if tree is not None:
            found = HaveReply(message.id, Status.OK, tree.leaf_count, tree.present, BLOCK)
        return b"".join(found.segments())
    if isinstance(message, BlockRequest):
        data = await SOURCE.read_block(message.cid)
        return b"".join(BlockReply(message.id, Status.OK, data).segments())
    if isinstance(message, LeavesRequest):
        leaves = await SOURCE.read_leaves(message.root, message.start, message.count)
        proof = await SOURCE.prove_range(message.root, message.start, message.count)
        found = LeavesReply(message.id, Status.OK, message.start, proof, leaves)
        return b"".join(found.segments())
    assert isinstance(message, RangeRequest)
    data = await SOURCE.read_range(message.root, message.start, message.count)
    proof = await SOURCE.prove_range(message.root, message.start, message.count)
    return b"".join(RangeReply(message.id, Status.OK, message.start, proof, data).segments())


class _Nobody:
    """A network in which nobody is found."""

    async def find(self, cid: Cid, deadline: float) -> AsyncIterator[ProviderRecord]:
        for record in ():
            yield record


def check(data: bytes) -> None:
    LOOP.run_until_complete(LOOP.create_task(_fetch(Script(data))))
    assert not LOOP.failures, LOOP.failures
    assert not LOOP.tasks(), LOOP.awaited()


async def _fetch(script: Script) -> None:
    clock = SimClock(LOOP)
    network = MemoryNetwork(clock)
    here, there = (MemoryTransport(network, f"peer-{n}", f"/memory/{n}") for n in (1, 2))

    async def behave(channel: Channel) -> None:
        try:
            while True:
                message = decode_message(await channel.receive())
                if isinstance(message, HaveRequest | DataRequest):
                    await script.answer(channel, await _truth(message))
        except PeerGone:
            return

    there.serve(PROTOCOL, behave, max_message_bytes=MAX_MESSAGE_BYTES)
    store, events = MemoryStore(), EventBus(clock)
    exchange = Exchange(
        here,
        store,
        _Nobody(),
        clock=clock,
        rng=seeded_rng(1),
        events=events,
        waits=Waits(clock),
        protocol_id=PROTOCOL,
        limits=LIMITS,
    )
    for transport in (here, there):
        await transport.start()
    await exchange.start()
    await here.dial(there.peer_id, there.listen_addresses(), LOOP.time() + 1)
    await _attempt(exchange, store, script)
    await exchange.stop()
    for transport in (here, there):
        await transport.stop(LOOP.time() + 1)
    await asyncio.sleep(0)


async def _attempt(exchange: Exchange, store: MemoryStore, script: Script) -> None:
    deadline = LOOP.time() + FETCH_SECONDS
    is_whole = False
    try:
        dataset = await exchange.fetch_manifest(DATASET.manifest_cid, deadline)
        assert dataset.manifest_bytes == DATASET.manifest_bytes
        await exchange.fetch_leaves(dataset, deadline)
        assert await store.leaves(ROOT) == LEAVES, "a list of leaves that is not true"
        await exchange.fetch(dataset).wait(deadline)
        is_whole = store.content(dataset) == DATA
        assert is_whole, "a fetch ended with other bytes"
    except QuireError:
        assert LOOP.time() <= deadline + 1.0, "a fetch outlasted its deadline"
    assert is_whole or not script.is_true, "a peer that tells the truth did not deliver"
    assert not script.is_true or not exchange.banned()
    tree = store.tree(ROOT)
    for start, stop in tree.present if tree is not None else ():
        found = await store.read_range(ROOT, start, stop - start)
        assert found == await SOURCE.read_range(ROOT, start, stop - start)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
