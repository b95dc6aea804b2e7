"""Fuzz what a peer may send to a node that serves it: any messages in any order.

An input is a series of messages, each after its length in one byte. The responder must answer or
end the channel with a `PeerError`; every answer is decodable, true, and to a question that was
asked; nothing is left behind.
"""

import asyncio

from quire.base.errors import PeerError, PeerGone
from quire.base.ranges import RangeSet
from quire.formats.cid import manifest_cid
from quire.formats.exchange import (
    BlockReply,
    BlockRequest,
    Cancel,
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
from quire.kernels.hashing import verify_leaves, verify_range
from quire.net.exchange.ledger import Ledger
from quire.net.exchange.limits import ExchangeLimits
from quire.net.exchange.responder import Responder
from quire.net.exchange.toll import Free
from quire.sim.loop import SimLoop
from quire.sim.rng import Streams
from support.memory_store import MemoryStore, random_bytes

BLOCK = 4096
MESSAGES_MAX = 40
LIMITS = ExchangeLimits(requests_per_peer=8, bytes_per_peer=64 << 10, replies_per_peer=8)
WHOLE, PART = random_bytes(5 * BLOCK - 7), random_bytes(9 * BLOCK, seed=2)
STORE = MemoryStore()
DATASETS = {
    STORE.add(data, block_size=BLOCK, present=present).tree_root: (data, leaves)
    for data, present, leaves in (
        (WHOLE, None, 5),
        (PART, RangeSet([(0, 3), (6, 7)]), 9),
    )
}
ROOTS = list(DATASETS)
MANIFEST = next(iter(STORE._manifests))
LOOP = SimLoop(Streams(1).stream("loop"))
VECTORS = ()


def _packed(*messages: object) -> bytes:
    encoded = [b"".join(message.segments()) for message in messages]
    return b"".join(bytes([len(each)]) + each for each in encoded if len(each) < 256)


SEEDS = (
    _packed(HaveRequest(1, ROOTS[0]), RangeRequest(2, ROOTS[0], 0, 5), Cancel(2)),
    _packed(
        HaveRequest(1, ROOTS[1]), RangeRequest(2, ROOTS[1], 0, 3), RangeRequest(3, ROOTS[1], 4, 2)
    ),
    _packed(BlockRequest(1, MANIFEST), BlockRequest(1, MANIFEST)),
    _packed(LeavesRequest(1, ROOTS[0], 0, 5), LeavesRequest(2, ROOTS[1], 3, 6), Cancel(2)),
    _packed(LeavesRequest(1, ROOTS[0], 2, 2), LeavesReply(1, Status.NOT_HAVE)),
    _packed(*(RangeRequest(number, ROOTS[0], number % 5, 1) for number in range(20))),
    _packed(HaveReply(1, Status.NOT_HAVE), HaveUpdate(ROOTS[0], 5, RangeSet([(0, 1)]))),
)


class _Channel:
    """Gives the messages out one after the other, and keeps what is sent."""

    peer, protocol = "peer", "fuzz"

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages
        self.sent: list[bytes] = []
        self.aborted = False

    async def send(self, *segments: bytes) -> None:
        if self.aborted:
            raise PeerGone("the channel was ended")
        self.sent.append(b"".join(segments))

    async def receive(self) -> memoryview:
        await asyncio.sleep(0)
        if not self.messages:
            await asyncio.sleep(10)  # what is still to be answered is, and updates are due
            raise PeerGone("the peer has gone")
        return memoryview(self.messages.pop(0))

    def close(self) -> None:
        self.aborted = True

    def abort(self, reason: str) -> None:
        self.aborted = True


def check(data: bytes) -> None:
    messages, at = [], 0
    while at < len(data) and len(messages) < MESSAGES_MAX:
        messages.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    channel, asked = _Channel(list(messages)), _asked(messages)
    LOOP.run_until_complete(LOOP.create_task(_serve(channel)))
    assert not LOOP.failures, LOOP.failures
    for each in channel.sent:
        _check_answer(each, asked)


async def _serve(channel: _Channel) -> None:
    responder = Responder(STORE, LIMITS, Ledger(), Free())
    try:
        await responder.serve(channel)
    except PeerError as problem:
        channel.abort(problem.message)
    await responder.stop()
    assert responder.status() == []
    assert not responder._reads
    assert not responder._busy


def _asked(messages: list[bytes]) -> dict[int, list[object]]:
    asked: dict[int, list[object]] = {}
    for each in messages:
        try:
            request = decode_message(each)
        except Exception:  # the responder sees the same
            break
        if isinstance(request, HaveRequest | DataRequest):
            asked.setdefault(request.id, []).append(request)
    return asked


def _check_answer(answer: bytes, asked: dict[int, list[object]]) -> None:
    reply = decode_message(answer)
    if isinstance(reply, HaveUpdate):
        return
    assert isinstance(reply, HaveReply | RangeReply | BlockReply | LeavesReply)
    assert asked.get(reply.id), "an answer to what nobody asked"
    if isinstance(reply, RangeReply) and reply.status is Status.OK:
        ranges = [each for each in asked[reply.id] if isinstance(each, RangeRequest)]
        assert any(_is_true(reply, each) for each in ranges), "an answer that is not true"
    if isinstance(reply, LeavesReply) and reply.status is Status.OK:
        parts = [each for each in asked[reply.id] if isinstance(each, LeavesRequest)]
        assert any(_are_true(reply, each) for each in parts), "leaves that are not true"
    if isinstance(reply, BlockReply) and reply.status is Status.OK:
        assert manifest_cid(bytes(reply.data)) == MANIFEST


def _is_true(reply: RangeReply, request: RangeRequest) -> bool:
    if reply.start != request.start or request.root not in DATASETS:
        return False
    _, leaves = DATASETS[request.root]
    return len(reply.data) == request.count * BLOCK and bool(
        verify_range(reply.data, BLOCK, reply.start, leaves, reply.proof, request.root)
    )


def _are_true(reply: LeavesReply, request: LeavesRequest) -> bool:
    if reply.start != request.start or request.root not in DATASETS:
        return False
    _, leaves = DATASETS[request.root]
    return len(reply.data) == request.count * 32 and verify_leaves(
        reply.data, reply.start, leaves, reply.proof, request.root
    )


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
