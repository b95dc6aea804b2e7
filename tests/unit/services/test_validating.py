"""A validator marks what is missing in the first block of the window, and nothing else."""

from __future__ import annotations

import pytest

from quire.chain.terms import Extensions
from quire.chain.values import SlotState
from quire.market.validation import Share
from support.period_kit import SLOTS, Bench, Guard, Host, run_bench


async def a_dead_host(bench: Bench, requests: int = 1) -> Host:
    """Its slots are filled, and nothing of it runs."""
    host = bench.host()
    for _ in range(requests):
        await bench.fill(host)
    return host


def marking_times(bench: Bench, guard: Guard) -> list[int]:
    """Timestamps of the blocks with this validator's transactions."""
    return [
        block.head.timestamp
        for block in bench.world.blocks_after(0)
        for transaction in block.transactions
        if transaction.sender == guard.market.account and transaction.problem is None
    ]


@pytest.mark.parametrize("block_seconds", [4, 6, 7])
def test_a_dead_host_is_marked_in_the_first_block_of_each_window(block_seconds: int) -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        await guard.start()
        tokens = await guard.market.balance()
        host = await a_dead_host(bench, requests=4)
        await bench.next_period(5)
        times = marking_times(bench, guard)
        assert times
        for time in times:
            end = time - time % bench.terms.period
            before = [
                b.head.timestamp
                for b in bench.world.blocks_after(0)
                if end < b.head.timestamp < time
            ]
            is_first = not before
            assert is_first or len(before) <= 4  # left the downtime within the window
        assert any(time % bench.terms.period <= block_seconds for time in times)
        assert SlotState.FREE not in bench.states(host)
        assert bench.states(host).count(SlotState.REPAIR) == 4 * SLOTS
        assert guard.validator.counts.marked == 2 * 4 * SLOTS  # two misses cost a slot
        assert await guard.market.balance() > tokens
        await bench.next_period(2)
        assert len(guard.validator.slots) == 0  # what is not filled is not watched any more
        assert len(times) <= 6  # marks of one block are one transaction

    run_bench(story, block_seconds=block_seconds)


def test_without_a_validator_nobody_is_slashed_and_one_that_comes_back_goes_on() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        host = await a_dead_host(bench)
        await bench.next_period(4)
        assert bench.missed(host) == 0
        await guard.start()
        await bench.next_period(2)
        assert bench.missed(host) > 0
        await guard.die()
        missed = bench.missed(host)
        await bench.next_period(3)
        assert bench.missed(host) == missed
        states = bench.states(host)
        await guard.start()
        await bench.next_period(3)
        assert bench.states(host) != states
        assert set(bench.states(host)) == {SlotState.REPAIR}

    run_bench(story)


def test_a_host_that_proves_is_never_marked() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        await guard.start()
        host = bench.host()
        for _ in range(3):
            await bench.fill(host)
        await host.start()
        await bench.next_period(8)
        assert guard.validator.counts.checked >= 6 * 3 * SLOTS
        assert guard.validator.counts.marked == 0
        assert marking_times(bench, guard) == []

    run_bench(story)


def test_a_validator_that_was_away_knows_the_slots_that_were_filled_meanwhile() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        await guard.start()
        host = await a_dead_host(bench)
        await bench.blocks(2)
        assert len(guard.validator.slots) == SLOTS
        await guard.die()
        other = await a_dead_host(bench)
        await bench.blocks(10)
        await guard.start()
        await bench.blocks(1)
        assert set(guard.validator.slots.all()) == {s for s, _, _ in host.slots + other.slots}

    run_bench(story)


def test_a_slot_that_is_filled_again_is_watched_again() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        await guard.start()
        host = await a_dead_host(bench)
        while not guard.validator.counts.marked or len(guard.validator.slots):
            await bench.next_period()
        newcomer = bench.host()
        await bench.refill(newcomer, host)
        await bench.blocks(2)
        assert set(guard.validator.slots.all()) == {slot for slot, _, _ in newcomer.slots}

    run_bench(story)


def test_groups_share_the_slots() -> None:
    async def story(bench: Bench) -> None:
        guards = [bench.guard(Share(groups=3, group_index=i)) for i in range(3)]
        for guard in guards:
            await guard.start()
        host = await a_dead_host(bench, requests=4)
        await bench.next_period(5)
        marked = [guard.validator.counts.marked for guard in guards]
        assert sum(marked) == 2 * 4 * SLOTS
        assert min(marked) > 0
        assert sum(guard.validator.counts.beaten for guard in guards) == 0
        assert set(bench.states(host)) == {SlotState.REPAIR}

    run_bench(story)


def test_no_more_slots_are_watched_than_were_agreed_and_that_is_told() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard(Share(max_slots=7))
        await guard.start()
        await a_dead_host(bench, requests=2)
        await bench.blocks(2)
        assert len(guard.validator.slots) == 7
        assert guard.validator.slots.left_out == 2 * SLOTS - 7
        [told] = guard.messages("validator.full")[-1:]
        assert "3 slots are not watched" in told
        assert "validator-max-slots" in told

    run_bench(story)


def test_a_window_that_went_by_while_the_chain_was_out_of_reach_is_told() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        await guard.start()
        await a_dead_host(bench)
        await bench.next_period(2)
        guard.market.faults.is_unreachable = True
        await bench.next_period(3)
        guard.market.faults.is_unreachable = False
        await bench.next_period(2)
        assert guard.validator.counts.windows_missed >= 2
        assert guard.messages("validator.window-missed")
        assert guard.validator.counts.marked > 0

    run_bench(story)


def test_a_mark_that_a_reorganisation_took_is_made_again() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        await guard.start()
        host = await a_dead_host(bench)
        while bench.missed(host) == 0:
            await bench.blocks(1)
        missed = bench.missed(host)
        bench.world.reorganise(1, loses_transactions=True)
        assert bench.missed(host) == 0
        await bench.blocks(3)
        assert bench.missed(host) >= missed

    run_bench(story)


@pytest.mark.parametrize("extensions", [Extensions(31), Extensions(0)])
def test_rivals_do_not_keep_a_miss_from_being_marked(extensions: Extensions) -> None:
    async def story(bench: Bench) -> None:
        guards = [bench.guard() for _ in range(3)]
        for guard in guards:
            await guard.start()
        host = await a_dead_host(bench, requests=2)
        await bench.next_period(6)
        assert set(bench.states(host)) == {SlotState.REPAIR}
        for guard in guards:
            assert guard.validator.counts.windows_missed == 0
            assert guard.validator.spread_blocks >= 1

    run_bench(story, extensions=extensions)


def test_the_next_window_opens_when_the_present_period_is_over() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard(Share(max_slots=9, groups=2, group_index=1))
        await guard.start()
        await bench.blocks(2)
        assert guard.validator.slots.is_filled
        opens = bench.terms.period_end(bench.period) + 1
        assert guard.validator.next_window == (bench.period, opens)

    run_bench(story)
