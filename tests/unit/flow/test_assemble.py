"""A protected dataset is read with any K of its rows, and never wrongly."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from quire.base.errors import DeadlineExceeded
from quire.base.ranges import RangeSet
from quire.flow.decode import MalEncoded
from support.protected import protect
from support.row_holders import hold_rows, readers

MADE = protect(37, 4, 2)  # rows of 10; row 3 ends with three pads


async def test_with_all_data_rows_nothing_is_decoded() -> None:
    async with readers(MADE, [[0], [1], [2], [3], [4], [5]]) as it:
        assert await it.read() == MADE.data
        assert it.received_blocks() == 37
        assert "dataset.decoding" not in it.reader.kinds()


async def test_all_rows_come_at_once_from_the_hosts_that_have_them() -> None:
    made = protect(4000, 4, 2)
    async with readers(made, [[0], [1], [2], [3]]) as it:
        chunks = it.downloads.read(it.dataset)
        async with aclosing(chunks):
            taken = 0
            async for chunk in chunks:
                taken += len(chunk)
                if taken >= 900 * 4096:  # nearly all of row 0, nothing else
                    break

            def counts() -> list[int]:
                present = it.reader.store.tree(it.dataset.tree_root).present
                starts = [row * made.geometry.steps for row in range(1, 4)]
                return [present.within(start, start + 900).count() for start in starts]

            # The reader takes no more; what was asked beside is on its way.
            async with asyncio.timeout(20):
                while not all(count > 450 for count in counts()):
                    await asyncio.sleep(0.001)
        assert await it.read() == made.data


async def test_one_host_of_all_rows_is_asked_in_the_order_of_reading() -> None:
    made = protect(4000, 4, 2)
    async with readers(made, [[0, 1, 2, 3]]) as it:
        chunks = it.downloads.read(it.dataset)
        async with aclosing(chunks):
            async for _ in chunks:
                break
        present = it.reader.store.tree(it.dataset.tree_root).present
        assert not present.within(2 * made.geometry.steps, 4000)


@pytest.mark.parametrize(
    "alive",
    [(0, 1, 2, 4), (0, 1, 4, 5), (2, 3, 4, 5), (1, 3, 4, 5), (0, 2, 3, 5)],
)
async def test_any_k_rows_are_enough(alive: tuple[int, ...]) -> None:
    async with readers(MADE, [[row] for row in alive]) as it:
        assert await it.read() == MADE.data
        assert it.received_blocks() <= 40  # K rows, whatever is lost
        assert "dataset.decoding" in it.reader.kinds()


async def test_what_was_computed_stays() -> None:
    async with readers(MADE, [[0], [1], [3], [4]]) as it:
        assert await it.read() == MADE.data
        for holder in it.holders:
            await holder.exchange.stop()
            await holder.transport.stop(0.0)
        assert await it.read(idle=0.1) == MADE.data


async def test_a_part_of_a_lost_row_is_read_with_its_columns_alone() -> None:
    async with readers(MADE, [[0], [1], [3], [4], [5]]) as it:
        start, size = 24 * 4096 + 7, 2 * 4096
        assert await it.read(offset=start, length=size) == MADE.data[start : start + size]
        assert it.received_blocks() == 3 * 4  # three columns, four rows


async def test_the_reason_is_told() -> None:
    async with readers(MADE, [[0], [1], [3], [4], [5]]) as it:
        await it.read()
        told = [e.message for e in it.reader.events.history() if e.kind == "dataset.decoding"]
        assert told == ["row 2 has no holder; reading 4 of the 5 others"]
        assert it.assembler.explain(it.dataset.manifest_cid) == []  # it is over


async def test_fewer_than_k_rows_are_an_error_that_says_what_is_lacking() -> None:
    async with readers(MADE, [[0], [1], [4]]) as it:
        with pytest.raises(DeadlineExceeded) as caught:
            await it.read(idle=1.0)
        assert "rows 2, 3 and 5 have no holder" in caught.value.message
        assert "4 of the 6 rows are needed and only 3 can be had" in caught.value.message
        assert "peer-holder-0" in caught.value.message


async def test_damaged_blocks_are_computed_from_the_other_rows_without_any_peer() -> None:
    async with readers(MADE, []) as it:
        hold_rows(it.reader.store, MADE, range(6))
        root = it.dataset.tree_root
        it.reader.store.lose(root, 3, 5)
        it.reader.store.lose(root, 14, 15)
        assert await it.read(idle=0.2) == MADE.data
        assert it.reader.exchange.outlook(it.dataset) is None  # nobody was asked
        assert it.reader.store.tree(root).present.covers(0, 60)


async def test_parity_that_does_not_fit_is_an_error_that_names_the_column() -> None:
    made = protect(37, 4, 2, spoilt=[(4, 6)])
    async with readers(made, [[0], [1], [3], [4]]) as it:
        with pytest.raises(MalEncoded, match=r"column 6 .* row 2") as caught:
            await it.read(idle=5.0)
        assert caught.value.facts == {"column": 6, "row": 2}
        start = made.geometry.index(2, 0) * 4096
        part = await it.read(offset=start, length=6 * 4096)  # the columns before it are good
        assert part == made.data[start : start + 6 * 4096]


async def test_parity_that_does_not_fit_harms_nobody_who_has_the_data_rows() -> None:
    made = protect(37, 4, 2, spoilt=[(4, 6), (5, 0)])
    async with readers(made, [[0], [1], [2], [3], [4], [5]]) as it:
        assert await it.read() == made.data


async def test_rows_in_pieces_at_many_peers_do_too() -> None:
    made = protect(64, 4, 2)
    async with readers(made, [[], [], []]) as it:
        blocks = RangeSet([(0, 96)])
        blocks.remove(20, 24)  # nobody has these
        blocks.remove(40, 41)
        for at, holder in enumerate(it.holders):
            part = RangeSet([(i, i + 1) for a, b in blocks for i in range(a, b) if i % 3 == at])
            holder.store.add_protected(made.manifest, made.nodes, made.blocks, part)
        assert await it.read() == made.data


async def test_rows_may_lie_with_more_peers_than_a_plain_fetch_has() -> None:
    made = protect(60, 12, 8)
    alive = [row for row in range(20) if row not in (1, 4, 5, 11, 17, 19)]
    async with readers(made, [[row] for row in alive]) as it:
        assert await it.read(idle=10.0) == made.data
        assert it.received_blocks() <= 60
