"""A host's slots are proved in time, through crashes, re-organisations and lost connections."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from quire.base.errors import BlockMissing, NotFound, NotMined, Reverted
from quire.chain.terms import NO_EXTENSIONS
from quire.chain.values import SlotState
from quire.market.period_plan import entropy_of
from quire.services.proof_duty import RECORD
from support.period_kit import SLOTS, Bench, a_host_with_slots, run_bench


def submissions(bench: Bench) -> Counter[tuple[int, bytes]]:
    """How often each slot was proved in each period; fills count as well."""
    return Counter((bench.terms.period_of(at), slot) for at, slot in bench.proved())


def refused(bench: Bench) -> list[object]:
    """Transactions that the contract refused."""
    blocks = bench.world.blocks_after(0)
    return [t.problem for block in blocks for t in block.transactions if t.problem is not None]


def test_fifty_slots_of_one_host_are_proved_in_every_period() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        host = await a_host_with_slots(bench, requests=10)
        await guard.start()
        await bench.next_period(6)
        counts = host.prover.counts
        assert counts.submitted > 100
        assert (counts.late, counts.missed, bench.missed(host)) == (0, 0, 0)
        assert set(bench.states(host)) == {SlotState.FILLED}
        assert counts.transactions < counts.submitted / 5  # in batches
        assert counts.margin_seconds > 0
        assert set(submissions(bench).values()) == {1}
        assert refused(bench) == []
        assert guard.validator.counts.windows >= 4
        assert guard.validator.counts.marked == 0

    run_bench(story)


def test_all_slots_are_asked_about_in_one_call_a_period() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench, requests=4)
        await bench.next_period()
        asked: list[int] = []
        plain = host.market.proof_statuses

        async def counted(ids):
            asked.append(len(ids))
            return await plain(ids)

        host.market.proof_statuses = counted
        await bench.next_period(5)
        assert asked == [4 * SLOTS] * 5

    run_bench(story, block_seconds=7)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("block_seconds", [3, 5, 11])
def test_no_proof_is_for_a_block_of_its_own_period(seed: int, block_seconds: int) -> None:
    """So none is for a pointer that has wrapped; and none that is sent is refused."""

    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench, requests=3)
        await bench.next_period(6)
        blocks = bench.world.blocks_after(0)
        made_of = {entropy_of(bench.challenge_of(b)): b for b in range(-1000, len(blocks) + 300)}
        for ask, at in zip(host.proofs.asked, host.proofs.asked_at, strict=True):
            period = bench.terms.period_of(int(at) + block_seconds)  # of the next block
            times = [b.head for b in blocks]
            first = next(h.number for h in times if bench.terms.period_of(h.timestamp) == period)
            assert made_of[ask.entropy] < first
        assert len(host.proofs.asked) > 20
        assert refused(bench) == []
        assert host.prover.counts.late == 0

    run_bench(story, seed=seed, block_seconds=block_seconds)


def test_a_node_that_starts_in_mid_period_sends_nothing_twice_and_forgets_nothing() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        host = await a_host_with_slots(bench, requests=2, seconds=5.0)
        await guard.start()
        await bench.next_period()
        for _ in range(8):  # several lives in every period
            await bench.blocks(7)
            await host.die()
            await host.start()
        await bench.next_period()
        assert set(submissions(bench).values()) == {1}
        assert refused(bench) == []
        assert (bench.missed(host), set(bench.states(host))) == (0, {SlotState.FILLED})
        assert guard.validator.counts.windows >= 2
        noted = await host.journal.read(RECORD)
        assert noted.keys() <= {"0x" + slot.hex() for slot, _, _ in host.slots}
        histories = [await host.journal.history(RECORD, key) for key in noted]
        assert all("is in the chain" in note.note for notes in histories for note in notes)
        assert sum(map(len, histories)) >= 8

    run_bench(story)


@pytest.mark.parametrize("is_lost", [True, False])
def test_proofs_that_a_reorganisation_took_are_in_the_chain_again(is_lost: bool) -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench, requests=2)
        guard = bench.guard()
        await guard.start()
        await bench.next_period()
        await bench.next_period()
        await bench.blocks(4)
        proved = len(bench.proved())
        assert host.prover.counts.submitted > 0
        bench.world.reorganise(3, loses_transactions=is_lost)
        assert (len(bench.proved()) < proved) == is_lost
        await bench.blocks(8)
        assert len(bench.proved()) >= proved
        await bench.next_period(2)
        assert set(submissions(bench).values()) == {1}
        assert bench.missed(host) == guard.validator.counts.marked == 0
        assert "proof.again" in host.kinds() or not is_lost
        assert refused(bench) == []

    run_bench(story)


def test_a_challenge_that_a_reorganisation_changed_is_proved_anew() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench, requests=4)
        for _ in range(6):
            await bench.next_period()
            await bench.blocks(3)
            bench.world.reorganise(12, loses_transactions=True)
        await bench.next_period()
        await bench.blocks(6)
        assert bench.missed(host) == 0
        assert set(submissions(bench).values()) == {1}

    run_bench(story)


def test_a_chain_that_cannot_be_reached_for_a_while_costs_nothing() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench)
        guard = bench.guard()
        await guard.start()
        for _ in range(4):
            await bench.blocks(14)
            host.market.faults.is_unreachable = True
            await bench.blocks(11)
            host.market.faults.is_unreachable = False
        await bench.next_period()
        assert guard.validator.counts.windows > 2
        assert (bench.missed(host), host.prover.counts.late) == (0, 0)
        assert host.prover.counts.submitted > 3

    run_bench(story)


def test_a_transaction_whose_answer_was_lost_is_not_sent_twice() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench)
        await bench.next_period()
        for _ in range(4):
            host.market.faults.lose_answer("submit_proofs", NotMined("it is in no block yet"))
            await bench.next_period()
        await bench.blocks(8)
        assert host.prover.counts.submitted == len(bench.proved()) - SLOTS  # without the fills
        assert set(submissions(bench).values()) == {1}
        assert refused(bench) == []
        assert host.prover.counts.late == 0

    run_bench(story)


def test_a_refused_batch_is_sent_proof_by_proof() -> None:
    """One slot is not the host's any more; the others do not suffer."""

    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench)
        await bench.next_period()
        await bench.blocks(3)
        host.market.faults.refuse("submit_proofs", Reverted("no", name="Proofs_InvalidProof"))
        await bench.next_period()
        host.market.faults.refuse("submit_proofs", Reverted("no", name="Proofs_InvalidProof"))
        await bench.next_period(2)
        assert host.prover.counts.late == 0
        assert host.prover.counts.transactions > 2
        assert set(submissions(bench).values()) == {1}

    run_bench(story)


def test_a_contract_without_batches_gets_single_proofs() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench)
        await bench.next_period(4)
        counts = host.prover.counts
        assert counts.transactions == counts.submitted > 5
        assert refused(bench) == []

    run_bench(story, extensions=NO_EXTENSIONS)


def test_a_lost_block_is_told_and_the_proof_made_when_it_is_back() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench)
        host.proofs.problems = [BlockMissing("block 7 is not here")] * 6
        await bench.next_period(3)
        assert any("get it back: block 7" in told for told in host.messages("proof.at-risk"))
        assert host.prover.counts.late == 0

    run_bench(story)


def test_a_slot_whose_data_is_gone_is_at_risk_and_its_misses_are_told() -> None:
    async def story(bench: Bench) -> None:
        guard = bench.guard()
        await guard.start()
        host = await a_host_with_slots(bench)
        host.has_data = False
        await bench.next_period(2)
        slot = host.slots[0][0]
        await bench.next_period(3)
        told = host.messages("proof.at-risk")
        assert any("is not on this node any more" in each for each in told)
        assert any("1 missed proofs are marked; 2 of them cost the slot" in e for e in told)
        assert host.prover.counts.late > 0
        assert host.prover.counts.missed > 0
        assert "missed" in host.prover.state(slot)

    run_bench(story)


def test_a_proof_that_takes_too_long_is_told_before_it_is_late() -> None:
    async def story(bench: Bench) -> None:
        host = bench.host(seconds=70.0)
        await bench.fill(host)
        host.slots = host.slots[:1]
        await host.start()
        await bench.next_period(4)
        assert any("took 70.0 s of a period of 120 s" in e for e in host.messages("proof.at-risk"))

    run_bench(story)


def test_proofs_that_nobody_wants_any_more_are_not_made() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench, seconds=30.0)
        await bench.next_period()
        while not host.proofs.waiting_count:
            await bench.next_period()
        for slot, _, _ in host.slots:
            host.prover.unwatch(slot)
        await bench.blocks(1)
        assert host.proofs.waiting_count == 0

    run_bench(story)


def test_more_slots_than_can_be_proved_are_told_at_the_start_of_the_period() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench, requests=4, seconds=8.0)
        await bench.next_period(4)
        assert any(
            "proofs of 8.0 s, 1 at a time, need" in e for e in host.messages("proof.overload")
        )
        assert host.prover.counts.late > 0
        assert host.prover.counts.submitted > 20  # as many as can be

    run_bench(story)


def test_what_is_not_watched_any_more_is_not_proved() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench)
        await bench.next_period(2)
        first = host.slots[0][0]
        host.prover.unwatch(first)
        host.prover.unwatch(first)
        before = sum(slot == first for _, slot in bench.proved())
        await bench.next_period(4)
        assert sum(slot == first for _, slot in bench.proved()) == before
        assert first not in host.prover.watched
        with pytest.raises(NotFound, match=first.hex()):
            host.prover.state(first)

    run_bench(story)


def test_the_state_of_a_slot_says_what_is_awaited_and_what_was_sent() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench)
        slot = host.slots[0][0]
        assert host.prover.state(slot)["state"] == "idle"
        seen = set()
        for _ in range(60):
            await bench.blocks(1)
            state = host.prover.state(slot)
            seen.add(state["state"])
            assert state["nextPeriodAt"] > bench.world.head.timestamp
        assert {"waiting", "submitted"} <= seen
        said = " ".join(host.prover.words(slot))
        assert "The next period begins at" in said
        assert "before the period's end" in said
        assert host.prover.words(bytes(32)) == []
        assert state["lastProof"]["marginSeconds"] > 0

    run_bench(story)


def test_the_host_is_bound_into_its_proofs_only_where_the_contract_asks_it() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench)
        await bench.next_period(2)
        await asyncio.sleep(60)
        assert {ask.host for ask in host.proofs.asked} == {host.market.account}

    run_bench(story)


def test_a_slot_that_the_contract_does_not_answer_for_costs_the_others_nothing() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench, requests=2)
        plain, bad = host.market.proof_statuses, host.slots[3][0]

        async def choosy(ids):
            if bad in ids:
                raise Reverted("it is not filled", name="Marketplace_SlotIsFree")
            return await plain(ids)

        host.market.proof_statuses = choosy
        await bench.next_period(4)
        await bench.blocks(8)
        proved = Counter(slot for _, slot in bench.proved())
        assert proved[bad] == 1  # when it was filled
        assert min(proved[slot] for slot, _, _ in host.slots if slot != bad) >= 3
        assert host.prover.state(bad)["required"] is False

    run_bench(story)


def test_a_jump_of_the_chain_s_time_costs_no_more_than_the_periods_it_skips() -> None:
    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench)
        guard = bench.guard()
        await guard.start()
        for _ in range(3):
            await bench.next_period(1)
            await bench.blocks(2)
            bench.world.set_time(bench.world.head.timestamp + 400)
            await bench.blocks(1)
        before = host.prover.counts.submitted
        await bench.next_period(3)
        assert host.prover.counts.submitted > before
        assert guard.validator.counts.windows_missed > 0
        assert bench.missed(host) <= 3 * SLOTS
        assert set(bench.states(host)) == {SlotState.FILLED}

    run_bench(story)


@pytest.mark.parametrize("downtime", [0, 10])
def test_nothing_is_missed_on_a_chain_that_is_too_fast_for_its_downtime(downtime: int) -> None:
    """Pointers wrap and are asked about again in the same period."""

    async def story(bench: Bench) -> None:
        host = await a_host_with_slots(bench, requests=3, seconds=0.05)
        guard = bench.guard()
        await guard.start()
        await bench.next_period(30)
        assert (bench.missed(host), host.prover.counts.missed) == (0, 0)
        assert set(bench.states(host)) == {SlotState.FILLED}
        assert guard.validator.counts.checked >= 25 * 3 * SLOTS
        assert host.prover.counts.submitted > 20 * 3 * SLOTS

    run_bench(story, block_seconds=1, period=12, timeout=5, downtime=downtime)
