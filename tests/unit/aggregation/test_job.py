"""A job at the aggregator: every state has its end, and ends are for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.aggregation.job import ENDS, Done, DoWork, Drop, Dropped, Job, Pushed, Released, Sealed
from quire.aggregation.job_machine import PUSH_SECONDS
from quire.aggregation.values import EncodeWork, Service
from quire.base.machine import TimedOut
from quire.formats.aggregator_codes import Stage
from support.aggregator_messages import MANIFEST, a_job
from support.job_page import CODED, EVENTS, LABELLED, MACHINE, NOW, paid_at_once, pushed


@pytest.mark.parametrize("name", LABELLED)
def test_every_state_but_a_dropped_end_has_a_deadline_and_words(name):
    job = LABELLED[name]
    assert (MACHINE.deadline(job) is None) == MACHINE.has_ended(job) == job.is_dropped
    assert MACHINE.words(job)
    assert MACHINE.name(job) == job.at.name.lower()


@pytest.mark.parametrize("stage", ENDS)
@pytest.mark.parametrize("event", EVENTS)
def test_an_end_is_for_ever_and_only_dropping_is_left_to_do(stage, event):
    job = CODED[stage.name]
    after, effects = MACHINE.step(job, EVENTS[event])
    assert replace(after, is_dropped=False) == job
    assert not effects
    assert after.is_dropped == (event in ("Dropped", "TimedOut", "Failed"))
    assert MACHINE.resume(job) == (Drop(),)


@pytest.mark.parametrize("name", [name for name, job in LABELLED.items() if job.at not in ENDS])
def test_when_time_is_over_a_job_ends_and_is_dropped(name):
    after, effects = MACHINE.step(LABELLED[name], TimedOut())
    assert after.at in ENDS
    assert tuple(effects) == (Drop(),)


def way(job: Job, *events: object) -> list[Stage]:
    stages = []
    for event in events:
        job, _ = MACHINE.step(job, event)  # type: ignore[arg-type]
        stages.append(job.at)
    return stages


def test_the_usual_ways():
    done, both = Done(b"result", NOW), (Released(0, NOW), Released(1, NOW), Dropped())
    served = [Stage.READY, Stage.SERVING, Stage.SETTLED, Stage.SETTLED]
    assert way(a_job(Service.ENCODE), done, *both) == served
    assert way(pushed(Stage.ACCEPTED), Sealed(MANIFEST), done, *both) == [Stage.WORKING, *served]
    for service in (Service.PROVE, Service.SUBMIT):
        paid = [Stage.READY, Stage.SETTLED, Stage.SETTLED]
        assert way(a_job(service), done, Released(0, NOW), Dropped()) == paid


def test_times_to_pay_and_to_serve_begin_with_the_state():
    ready, _ = MACHINE.step(a_job(Service.ENCODE), Done(b"result", NOW))
    assert ready.until == NOW + ready.release_seconds
    serving, _ = MACHINE.step(ready, Released(0, NOW + 7))
    assert serving.until == NOW + 7 + serving.serve_seconds
    deadline = MACHINE.deadline(serving)
    assert deadline is not None
    assert deadline.chain_time == serving.until


def test_who_pushes_has_more_time_but_never_beyond_the_deadline():
    job = replace(pushed(Stage.ACCEPTED), until=10, deadline=5000)
    after, effects = MACHINE.step(job, Pushed(100))
    assert (after.until, effects) == (100 + PUSH_SECONDS, ())
    assert MACHINE.step(job, Pushed(4000))[0].until == 5000
    sealed, _ = MACHINE.step(after, Sealed(MANIFEST))
    deadline = MACHINE.deadline(sealed)
    assert deadline is not None
    assert deadline.chain_time == 5000


def test_what_is_sealed_is_worked_on_under_its_name():
    job, effects = MACHINE.step(pushed(Stage.ACCEPTED), Sealed(MANIFEST))
    assert isinstance(job.work, EncodeWork)
    assert (job.work.original, tuple(effects)) == (MANIFEST, (DoWork(),))
    assert MACHINE.step(job, Sealed(MANIFEST)) == (job, ())


def test_the_last_part_cannot_be_released_before_the_first():
    ready = a_job(Service.ENCODE, Stage.READY)
    assert MACHINE.step(ready, Released(1, NOW)) == (ready, ())


def test_blocks_that_are_paid_at_once_are_settled_when_their_time_is_over():
    after, _ = MACHINE.step(paid_at_once(Stage.SERVING), TimedOut())
    assert after.at is Stage.SETTLED
    after, _ = MACHINE.step(a_job(Service.ENCODE, Stage.SERVING), TimedOut())
    assert after.at is Stage.UNPAID


def test_the_promise_of_a_submission_stays_with_its_result():
    job = replace(a_job(Service.SUBMIT), signature=b"s" * 65)
    after, _ = MACHINE.step(job, Done(b"h" * 32, NOW, block=7))
    assert (after.signature, after.result, after.block) == (b"s" * 65, b"h" * 32, 7)
