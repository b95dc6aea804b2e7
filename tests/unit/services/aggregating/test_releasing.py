"""What is released is billed once, and only when its voucher has come."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from quire.aggregation.values import Service
from quire.formats.aggregator_answers import Progress
from quire.formats.aggregator_asking import Release
from quire.formats.aggregator_codes import Code, Stage
from support.aggregator_kit import CLIENT, JOB, SECOND, SETTINGS, Scene, scene


async def stage(at: Scene, part: int, job_id: bytes = JOB) -> Stage | Code:
    """What a release is answered with: a stage, or a code that is not OK."""
    answer = await at.patron.ask(job_id, Release(part))
    if answer.code is not Code.OK:
        return answer.code
    assert isinstance(answer.body, Progress)
    return answer.body.stage


async def test_a_coded_dataset_is_paid_in_two_parts_each_billed_once():
    async with scene() as at:
        await at.take(Service.ENCODE)
        assert await stage(at, 0) is Code.UNPAID
        await at.patron.pay(600)
        assert at.place.income.due(CLIENT) == -600
        for _ in range(3):
            assert await stage(at, 0) is Stage.SERVING
        assert at.place.income.due(CLIENT) == 0
        assert await stage(at, 1) is Code.UNPAID
        await at.patron.pay(999)
        assert await stage(at, 1) is Code.UNPAID
        assert at.place.job().at is Stage.SERVING
        await at.patron.pay(1000)
        for _ in range(3):
            assert await stage(at, 1) is Stage.SETTLED
        assert at.place.income.due(CLIENT) == 0
        await at.place.until_dropped()


async def test_proofs_and_submissions_are_paid_in_one():
    async with scene() as at:
        await at.take(Service.PROVE)
        await at.take(Service.SUBMIT, SECOND)
        await at.patron.pay(110)
        assert await stage(at, 0) is Stage.SETTLED
        assert await stage(at, 0, SECOND) is Stage.SETTLED
        assert at.place.income.due(CLIENT) == 0


async def test_one_voucher_pays_one_job_however_the_releases_come():
    async with scene() as at:
        await at.take(Service.PROVE)
        await at.take(Service.PROVE, SECOND)
        await at.patron.pay(70)
        both = await asyncio.gather(stage(at, 0), stage(at, 0, SECOND))
        assert [each for each in both if each is Code.UNPAID] == [Code.UNPAID]
        assert at.place.income.due(CLIENT) == 0


async def test_the_last_part_releases_the_first_too_when_both_are_paid():
    async with scene() as at:
        await at.take(Service.ENCODE)
        assert await stage(at, 1) is Code.UNPAID
        assert at.place.job().at is Stage.READY
        await at.patron.pay(1000)
        assert await stage(at, 1) is Stage.SETTLED
        assert at.place.income.due(CLIENT) == 0


async def test_before_there_is_a_result_nothing_can_be_paid():
    async with scene() as at:
        await at.patron.ask(JOB, await at.patron.order(Service.ENCODE))
        await at.patron.pay(1000)
        assert await stage(at, 0) is Code.REFUSED
        assert at.place.income.due(CLIENT) == -1000


async def test_who_does_not_pay_in_time_gets_nothing_more_and_is_billed_nothing():
    async with scene() as at:
        await at.take(Service.ENCODE)
        at.place.advance(3700)
        job = await at.place.until_dropped()
        assert job.at is Stage.UNPAID
        await at.patron.pay(600)
        assert await stage(at, 0) is Code.EXPIRED
        assert at.place.income.due(CLIENT) == -600  # still his, for the next job


async def test_what_was_billed_before_a_crash_is_released_after_it():
    async with scene() as at:
        await at.take(Service.ENCODE)
        await at.patron.pay(600)
        await at.place.income.bill(CLIENT, f"job/{JOB.hex()}/0", 600)
        await at.place.close()
        await at.place.open()
        assert at.place.job().at is Stage.SERVING
        assert await stage(at, 0) is Stage.SERVING
        assert at.place.income.due(CLIENT) == 0


async def test_a_dataset_that_is_paid_at_once_is_served_until_its_time_is_over():
    async with scene(settings=replace(SETTINGS, first_percent=100)) as at:
        await at.take(Service.ENCODE)
        await at.patron.pay(1000)
        assert await stage(at, 0) is Stage.SERVING
        at.place.advance(2 * 86400 + 10)
        assert (await at.place.until_dropped()).at is Stage.SETTLED


async def test_work_for_nothing_is_released_without_a_voucher():
    async with scene(settings=replace(SETTINGS, encode_price=0)) as at:
        at.patron = await at.place.patron(b"\x64" * 32, deposit=0)
        await at.take(Service.ENCODE)
        assert await stage(at, 0) is Stage.SERVING
        assert await stage(at, 1) is Stage.SETTLED
        assert not at.place.income.is_billed(at.patron.account, f"job/{JOB.hex()}/0")
