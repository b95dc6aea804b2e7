"""Lists of leaves come from whoever knows them, are checked part by part, and are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from quire.base.errors import BlockMissing, DeadlineExceeded, DiskFull, PeerGone
from quire.base.ranges import RangeSet
from quire.formats.exchange import (
    BlockReply,
    ExchangeMessage,
    HaveReply,
    HaveRequest,
    LeavesReply,
    LeavesRequest,
    Status,
)
from quire.kernels.hashing import range_proof, sha256_blocks
from quire.net.blockexc.limits import BlockexcLimits
from quire.net.exchange.leaf_hunt import LeavesUnknown
from support.exchange_nodes import IDS, QUICK, Node, answering, soon, until, world
from support.memory_store import MemoryStore, random_bytes

BLOCK = 4096
COUNT = 50
DATA = random_bytes(COUNT * BLOCK)
TRUE = MemoryStore()
DATASET = TRUE.add(DATA, block_size=BLOCK)
ROOT, DIGESTS = DATASET.tree_root, sha256_blocks(DATA, BLOCK)
NODES = TRUE._trees[ROOT].nodes
Lie = Callable[[LeavesRequest], list[ExchangeMessage] | bytes]


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire.net.exchange.leaf_hunt.MAX_LEAVES", 8)


def truth(request: LeavesRequest) -> LeavesReply:
    start, count = request.start, request.count
    proof = range_proof(NODES, COUNT, start, count)
    return LeavesReply(
        request.id, Status.OK, start, proof, DIGESTS[start * 32 : (start + count) * 32]
    )


def teller(tell: Callable[[LeavesRequest], list[ExchangeMessage] | bytes | None]) -> object:
    """A peer that says it has everything and answers for leaves in its own way."""

    def answer(request: object) -> list[ExchangeMessage] | bytes | None:
        if isinstance(request, HaveRequest):
            return [HaveReply(request.id, Status.OK, COUNT, RangeSet([(0, COUNT)]), BLOCK)]
        return tell(request) if isinstance(request, LeavesRequest) else None

    return answering(answer)


async def reader(w, limits=QUICK) -> Node:
    node = await w.node("reader", limits)
    node.store.register(DATASET.manifest_bytes)
    return node


async def test_a_list_comes_from_a_complete_holder_and_brings_no_blocks() -> None:
    async with world() as w:
        holder, node = await w.node("holder", QUICK), await reader(w)
        holder.store.add(DATA, block_size=BLOCK)
        await w.connect(node, holder)
        await node.exchange.fetch_leaves(DATASET, soon())
        assert await node.store.leaves(ROOT) == DIGESTS
        assert not node.store.tree(ROOT).present
        assert holder.store.reads == []
        account = node.exchange.ledger.of(holder.peer)
        assert account.received_bytes >= len(DIGESTS)
        await node.exchange.fetch_leaves(DATASET, soon(-1))  # known: nobody is asked
        assert node.exchange.status()["searches"] == []


async def test_one_who_has_the_list_and_no_block_gives_it_on() -> None:
    async with world() as w:
        holder, node = await w.node("holder", QUICK), await reader(w)
        holder.store.register(DATASET.manifest_bytes)
        await holder.store.put_leaves(ROOT, DIGESTS)
        await w.connect(node, holder)
        await node.exchange.fetch_leaves(DATASET, soon())
        assert await node.store.leaves(ROOT) == DIGESTS


async def test_only_what_is_unknown_is_asked_for() -> None:
    asked = []

    def tell(request: LeavesRequest) -> list[ExchangeMessage]:
        asked.append((request.start, request.count))
        return [truth(request)]

    async with world() as w:
        node, peer = await reader(w), await w.stranger("teller", teller(tell))
        for start, count in ((0, 20), (24, 8), (33, 2)):
            part = truth(LeavesRequest(1, ROOT, start, count))
            await node.store.put_leaf_range(ROOT, start, part.data, part.proof)
        await w.connect(node, peer)
        await node.exchange.fetch_leaves(DATASET, soon())
        assert sorted(asked) == [(16, 8), (32, 8), (40, 8), (48, 2)]


async def test_all_who_want_the_same_list_share_one_search() -> None:
    asked = []

    def tell(request: LeavesRequest) -> list[ExchangeMessage]:
        asked.append(request.start)
        return [truth(request)]

    async with world() as w:
        node, peer = await reader(w), await w.stranger("teller", teller(tell))
        await w.connect(node, peer)
        await asyncio.gather(*(node.exchange.fetch_leaves(DATASET, soon()) for _ in range(5)))
        assert sorted(asked) == list(range(0, COUNT, 8))


def _with(request: LeavesRequest, **changes: object) -> list[ExchangeMessage]:
    fields = {name: getattr(truth(request), name) for name in LeavesReply.__slots__}
    return [LeavesReply(**{**fields, **changes})]


def wrong_digest(request: LeavesRequest) -> list[ExchangeMessage]:
    data = bytearray(truth(request).data)
    data[-1] ^= 1
    return _with(request, data=bytes(data))


def wrong_proof(request: LeavesRequest) -> list[ExchangeMessage]:
    return _with(request, proof=bytes(len(truth(request).proof)))


def no_proof(request: LeavesRequest) -> list[ExchangeMessage]:
    return _with(request, proof=b"")


def too_few(request: LeavesRequest) -> list[ExchangeMessage]:
    return _with(request, data=truth(request).data[:-32])


def too_many(request: LeavesRequest) -> list[ExchangeMessage]:
    return _with(request, data=truth(request).data + bytes(32))


def other_leaves(request: LeavesRequest) -> list[ExchangeMessage]:
    other = truth(LeavesRequest(1, ROOT, 8 if request.start == 0 else 0, request.count))
    return _with(request, data=other.data, proof=other.proof)


def other_start(request: LeavesRequest) -> list[ExchangeMessage]:
    return _with(request, start=request.start + 1)


def another_kind(request: LeavesRequest) -> list[ExchangeMessage]:
    return [BlockReply(request.id, Status.OK, b"no leaves")]


def twice(request: LeavesRequest) -> list[ExchangeMessage]:
    return [truth(request), truth(request)]


def garbage(request: LeavesRequest) -> bytes:
    return b"\x08\x0a garbage"


LIES = (
    wrong_digest,
    wrong_proof,
    no_proof,
    too_few,
    too_many,
    other_leaves,
    other_start,
    another_kind,
    twice,
    garbage,
)


@pytest.mark.parametrize("lie", LIES)
async def test_a_liar_is_banned_and_an_honest_peer_gives_the_rest(lie: Lie) -> None:
    async with world() as w:
        node, liar = await reader(w), await w.stranger("liar", teller(lie))
        await w.connect(node, liar)
        fetching = asyncio.ensure_future(node.exchange.fetch_leaves(DATASET, soon()))
        await until(lambda: node.exchange.is_banned(liar.peer_id))
        honest = await w.node("honest", QUICK)
        honest.store.add(DATA, block_size=BLOCK)
        await w.connect(node, honest)
        await fetching
        assert await node.store.leaves(ROOT) == DIGESTS
        assert [ban.peer for ban in node.exchange.banned()] == [liar.peer_id]


async def test_a_lie_and_nobody_else_is_a_deadline_that_names_the_liar() -> None:
    async with world() as w:
        node, liar = await reader(w), await w.stranger("liar", teller(wrong_digest))
        await w.connect(node, liar)
        with pytest.raises(DeadlineExceeded, match="do not verify"):
            await node.exchange.fetch_leaves(DATASET, soon(0.3))
        assert await node.store.leaves(ROOT) is None


async def test_a_silent_peer_does_not_hold_up_the_list() -> None:
    async with world() as w:
        node, mute = await reader(w), await w.stranger("mute", teller(lambda _: None))
        await w.connect(node, mute)
        fetching = asyncio.ensure_future(node.exchange.fetch_leaves(DATASET, soon()))
        await asyncio.sleep(0.01)
        honest = await w.node("honest", QUICK)
        honest.store.add(DATA, block_size=BLOCK)
        await w.connect(node, honest)
        await fetching
        assert await node.store.leaves(ROOT) == DIGESTS
        assert node.exchange.banned() == []


async def test_what_came_before_the_deadline_is_kept() -> None:
    def tell(request: LeavesRequest) -> list[ExchangeMessage]:
        return [truth(request)] if request.start < 24 else []

    async with world() as w:
        node, peer = await reader(w), await w.stranger("teller", teller(tell))
        await w.connect(node, peer)
        fetching = asyncio.ensure_future(node.exchange.fetch_leaves(DATASET, soon(0.5)))
        await asyncio.sleep(0.25)
        explanation = node.exchange.explain(DATASET.manifest_cid)
        assert (explanation.missing_blocks, explanation.missing) == (26, [(24, 50)])
        assert [each.peer for each in explanation.peers] == [peer.peer_id]
        with pytest.raises(DeadlineExceeded, match="lacks 26 of 50"):
            await fetching
        assert list(await node.store.unknown_leaves(ROOT)) == [(24, 50)]


async def test_one_who_knows_too_little_says_so() -> None:
    async with world() as w:
        holder, node = await w.node("holder", QUICK), await reader(w)
        dataset = holder.store.register(DATASET.manifest_bytes)
        part = truth(LeavesRequest(1, ROOT, 8, 8))
        await holder.store.put_leaf_range(ROOT, 8, part.data, part.proof)
        await w.connect(node, holder)
        with pytest.raises(LeavesUnknown, match="NOT_HAVE"):
            await node.exchange.fetch_leaves(dataset, soon(0.2))


async def test_nodes_of_codex_cannot_give_a_list_and_the_error_says_what_that_means() -> None:
    async with world() as w:
        node = await w.node("reader", QUICK, blockexc=BlockexcLimits())
        node.store.register(DATASET.manifest_bytes)
        codex = await w.node("codex", QUICK, protocol="/other/1", blockexc=BlockexcLimits())
        codex.store.add(DATA, block_size=BLOCK)
        await w.connect(node, codex)
        with pytest.raises(LeavesUnknown, match="no lists of leaves: without one") as caught:
            await node.exchange.fetch_leaves(DATASET, soon(0.5))
        assert IDS[0] in caught.value.message
        assert node.exchange.banned() == []


async def test_a_store_that_cannot_take_it_ends_the_search(monkeypatch) -> None:
    async with world() as w:
        holder, node = await w.node("holder", QUICK), await reader(w)
        holder.store.add(DATA, block_size=BLOCK)
        await w.connect(node, holder)

        async def full(*_: object) -> None:
            raise DiskFull("no space left")

        monkeypatch.setattr(node.store, "put_leaf_range", full)
        with pytest.raises(DiskFull):
            await node.exchange.fetch_leaves(DATASET, soon())
        assert node.exchange.banned() == []


async def test_the_list_of_an_unknown_dataset_is_not_looked_for() -> None:
    async with world() as w:
        node = await w.node("reader", QUICK)
        with pytest.raises(BlockMissing):
            await node.exchange.fetch_leaves(DATASET, soon())


async def test_a_node_that_stops_ends_the_search() -> None:
    async with world() as w:
        node = await reader(w)
        fetching = asyncio.ensure_future(node.exchange.fetch_leaves(DATASET, soon()))
        await until(lambda: node.exchange.explain(DATASET.manifest_cid) is not None)
        await node.exchange.stop()
        with pytest.raises(PeerGone):
            await fetching
