"""What an aggregator does not do is refused in words, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from quire.aggregation.values import Service
from quire.base.errors import Bug, ChainUnreachable, PeerRefused, QuotaExceeded
from quire.formats.aggregator import AggregatorAnswer, decode_answer
from quire.formats.aggregator_asking import (
    AcceptEncode,
    Cancel,
    Dispute,
    PushBlocks,
    Release,
    Seal,
    StatusRequest,
)
from quire.formats.aggregator_codes import Code, Reason, Stage
from quire.services.aggregating.settings import AggregatorLimits
from quire.services.refusals import MOST
from support.aggregator_kit import (
    HOUR,
    JOB,
    OTHER_KEY,
    PROTOCOL,
    SECOND,
    SETTINGS,
    THIRD,
    Scene,
    scene,
)


def assert_nothing_was_taken(at: Scene) -> None:
    assert not list(at.place.aggregator.jobs)
    assert not at.doer.begun


async def test_an_offer_that_does_not_hold_is_refused():
    async with scene() as at:
        body = await at.patron.order(Service.PROVE)
        unknown = replace(body, customer=replace(body.customer, offer_hash=bytes(32)))
        answer = await at.patron.ask(JOB, unknown)
        assert (answer.code, "ask for another" in answer.text) == (Code.PRICE, True)
        at.place.advance(601)
        late = replace(body, deadline=at.place.now + HOUR)
        assert (await at.patron.ask(JOB, late)).code is Code.PRICE
        again = await at.patron.order(Service.PROVE)
        await at.place.close()
        await at.place.open()
        assert (await at.patron.ask(JOB, again)).code is Code.PRICE
        assert_nothing_was_taken(at)


async def test_an_offer_of_another_service_is_refused():
    async with scene() as at:
        body = await at.patron.order(Service.PROVE)
        other = AcceptEncode(body.customer, None, body.deadline)
        answer = await at.patron.ask(JOB, other)
        assert (answer.code, "one of PROVE" in answer.text) == (Code.PRICE, True)
        assert_nothing_was_taken(at)


async def test_deadlines_that_are_over_or_too_far_away_are_refused_with_numbers():
    async with scene() as at:
        body, now = await at.patron.order(Service.PROVE), at.place.now
        answer = await at.patron.ask(JOB, replace(body, deadline=now))
        assert (answer.code, f"it is {now}" in answer.text) == (Code.EXPIRED, True)
        far = now + 7 * 86400 + 100
        answer = await at.patron.ask(JOB, replace(body, deadline=far))
        assert (answer.code, f"{now + 7 * 86400}"[:8] in answer.text) == (Code.REFUSED, True)
        assert_nothing_was_taken(at)


async def test_nobody_runs_up_debts_in_anothers_name():
    async with scene() as at:
        body = await at.patron.order(Service.PROVE)
        stranger = await at.place.patron(OTHER_KEY)
        answer = await stranger.ask(JOB, body)  # an introduction of another peer
        assert (answer.code, "introduction" in answer.text) == (Code.REFUSED, True)
        assert_nothing_was_taken(at)


async def test_a_channel_without_room_is_refused_with_the_sum_that_it_needs():
    async with scene() as at:
        poor = await at.place.patron(OTHER_KEY, deposit=100)
        answer = await poor.ask(JOB, await poor.order(Service.ENCODE))
        assert (answer.code, "room for 1000 tokens" in answer.text) == (Code.NOT_FUNDED, True)
        asking = asyncio.ensure_future(poor.ask(SECOND, await poor.order(Service.PROVE)))
        async with asyncio.timeout(10):
            while not at.doer.begun:
                await asyncio.sleep(0.005)
        answer = await poor.ask(THIRD, await poor.order(Service.SUBMIT))
        assert (answer.code, "room for 110 tokens" in answer.text) == (Code.NOT_FUNDED, True)
        at.doer.may_end.set()
        await asking
        await poor.pay(70)  # what was paid ahead of its release makes room
        answer = await poor.ask(THIRD, await poor.order(Service.SUBMIT))
        assert answer.code is Code.NOT_FUNDED  # 70 and 40 are more than 100
        assert (await poor.ask(SECOND, Release(0))).code is Code.OK


async def test_what_was_paid_ahead_is_not_asked_for_twice():
    async with scene() as at:
        poor = await at.place.patron(OTHER_KEY, deposit=110)
        at.doer.may_end.set()
        await poor.ask(JOB, await poor.order(Service.PROVE))
        await poor.pay(70)  # its release is on its way
        assert (await poor.ask(SECOND, await poor.order(Service.SUBMIT))).code is Code.OK


@pytest.mark.parametrize(
    ("settings", "limits", "service", "words"),
    [
        (replace(SETTINGS, jobs=1), {}, Service.ENCODE, "1 jobs are being worked on here"),
        (SETTINGS, {"customer_works": 1}, Service.ENCODE, "1 of your jobs are being worked on"),
        (SETTINGS, {"customer_jobs": 1}, Service.SUBMIT, "1 of your jobs are under way"),
    ],
)
async def test_there_are_limits_to_what_is_under_way(settings, limits, service, words):
    async with scene(settings=settings, limits=AggregatorLimits(**limits)) as at:
        assert (await at.patron.ask(JOB, await at.patron.order(service))).code is Code.OK
        answer = await at.patron.ask(SECOND, await at.patron.order(service))
        assert (answer.code, answer.retry_after_ms) == (Code.BUSY, 10_000)
        assert words in answer.text
        await at.patron.ask(JOB, Cancel())
        await at.place.until_dropped()
        assert (await at.patron.ask(SECOND, await at.patron.order(service))).code is Code.OK


async def test_limits_hold_for_jobs_that_come_at_the_same_moment():
    async with scene(limits=AggregatorLimits(customer_works=2)) as at:
        body = await at.patron.order(Service.ENCODE)
        ids = [bytes([number]) * 16 for number in range(6)]
        answers = await asyncio.gather(*(at.patron.ask(each, body) for each in ids))
        codes = sorted(answer.code for answer in answers)
        assert codes == [Code.OK] * 2 + [Code.BUSY] * 4
        assert len(list(at.place.aggregator.jobs)) == 2


@pytest.mark.parametrize("is_disputed", [True, False])
async def test_who_did_not_pay_is_not_served_again_until_a_while_has_passed(is_disputed):
    async with scene() as at:
        await at.take(Service.ENCODE)
        if is_disputed:
            await at.patron.ask(JOB, Dispute(Reason.PARITY, "so I say"))
        at.place.advance(3601)
        await at.place.until_dropped()
        neighbour = await at.place.patron(OTHER_KEY)
        body = await at.patron.order(Service.PROVE)
        answer = await at.patron.ask(SECOND, body)
        assert (answer.code, "not paid; come back in" in answer.text) == (Code.BUSY, True)
        assert 3_500_000 < answer.retry_after_ms <= 3_601_000
        assert (await neighbour.ask(THIRD, await neighbour.order(Service.PROVE))).code is Code.OK
        at.place.advance(3601)
        body = await at.patron.order(Service.PROVE)
        assert (await at.patron.ask(SECOND, body)).code is Code.OK


async def test_who_cancels_what_was_coded_already_did_not_pay_but_a_proof_may_be_given_up():
    async with scene() as at:
        await at.take(Service.PROVE)
        await at.patron.ask(JOB, Cancel())
        await at.take(Service.ENCODE, SECOND)
        await at.patron.ask(SECOND, Cancel())
        answer = await at.patron.ask(THIRD, await at.patron.order(Service.PROVE))
        assert (answer.code, "1 of your jobs" in answer.text) == (Code.BUSY, True)


async def test_a_job_of_somebody_else_is_not_there():
    async with scene() as at:
        await at.take(Service.ENCODE)
        await at.patron.pay(600)
        stranger = await at.place.patron(OTHER_KEY)
        bodies = (
            StatusRequest(),
            Release(0),
            Dispute(Reason.PARITY, "no"),
            Cancel(),
            Seal(b"manifest"),
            PushBlocks(0, bytes(65536)),
        )
        for body in bodies:
            mine, nobodys = await stranger.ask(JOB, body), await stranger.ask(SECOND, body)
            assert mine.code is nobodys.code is Code.UNKNOWN_JOB
            assert mine.text.replace(JOB.hex(), SECOND.hex()) == nobodys.text
        answer = await stranger.ask(JOB, await stranger.order(Service.ENCODE))
        assert answer.code is Code.UNKNOWN_JOB
        assert at.place.job().at is Stage.READY


async def test_a_job_id_is_used_for_one_thing():
    async with scene() as at:
        body = await at.patron.order(Service.SUBMIT)
        assert (await at.patron.ask(JOB, body)).code is Code.OK
        other = await at.patron.order(Service.PROVE)
        for changed in (
            other,
            replace(body, deadline=body.deadline + 1),
            replace(body, proof=bytes(256)),
            replace(body, customer=replace(body.customer, offer_hash=bytes(32))),
        ):
            answer = await at.patron.ask(JOB, changed)
            assert (answer.code, "take another" in answer.text) == (Code.CONFLICT, True)


async def test_an_id_whose_job_was_paid_and_forgotten_is_not_used_again():
    async with scene() as at:
        await at.place.income.bill(at.patron.account, f"job/{JOB.hex()}/0", 1)
        await at.patron.pay(1)
        answer = await at.patron.ask(JOB, await at.patron.order(Service.PROVE))
        assert (answer.code, "take another id" in answer.text) == (Code.EXPIRED, True)
        assert_nothing_was_taken(at)


async def test_what_the_service_refuses_is_told_as_it_says():
    async with scene() as at:
        at.doer.refusal = AggregatorAnswer(Code.NOT_DELEGATE, "appoint me first")
        answer = await at.patron.ask(JOB, await at.patron.order(Service.SUBMIT))
        assert (answer.code, answer.text) == (Code.NOT_DELEGATE, "appoint me first")
        assert_nothing_was_taken(at)


@pytest.mark.parametrize(
    ("error", "code", "retry_ms"),
    [
        (ChainUnreachable("no node"), Code.BUSY, 1000),
        (QuotaExceeded("it is full"), Code.NOT_OFFERED, 0),
        (Bug("ours"), Code.INTERNAL, 0),
    ],
)
async def test_trouble_of_ours_is_told_as_ours(error, code, retry_ms):
    async with scene() as at:

        async def accept(_: object) -> None:
            raise error

        at.doer.accept = accept  # type: ignore[method-assign, assignment]
        answer = await at.patron.ask(JOB, await at.patron.order(Service.SUBMIT))
        assert (answer.code, answer.retry_after_ms) == (code, retry_ms)
        assert error.message in answer.text
        assert_nothing_was_taken(at)


async def test_blocks_are_not_taken_where_nobody_pushes():
    async with scene() as at:
        await at.take(Service.ENCODE)
        for body in (PushBlocks(0, bytes(65536)), Seal(b"manifest")):
            assert (await at.patron.ask(JOB, body)).code is Code.REFUSED


async def test_a_message_that_is_none_is_refused_and_the_channel_goes_on():
    async with scene() as at:
        place = at.place
        data = await at.patron.requests.ask(
            place.peer,
            PROTOCOL,
            (b"\xff\xff",),
            deadline=place.clock.monotonic() + 10,
            max_message_bytes=1 << 20,
            addresses=place.addresses,
        )
        assert decode_answer(data).code is Code.REFUSED
        assert (await at.patron.ask(JOB, StatusRequest())).code is Code.UNKNOWN_JOB


async def test_while_it_stops_it_says_so():
    async with scene() as at:
        await at.place.aggregator.stop()
        answer = await at.patron.ask(JOB, StatusRequest())
        assert (answer.code, "stopping" in answer.text) == (Code.BUSY, True)
        assert answer.retry_after_ms > 0
        await at.place.answering.stop()
        with pytest.raises(PeerRefused):
            await at.patron.ask(JOB, StatusRequest())


async def test_refusals_are_told_but_do_not_fill_the_history():
    async with scene() as at:
        for number in range(MOST + 30):
            await at.patron.ask(number.to_bytes(16, "big"), StatusRequest())
        told = [e for e in at.place.events.history() if e.kind == "aggregator.refused"]
        assert len(told) == MOST
        assert told[3].subject == (3).to_bytes(16, "big").hex()
        assert told[3].message.startswith("StatusRequest was answered with UNKNOWN_JOB: there is")
        assert at.place.aggregator.answered[Code.UNKNOWN_JOB] == MOST + 30
