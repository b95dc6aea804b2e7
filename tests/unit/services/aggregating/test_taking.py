"""Jobs are taken once, answered as often as they are asked about, and outlive a restart."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quire.aggregation.values import Service
from quire.base.errors import BlockMissing, Refused
from quire.formats.aggregator_answers import (
    EncodedAnswer,
    Progress,
    PromiseAnswer,
    ProofAnswer,
    SubmittedAnswer,
)
from quire.formats.aggregator_asking import Cancel, Dispute, Release, StatusRequest
from quire.formats.aggregator_codes import Code, Reason, Stage
from support.aggregator_kit import JOB, PROOF, WORD, scene

RESULTS = {
    Service.ENCODE: EncodedAnswer(b"receipt", b"r" * 65),
    Service.PROVE: ProofAnswer(PROOF),
    Service.SUBMIT: SubmittedAnswer(WORD, 77),
}


@pytest.mark.parametrize("service", Service)
async def test_a_job_is_done_once_and_its_result_is_told_as_often_as_it_is_asked(service):
    async with scene() as at:
        at.doer.may_end.set()
        body = await at.patron.order(service)
        await at.patron.ask(JOB, body)
        await at.place.until(Stage.READY)
        for _ in range(2):
            for again in (body, StatusRequest()):
                answer = await at.patron.ask(JOB, again)
                assert (answer.code, answer.body) == (Code.OK, RESULTS[service])
        assert at.doer.begun == [JOB.hex()]
        assert len(at.doer.accepted) == 1


async def test_a_proof_is_the_answer_to_its_accept_when_it_is_made():
    async with scene() as at:
        body = await at.patron.order(Service.PROVE)
        asking = asyncio.ensure_future(at.patron.ask(JOB, body))
        async with asyncio.timeout(10):
            while not at.doer.begun:
                await asyncio.sleep(0.005)
        progress = (await at.patron.ask(JOB, StatusRequest())).body
        assert progress == Progress(Stage.WORKING, 250, "a quarter of it")
        assert not asking.done()
        at.doer.may_end.set()
        assert (await asking).body == ProofAnswer(PROOF)


async def test_a_submission_is_promised_at_once_and_told_when_it_is_in_the_chain():
    async with scene() as at:
        body = await at.patron.order(Service.SUBMIT)
        promise = PromiseAnswer(500, b"s" * 65)
        for _ in range(2):
            assert (await at.patron.ask(JOB, body)).body == promise
        status = (await at.patron.ask(JOB, StatusRequest())).body
        assert isinstance(status, Progress)
        at.doer.may_end.set()
        await at.place.until(Stage.READY)
        assert (await at.patron.ask(JOB, body)).body == SubmittedAnswer(WORD, 77)


async def test_two_accepts_of_one_job_at_the_same_time_begin_it_once():
    async with scene() as at:
        at.doer.may_end.set()
        body = await at.patron.order(Service.ENCODE)
        answers = await asyncio.gather(*(at.patron.ask(JOB, body) for _ in range(4)))
        assert [answer.code for answer in answers] == [Code.OK] * 4
        assert len(at.doer.accepted) == 1


@pytest.mark.parametrize("service", Service)
async def test_after_a_restart_work_goes_on_and_results_are_still_told(service):
    async with scene() as at:
        body = await at.patron.order(service)
        asking = asyncio.ensure_future(at.patron.ask(JOB, body))
        async with asyncio.timeout(10):
            while not at.doer.begun:
                await asyncio.sleep(0.005)
        await at.place.close()
        await asyncio.wait([asking])
        asking.exception()  # PROVE: the connection ended under it
        at.doer.may_end.set()
        await at.place.open()
        assert (await at.patron.ask(JOB, body)).code is Code.OK
        await at.place.until(Stage.READY)
        assert len(at.doer.begun) == 2
        await at.place.close()
        await at.place.open()
        assert (await at.patron.ask(JOB, body)).body == RESULTS[service]
        assert len(at.doer.begun) == 2


async def test_what_trying_again_may_help_is_tried_again_and_the_rest_fails_in_words():
    async with scene() as at:
        at.doer.may_end.set()
        at.doer.error = BlockMissing("nobody has it")
        body = await at.patron.order(Service.ENCODE)
        assert (await at.patron.ask(JOB, body)).code is Code.OK
        async with asyncio.timeout(10):
            while len(at.doer.begun) < 2:
                await asyncio.sleep(0.01)
        at.doer.error = Refused("its blocks are of another size")
        await at.place.until_dropped()
        for again in (body, StatusRequest()):
            answer = await at.patron.ask(JOB, again)
            words = "its blocks are of another size"
            assert (answer.code, answer.body) == (Code.OK, Progress(Stage.FAILED, 0, words))
        assert at.doer.dropped == [JOB.hex()]


async def test_a_job_that_is_not_done_by_its_deadline_fails_and_is_let_go():
    async with scene() as at:
        await at.patron.ask(JOB, await at.patron.order(Service.ENCODE))
        at.place.advance(3601)
        job = await at.place.until_dropped()
        assert (job.at, job.why) == (Stage.FAILED, "it was not done by its deadline")


async def test_a_job_may_be_cancelled_while_it_is_worked_on():
    async with scene() as at:
        await at.patron.ask(JOB, await at.patron.order(Service.ENCODE))
        for _ in range(2):
            answer = await at.patron.ask(JOB, Cancel())
            assert isinstance(answer.body, Progress)
            assert answer.body.stage is Stage.CANCELLED
        await at.place.until_dropped()
        assert at.doer.dropped == [JOB.hex()]


async def test_a_dispute_ends_a_job_and_is_told_to_the_operator():
    async with scene() as at:
        await at.take(Service.ENCODE)
        said = Dispute(Reason.PARITY, "block 3 of row 5", 3, b"evidence")
        answer = await at.patron.ask(JOB, said)
        assert isinstance(answer.body, Progress)
        assert answer.body.stage is Stage.DISPUTED
        job = await at.place.until_dropped()
        assert (job.reason, job.why) == (Reason.PARITY, "block 3 of row 5")
        told = [e for e in at.place.events.history() if e.kind == "aggregator.disputed"]
        assert len(told) == 1
        assert "PARITY, column 3: block 3 of row 5" in told[0].message
        assert at.place.income.due(at.patron.account) == 0


async def test_after_the_end_nothing_can_be_changed_any_more():
    async with scene() as at:
        await at.take(Service.PROVE)
        await at.patron.pay(70)
        assert (await at.patron.ask(JOB, Release(0))).code is Code.OK
        await at.place.until_dropped()
        for body in (Cancel(), Dispute(Reason.PROOF, "no"), Release(0)):
            answer = await at.patron.ask(JOB, body)
            assert isinstance(answer.body, Progress), answer
            assert (answer.code, answer.body.stage) == (Code.OK, Stage.SETTLED)
        assert (await at.patron.ask(JOB, StatusRequest())).body == ProofAnswer(PROOF)


async def test_when_the_journal_is_full_nothing_is_begun_and_what_was_kept_is_dropped():
    async with scene() as at:
        body = await at.patron.order(Service.ENCODE)
        await at.place.aggregator.jobs.machines.stop()
        answer = await at.patron.ask(JOB, body)
        assert answer.code is Code.BUSY
        assert at.place.aggregator.jobs.find(JOB) is None
        assert at.doer.dropped == [JOB.hex()]
        assert replace(answer, text="").retry_after_ms == 1000
