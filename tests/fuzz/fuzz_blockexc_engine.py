"""Fuzz the input of the block exchange: messages one after the other into both of its roles.

The input is one message; some known ones, chosen by it, come before and after.
"""

import asyncio
import atexit
import hashlib
import json
import random
from concurrent.futures import Executor, Future
from functools import lru_cache
from pathlib import Path

from quire.base.errors import BadEncoding, BlockMissing, PeerError, PeerGone
from quire.base.ranges import RangeSet
from quire.formats.blockexc import decode_message
from quire.formats.cid import block_cid, tree_cid
from quire.formats.exchange import Status
from quire.formats.merkle import build_tree
from quire.kernels.hashing import range_proof, verify_range
from quire.net.blockexc import Blockexc, Ids
from quire.net.exchange.dialect import DialectPorts
from quire.net.exchange.ledger import Ledger
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.peer_session import AskedTree
from quire.store.dataset import TreeState

VECTORS = ("blockexc.json",)
ID = "/codex/blockexc/1.0.0"
BLOCKS = [f"hello codex block {i}".encode().ljust(64, b"\0") for i in range(3)]
DIGESTS = b"".join(hashlib.sha256(block).digest() for block in BLOCKS)
NODES = build_tree(DIGESTS)
TREE = AskedTree(NODES[-32:], 3, 64)
ROWS = json.loads((Path(__file__).parents[2] / "vectors" / VECTORS[0]).read_text())["accept"]
KNOWN = [bytes.fromhex(row["hex"]) for row in ROWS]
LOOP = asyncio.new_event_loop()  # one for all inputs: making a loop takes longer than an input
atexit.register(LOOP.close)
WANTED = [
    bytes.fromhex(row["hex"]) for row in ROWS if row["name"].startswith("network: delivery_leaf")
]


class Store:
    """Holds blocks 0 and 1 of the tree that the vectors are about."""

    def tree(self, root):
        return TreeState(root, 3, 64, RangeSet([(0, 2)])) if root == TREE.root else None

    async def read_range(self, root, start, count):
        if root != TREE.root or start + count > 2:
            raise BlockMissing("it is not here")
        return b"".join(BLOCKS[start : start + count])

    async def prove_range(self, _root, start, count):
        return range_proof(NODES, 3, start, count)

    async def read_block(self, cid):
        for block in BLOCKS[:2]:
            if cid == block_cid(hashlib.sha256(block).digest()):
                return block
        raise BlockMissing("it is not here")

    def on_change(self, _listener):
        return lambda: None


class Line:
    """A channel that plays messages, then waits; what is sent must be fit to be read."""

    peer, protocol = "peer", ID

    def __init__(self, messages=()):
        self.left = list(messages)
        self.sent = []
        self.played = asyncio.Event()

    async def send(self, *segments):
        self.sent.append(decode_message(b"".join(segments)))

    async def receive(self):
        if self.left:
            return memoryview(self.left.pop(0))
        self.played.set()
        raise PeerGone("the end")

    def close(self):
        pass

    def abort(self, _reason):
        self.played.set()


class Idle(Line):
    """A channel on which nothing comes."""

    async def receive(self):
        return await asyncio.get_running_loop().create_future()


class AtOnce(Executor):
    """Does work where it is asked for."""

    def submit(self, work, /, *arguments, **options):
        done = Future()
        done.set_result(work(*arguments, **options))
        return done


class Wire:
    """A transport with one peer."""

    def __init__(self):
        self.own = Idle()
        self.on_channel = None

    def serve(self, _protocol, on_channel, **_):
        self.on_channel = on_channel

    def on_peer_left(self, _listener):
        pass

    async def open(self, *_, **__):
        return self.own


async def play(messages):
    wire, ended, blamed = Wire(), [], []
    engine = Blockexc(wire, Store(), Ids((ID,)))
    engine.start(
        DialectPorts(
            ExchangeLimits(),
            Ledger(),
            lambda *_: False,
            lambda session, problem: ended.append((session, problem)),
            lambda peer, problem: blamed.append((peer, problem)),
            AtOnce(),
        )
    )
    soon = asyncio.get_running_loop().time() + 5
    session = await engine.open("peer", soon)
    asks = [
        asyncio.ensure_future(work)
        for work in (
            session.ask_range(TREE, 1, 2, soon),
            session.ask_have(TREE, soon),
            session.ask_block(block_cid(hashlib.sha256(BLOCKS[0]).digest()), soon),
            session.ask_block(tree_cid(TREE.root), soon),
        )
    ]
    await asyncio.sleep(0)
    await wire.on_channel(Line(messages))
    for _ in range(16):
        await asyncio.sleep(0)
    if asks[0].done() and not asks[0].exception():
        reply = asks[0].result()
        if reply.status is Status.OK:
            found = verify_range(reply.data, 64, 1, 3, reply.proof, TREE.root)
            assert found in (None, DIGESTS[32:])  # None: who asked finds the lie by this call
    for ask in asks:
        if ask.done() and ask.exception() is not None:
            assert isinstance(ask.exception(), PeerError), ask.exception()
        ask.cancel()
    await asyncio.wait(asks)
    await engine.stop()
    wanted = [want.address for data in messages for want in known_wants(data)]
    for message in wire.own.sent:
        assert len(message.deliveries) <= 20
        for delivery in message.deliveries:
            assert delivery.address in wanted
            if delivery.proof is not None:
                index = delivery.address.index
                delivery.proof.check(
                    hashlib.sha256(delivery.data).digest(), TREE.root, index=index, leaf_count=3
                )


@lru_cache(maxsize=128)
def known_wants(data):
    try:
        return decode_message(data).wants
    except BadEncoding:
        return ()


def check(data: bytes) -> None:
    rng = random.Random(data)
    messages = [*rng.choices(KNOWN, k=2), data, *rng.choices(KNOWN, k=2)]
    if rng.random() < 0.5:  # what was asked for comes, with the input in between
        messages = [WANTED[0], data, WANTED[1], *messages[:2]]
    LOOP.run_until_complete(play(messages))


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
