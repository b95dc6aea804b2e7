"""What an aggregator promises to submit is checked against the chain, covered by its bond, sent
with others, and told as it turned out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from quire.base.errors import NotMined
from quire.formats.aggregator import AggregatorRequest
from quire.formats.aggregator_answers import PromiseAnswer
from quire.formats.aggregator_asking import AcceptSubmit, QuoteRequest, StatusRequest
from quire.formats.aggregator_codes import Code, Service, Stage
from support.period_kit import SLOTS
from support.submit_kit import PRICE, Fleet, Weak, run_fleet

Alter = Callable[[Fleet, AcceptSubmit], AcceptSubmit]


def altered(fleet: Fleet, alter: Alter) -> Callable[[AggregatorRequest], AggregatorRequest]:
    def change(request: AggregatorRequest) -> AggregatorRequest:
        if not isinstance(request.body, AcceptSubmit):
            return request
        return replace(request, body=alter(fleet, request.body))

    return change


def another_slot(fleet: Fleet, body: AcceptSubmit) -> AcceptSubmit:
    return replace(body, slot_id=bytes(32))


def stale_challenge(fleet: Fleet, body: AcceptSubmit) -> AcceptSubmit:
    return replace(body, challenge=b"c" * 32)


def last_period(fleet: Fleet, body: AcceptSubmit) -> AcceptSubmit:
    return replace(body, period=body.period - 5)


def next_period(fleet: Fleet, body: AcceptSubmit) -> AcceptSubmit:
    deadline = body.deadline + fleet.terms.period
    return replace(body, period=body.period + 1, deadline=deadline)


def bad_proof(fleet: Fleet, body: AcceptSubmit) -> AcceptSubmit:
    return replace(body, proof=b"p" * 256)


def little_time(fleet: Fleet, body: AcceptSubmit) -> AcceptSubmit:
    return replace(body, deadline=int(fleet.clock.now()) + 30)


@pytest.mark.parametrize(
    ("alter", "code", "words"),
    [
        (another_slot, Code.REFUSED, "does not host slot 0x000"),
        (stale_challenge, Code.BAD_PROOF, "it answers challenge 0x6363"),
        (last_period, Code.EXPIRED, "it is too late to promise it"),
        (next_period, Code.BUSY, "as this node sees it is in period"),
        (bad_proof, Code.BAD_PROOF, "the proof does not hold for slot"),
        (little_time, Code.EXPIRED, "it is too late to promise it"),
    ],
)
def test_nothing_is_promised_that_the_chain_does_not_bear_out(
    alter: Alter, code: Code, words: str
) -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        fleet.line.alter_request = altered(fleet, alter)
        [host] = await fleet.weak_hosts(1)
        await fleet.next_period(4)
        answers = fleet.answers(AcceptSubmit)
        assert {answer.code for answer in answers} == {code}
        assert words in answers[0].text
        assert gatherer.batches == []
        assert list(gatherer.aggregator.jobs) == []
        assert fleet.missed(host) == 0  # it submits itself

    run_fleet(story)


def test_a_host_that_has_appointed_nobody_is_told_so() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        [host] = await fleet.weak_hosts(1)

        async def yes(*_: object) -> bool:
            return True

        host.market.is_proof_delegate = yes  # so it thinks
        await fleet.next_period(3)
        answers = fleet.answers(AcceptSubmit)
        assert {answer.code for answer in answers} == {Code.NOT_DELEGATE}
        assert "call setProofDelegate first" in answers[0].text
        assert gatherer.batches == []
        assert fleet.missed(host) == 0

    run_fleet(story)


def test_one_bad_proof_in_a_batch_costs_the_others_nothing() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        checked: list[int] = []
        verify = gatherer.verify

        def counted(items, seed):
            checked.append(len(items))
            return verify(items, seed)

        gatherer.verify = counted
        hosts = await fleet.weak_hosts(4)
        liar = hosts[2].slots[0][0]
        fleet.line.alter_request = altered(
            fleet, lambda f, body: bad_proof(f, body) if body.slot_id == liar else body
        )
        await fleet.next_period(5)
        refused = [a for a in fleet.answers(AcceptSubmit) if a.code is Code.BAD_PROOF]
        assert refused
        assert sum(fleet.missed(host) for host in hosts) == 0
        assert [job for job in gatherer.aggregator.jobs if job.work.slot_id == liar] == []
        assert min(gatherer.batches) >= 12  # the others share transactions as before
        assert len(checked) < sum(checked)  # several were checked together

    run_fleet(story)


def test_what_turns_bad_after_it_was_promised_costs_the_others_nothing() -> None:
    """A host takes its appointment back while its proofs are gathered."""

    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        hosts = await fleet.weak_hosts(3, seconds=4.0)
        await fleet.next_period(2)

        def gathered(host: Weak) -> int:
            mine = host.market.account
            return sum(
                job.customer == mine and job.at is Stage.WORKING for job in gatherer.aggregator.jobs
            )

        await fleet.until(lambda: all(gathered(host) for host in hosts))
        await hosts[1].market.set_proof_delegate(gatherer.account, False)
        sent = len(gatherer.batches)
        await fleet.until(lambda: not any(gathered(host) for host in hosts))
        assert len(gatherer.batches) > sent  # the good ones
        failed = [job for job in gatherer.aggregator.jobs if job.at is Stage.FAILED]
        assert {job.customer for job in failed} == {hosts[1].market.account}
        assert "only the host" in failed[0].why
        await fleet.next_period(2)
        assert sum(fleet.missed(host) for host in hosts) == 0

    run_fleet(story)


def test_a_restart_finds_out_what_was_sent_before() -> None:
    """The transaction gets into the chain, and the aggregator dies before it hears of it."""

    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        [host] = await fleet.weak_hosts(1)
        plain = gatherer.market.submit_proofs
        sent: list[int] = []

        async def dies(proofs):
            if sent:
                return await plain(proofs)
            sent.append(len(proofs))
            await plain(proofs)
            raise NotMined("the connection is gone")

        gatherer.market.submit_proofs = dies
        await fleet.until(lambda: bool(sent), 10)
        await gatherer.die()
        await fleet.blocks(2)
        await gatherer.start()
        await fleet.next_period()
        await host.prover.stop()
        await fleet.quiet([host])
        assert set(host.ends()) == {"settled"}
        assert fleet.paid(host, gatherer) == len(host.ends()) * PRICE
        assert host.prover.counts.transactions == 0

    run_fleet(story)


def test_a_lost_answer_of_the_chain_is_found_out_too() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        for _ in range(3):
            gatherer.market.faults.lose_answer("submit_proofs", NotMined("no answer"))
        hosts = await fleet.weak_hosts(2)
        await fleet.next_period(5)
        for host in hosts:
            await host.prover.stop()
        await fleet.quiet(hosts)
        assert {end for host in hosts for end in host.ends()} == {"settled"}

    run_fleet(story)


def test_no_more_is_promised_than_the_bond_covers() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer(bond=30_000)  # of 100 000
        gatherer.mute()
        [host] = await fleet.weak_hosts(1)
        await fleet.until(lambda: len(fleet.answers(AcceptSubmit)) >= SLOTS, 10)
        await asyncio.sleep(20)
        answers = fleet.answers(AcceptSubmit)
        assert sum(isinstance(answer.body, PromiseAnswer) for answer in answers) == 3
        busy = [answer for answer in answers if answer.code is Code.BUSY]
        assert "does not cover a promise of 30000 more tokens" in busy[0].text
        await fleet.next_period(2)
        assert fleet.missed(host) == 0

    run_fleet(story)


def test_nothing_is_promised_without_gas_to_keep_it() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        hosts = await fleet.weak_hosts(2)
        await fleet.next_period(2)
        fleet.world.gas[gatherer.account] = 0
        await fleet.next_period(4)
        quote = AggregatorRequest(bytes(16), QuoteRequest(Service.SUBMIT))
        answer = await fleet.line.ask(hosts[0].peer, gatherer.peer, quote)
        assert answer.code is Code.NOT_OFFERED
        assert "nothing to pay for transactions with" in answer.text
        assert sum(fleet.missed(host) for host in hosts) == 0
        fleet.world.gas[gatherer.account] = 10**18
        sent = len(gatherer.batches)
        for host in hosts:
            host.choice.reports.clear()
        await fleet.next_period(4)
        assert len(gatherer.batches) > sent

    run_fleet(story)


def test_two_jobs_for_one_proof_are_one_too_many() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        gatherer.mute()
        await fleet.weak_hosts(1)
        await fleet.until(lambda: len(fleet.answers(AcceptSubmit)) >= SLOTS, 10)
        who, first, said = next(
            each for each in fleet.line.asked if isinstance(each[1].body, AcceptSubmit)
        )
        other = replace(first, job_id=b"another job 1234")
        answer = await fleet.line.ask(who, gatherer.peer, other)
        assert answer.code is Code.CONFLICT
        assert "was taken with another job" in answer.text
        assert await fleet.line.ask(who, gatherer.peer, first) == said  # the same promise
        changed = replace(first, body=replace(first.body, proof=b"p" * 256))
        assert (await fleet.line.ask(who, gatherer.peer, changed)).code is Code.CONFLICT

    run_fleet(story)


def test_slots_that_came_before_are_waited_for() -> None:
    """One host of four is slow: the others wait for its proofs, as long as there is time."""

    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        fast = await fleet.weak_hosts(3)
        slow = fleet.weak(seconds=5.0)
        await fleet.fill(slow)
        await slow.start()
        await fleet.next_period(2)
        begin = len(gatherer.batches)
        await fleet.next_period(5)
        sizes = gatherer.batches[begin:]
        assert sizes
        assert sum(sizes) / len(sizes) > 3 * SLOTS
        assert sum(fleet.missed(host) for host in [*fast, slow]) == 0

    run_fleet(story)


def test_a_reorganisation_brings_no_proof_to_nothing() -> None:
    async def story(fleet: Fleet) -> None:
        guard = fleet.guard()
        await guard.start()
        gatherer = await fleet.gatherer()
        hosts = await fleet.weak_hosts(2)
        for depth in (1, 3, 2, 4):
            await fleet.next_period()
            await fleet.blocks(4)
            fleet.world.reorganise(depth, loses_transactions=depth > 2)
        await fleet.next_period(2)
        assert sum(fleet.missed(host) for host in hosts) == 0
        assert guard.validator.counts.marked == 0
        assert gatherer.batches

    run_fleet(story)


def test_progress_is_told_in_words() -> None:
    async def story(fleet: Fleet) -> None:
        gatherer = await fleet.gatherer()
        gatherer.mute()
        await fleet.weak_hosts(1)
        await fleet.until(lambda: bool(fleet.answers(StatusRequest)), 10)
        said = fleet.answers(StatusRequest)[-1].body.words
        assert "gathered or on their way into the chain" in said

    run_fleet(story)
