"""Reading goes on with any K rows while peers are silent, lie, leave, and the disk fills up."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from quire.base.errors import DeadlineExceeded, QuotaExceeded
from quire.base.ranges import RangeSet
from quire.flow.download import AHEAD_PER_TAKEN, FIRST_AHEAD_BYTES, FIRST_PIECE_BYTES
from quire.formats.exchange import RangeReply, Status
from quire.net.exchange.leaf_hunt import LeavesUnknown
from support.exchange_nodes import QUICK, until
from support.protected import BLOCK, protect
from support.row_holders import hold_rows, readers

MADE = protect(40, 4, 2)  # rows of 10
PATIENT = replace(  # requests time out long after every test
    QUICK, late_first_seconds=0.1, timeout_min_seconds=60.0, timeout_first_seconds=60.0
)


def silence(_):
    return None


async def test_a_row_that_is_late_is_replaced() -> None:
    async with readers(MADE, [[0], [1], [3], [4], [5]], PATIENT) as it:
        silent = await it.stranger(2, silence)
        assert await it.read(idle=20.0) == MADE.data
        told = [e.message for e in it.reader.events.history() if e.kind == "dataset.decoding"]
        assert told[0] == "row 2 is late; reading 4 of the 5 others"
        assert it.received_blocks() <= 40
        assert not it.reader.exchange.banned()
        assert "fetch.peer-late" in it.reader.kinds()
        assert it.reader.exchange.ledger.of(silent).timeouts == 0


async def test_two_late_rows_are_replaced() -> None:
    async with readers(MADE, [[1], [3], [4], [5]], PATIENT) as it:
        for row in (0, 2):
            await it.stranger(row, silence)
        assert await it.read(idle=20.0) == MADE.data
        assert it.received_blocks() <= 40


async def test_a_late_row_among_those_that_were_asked_instead_is_replaced_too() -> None:
    async with readers(MADE, [[0], [1], [3], [5]], PATIENT) as it:
        await it.stranger(4, silence)  # row 2 has no holder, row 4 is the first to replace it
        assert await it.read(idle=20.0) == MADE.data


async def test_too_few_prompt_rows_wait_for_the_late_ones() -> None:
    async with readers(MADE, [[0], [1], [3]], PATIENT) as it:
        await it.stranger(2, silence)
        with pytest.raises(DeadlineExceeded, match="missing"):
            await it.read(idle=1.0)


async def test_a_lying_holder_is_banned_and_its_row_computed() -> None:
    def lie(request):
        data = bytes(request.count * 4096)
        return [RangeReply(request.id, Status.OK, request.start, b"", data)]

    async with readers(MADE, [[0], [1], [3], [4]]) as it:
        liar = await it.stranger(2, lie)
        assert await it.read() == MADE.data
        assert [ban.peer for ban in it.reader.exchange.banned()] == [liar]


async def test_a_holder_that_leaves_in_the_middle_is_replaced() -> None:
    made = protect(512, 4, 2)  # rows of half a megabyte
    async with readers(made, [[row] for row in range(6)]) as it:
        got = bytearray()
        async with aclosing(it.downloads.read(it.dataset, idle_seconds=10.0)) as chunks:
            got += await anext(chunks)
            await it.leave(it.holders[0])
            await it.leave(it.holders[3])
            async for chunk in chunks:
                got += chunk
        assert bytes(got) == made.data
        assert it.received_blocks() <= 512 + 4 * 16


async def test_a_reader_that_pauses_in_a_lost_row_holds_back_the_network() -> None:
    made = protect(4096, 4, 2, is_verifiable=False)  # rows of 4 MiB
    async with readers(made, [[0], [1], [3], [4]]) as it:
        start = made.geometry.index(2, 0) * BLOCK
        reading = it.downloads.read(it.dataset, offset=start, idle_seconds=10.0)
        async with aclosing(reading) as chunks:
            taken = len(await anext(chunks))
            await until(lambda: not it.reader.exchange.missing_blocks())
            await until(lambda: not it.reader.exchange.bytes_in_flight)
            ahead = FIRST_AHEAD_BYTES + AHEAD_PER_TAKEN * taken + 2 * FIRST_PIECE_BYTES
            assert it.received_blocks() <= 4 * ahead // BLOCK
            assert it.received_blocks() < made.geometry.total // 2


async def test_the_whole_is_fetched_with_any_k_rows_and_no_more_is_asked_for() -> None:
    async with readers(MADE, [[1], [3], [4], [5]]) as it:
        job = it.fetches.start(it.dataset.manifest_cid, 5.0)
        await until(lambda: job.has_ended)
        assert (job.state, job.error) == ("complete", None)
        present = it.reader.store.tree(it.dataset.tree_root).present
        assert present.covers(0, 40)
        assert it.received_blocks() == 40
        progress = job.job.progress()
        assert progress.verified_bytes == progress.total_bytes == len(MADE.data)


async def test_with_all_data_rows_a_fetch_leaves_the_parity_where_it_is() -> None:
    async with readers(MADE, [[row] for row in range(6)]) as it:
        job = it.fetches.start(it.dataset.manifest_cid, 5.0)
        await until(lambda: job.has_ended)
        assert job.state == "complete"
        assert it.reader.store.tree(it.dataset.tree_root).present == RangeSet([(0, 40)])


async def test_a_fetch_does_not_wait_for_a_silent_holder_at_its_end() -> None:
    async with readers(MADE, [[0], [1], [3], [4], [5]], PATIENT) as it:
        await it.stranger(2, silence)
        job = it.fetches.start(it.dataset.manifest_cid, 5.0)
        await until(lambda: job.has_ended, 20.0)
        assert (job.state, job.error) == ("complete", None)


async def test_a_fetch_with_too_few_rows_fails_and_tells_why() -> None:
    async with readers(MADE, [[0], [1], [4]]) as it:
        job = it.fetches.start(it.dataset.manifest_cid, 5.0)
        await until(lambda: job.has_ended)
        assert job.state == "failed"
        assert "rows 2, 3 and 5 have no holder" in job.error.message
        assert "only 3 can be had" in job.error.message


async def test_a_fetch_of_wrong_parity_fails_with_its_column() -> None:
    made = protect(40, 4, 2, spoilt=[(4, 6)])
    async with readers(made, [[0], [1], [3], [4]]) as it:
        job = it.fetches.start(it.dataset.manifest_cid, 5.0)
        await until(lambda: job.has_ended)
        assert (job.state, job.error.code) == ("failed", "mal-encoded")
        assert job.error.facts["column"] == 6


async def test_a_full_store_is_an_error_of_the_reader() -> None:
    async with readers(MADE, []) as it:
        blocks = RangeSet([(0, 12), (14, 60)])
        it.reader.store.add_protected(MADE.manifest, MADE.nodes, MADE.blocks, blocks)
        it.reader.store.put_problem = QuotaExceeded("the quota is full")
        with pytest.raises(QuotaExceeded):
            await it.read()


async def test_without_a_list_of_leaves_a_reader_waits_for_the_row_itself(monkeypatch) -> None:
    """What cannot be checked is not computed; that is no reason to give up what may still come."""

    async def unknown(dataset, deadline):
        raise LeavesUnknown("nobody who answered can give the list of leaves")

    async with readers(MADE, [[0], [1], [3], [4]]) as it:
        monkeypatch.setattr(it.reader.exchange, "fetch_leaves", unknown)
        with pytest.raises(DeadlineExceeded, match=r"computing them failed: .* list of leaves"):
            await it.read(idle=1.0)
        reading = asyncio.ensure_future(it.read(idle=10.0))
        await it.world.connect(it.reader, await late_holder(it, 2))
        assert await reading == MADE.data


async def late_holder(it, row):
    holder = await it.world.node(f"late-holder-{row}", QUICK)
    hold_rows(holder.store, MADE, [row])
    return holder


async def test_what_is_read_instead_is_explained_while_it_lasts() -> None:
    async with readers(MADE, [[0], [1], [3]], PATIENT) as it:
        for row in (2, 4):
            await it.stranger(row, silence)
        reading = asyncio.ensure_future(it.read(idle=20.0))
        cid = it.dataset.manifest_cid
        await until(lambda: bool(it.assembler.explain(cid)))
        assert it.assembler.explain(cid)[0] == "row 2 is late; reading 4 of the 5 others"
        await until(lambda: any("row 2" in w["reason"] for w in it.reader.waits.of(str(cid))))
        reading.cancel()
        await asyncio.wait([reading])
        assert it.reader.waits.of() == []
