"""A fetch tells whom it asked, what each said last, what is missing, and what comes next."""

from __future__ import annotations

import asyncio

from quire.base.ranges import RangeSet
from quire.formats.cid import manifest_cid
from quire.formats.exchange import (
    BlockReply,
    BlockRequest,
    HaveReply,
    HaveRequest,
    Status,
    decode_message,
)
from quire.net.exchange.explain import ANSWERS_MAX, Answers
from quire.store.dataset import RetentionRoot
from support.exchange_nodes import QUICK, soon, until, world
from support.memory_store import random_bytes

LEAVES = 40


async def test_the_last_answers_and_the_missing_blocks_of_a_fetch_are_told():
    async with world() as w:
        seed, host = await w.node("seed"), await w.node("host", QUICK)
        dataset = seed.store.add(random_bytes(LEAVES * 4096), block_size=4096)

        async def half(channel):
            """Says that it has the first half, and never delivers."""
            while True:
                message = decode_message(await channel.receive())
                if isinstance(message, HaveRequest):
                    has = RangeSet([(0, LEAVES // 2)])
                    reply = HaveReply(message.id, Status.OK, LEAVES, has, 4096)
                    await channel.send(*reply.segments())

        async def nothing(channel):
            while True:
                message = decode_message(await channel.receive())
                if isinstance(message, HaveRequest):
                    await channel.send(*HaveReply(message.id, Status.NOT_HAVE).segments())

        slow, poor = await w.stranger("slow", half), await w.stranger("poor", nothing)
        await w.connect(host, slow, poor)
        await host.store.put_manifest(dataset.manifest_bytes, RetentionRoot("cache", "test", None))
        job = host.exchange.fetch(dataset)

        def both_answered():
            state = host.exchange.explain(dataset.manifest_cid)
            told = {p.peer: p for p in state.peers} if state else {}
            return {slow.peer_id, poor.peer_id} <= {p for p in told if told[p].last_answer}

        await until(both_answered)
        state = host.exchange.explain(dataset.manifest_cid)
        peers = {peer.peer: peer for peer in state.peers}
        assert state.missing_blocks == LEAVES
        assert state.missing == [(0, LEAVES)]
        assert "does not have it" in peers[poor.peer_id].last_answer
        assert peers[poor.peer_id].has_blocks is None
        assert any("given up" in timer.what for timer in state.timers)
        assert [t.in_seconds for t in state.timers] == sorted(t.in_seconds for t in state.timers)
        assert peers[slow.peer_id].last_answer
        job.cancel()


async def test_a_search_for_a_manifest_tells_whom_it_asked():
    async with world() as w:
        host = await w.node("host", QUICK)

        async def never(channel):
            while True:
                message = decode_message(await channel.receive())
                if isinstance(message, BlockRequest):
                    await channel.send(*BlockReply(message.id, Status.NOT_HAVE).segments())

        other = await w.stranger("other", never)
        await w.connect(host, other)
        cid = manifest_cid(b"nobody has this")
        search = asyncio.create_task(host.exchange.fetch_manifest(cid, soon()))

        def answered():
            state = host.exchange.explain(cid)
            return state is not None and any(p.last_answer for p in state.peers)

        await until(answered)
        (peer,) = host.exchange.explain(cid).peers
        assert peer.peer == other.peer_id
        assert "NOT_HAVE" in peer.last_answer
        search.cancel()
        await asyncio.wait([search])
        assert host.exchange.explain(cid) is None


def test_only_the_newest_answers_are_remembered():
    answers = Answers()
    for number in range(ANSWERS_MAX + 10):
        answers.note(f"peer{number}", "no", float(number))
    answers.note("peer20", "yes", 99.0)
    assert len(list(answers)) == ANSWERS_MAX
    assert answers.of("peer0") is None
    assert answers.of("peer20").text == "yes"
    assert list(answers)[-1][0] == "peer20"
