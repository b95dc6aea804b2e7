"""The machine of a job at the aggregator.

    accepted ──Sealed──► working ──Done──► ready ──Released(0)──► serving ──Released(1)──► settled
       (pushed datasets)    │                │    `── no last part ──────────────────────► settled
                          failed     disputed · unpaid · cancelled      unpaid · disputed

Nothing that was made is kept beyond the end. Source   market.md 6.4
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import msgspec

from quire.aggregation.job import (
    ENDS,
    Cancelled,
    Disputed,
    Done,
    DoWork,
    Drop,
    Dropped,
    Job,
    JobEffect,
    JobEvent,
    Pushed,
    Released,
    Sealed,
)
from quire.aggregation.job_record import decode_job, encode_job
from quire.aggregation.values import EncodeWork
from quire.base.machine import Deadline, Failed, TimedOut
from quire.formats.aggregator_codes import Stage

DROP_SECONDS = 600.0
PUSH_SECONDS = 1800  # of the chain, in which more of a pushed dataset has to come

Step: TypeAlias = tuple[Job, Sequence[JobEffect]]

_WORDS = {
    Stage.ACCEPTED: "waiting for the customer to push the dataset",
    Stage.WORKING: "being worked on",
    Stage.READY: "ready; the customer checks and pays it",
    Stage.SERVING: "paid; the coded blocks are served until hosts have them",
    Stage.SETTLED: "done and paid",
    Stage.FAILED: "it failed",
    Stage.CANCELLED: "the customer did not want it any more",
    Stage.UNPAID: "the customer did not pay in time",
    Stage.DISPUTED: "the customer says that the result is wrong",
}
_LATE = {
    Stage.ACCEPTED: (Stage.FAILED, "the dataset was not pushed in time"),
    Stage.WORKING: (Stage.FAILED, "it was not done by its deadline"),
    Stage.READY: (Stage.UNPAID, "the customer did not pay in time"),
    Stage.SERVING: (Stage.UNPAID, "the last part was not paid in time"),
}


class JobMachine:
    """Implements `base.machine.Machine`."""

    kind = "job"

    def step(self, state: Job, event: JobEvent | TimedOut | Failed) -> Step:
        if state.at in ENDS:
            if isinstance(event, Dropped | TimedOut | Failed) and not state.is_dropped:
                return replace(state, is_dropped=True), ()
            return state, ()
        match event:
            case TimedOut() if state.at is Stage.SERVING and not state.offer.offer.price_last:
                return _end(state, Stage.SETTLED)
            case TimedOut():
                return _end(state, *_LATE[state.at])
            case Failed(error=error):
                return _end(state, Stage.FAILED, error.message)
            case Cancelled() if state.at is not Stage.SERVING:
                return _end(state, Stage.CANCELLED)
            case Disputed(reason, why) if state.at in (Stage.READY, Stage.SERVING):
                return _end(replace(state, reason=reason), Stage.DISPUTED, why)
            case Pushed(now) if state.at is Stage.ACCEPTED:
                return replace(state, until=push_until(now, state.deadline)), ()
            case Sealed(original) if state.is_pushed and isinstance(state.work, EncodeWork):
                work = msgspec.structs.replace(state.work, original=original)
                return replace(state, at=Stage.WORKING, work=work, until=0), (DoWork(),)
            case Done() if state.at is Stage.WORKING:
                return _ready(state, event), ()
            case Released(part, now):
                return _released(state, part, now)
        return state, ()

    def resume(self, state: Job) -> Sequence[JobEffect]:
        if state.at is Stage.WORKING:
            return (DoWork(),)
        return () if state.at not in ENDS or state.is_dropped else (Drop(),)

    def name(self, state: Job) -> str:
        return state.at.name.lower()

    def words(self, state: Job) -> str:
        return state.why or _WORDS[state.at]

    def deadline(self, state: Job) -> Deadline | None:
        if self.has_ended(state):
            return None
        if state.at in ENDS:
            return Deadline(self.words(state), after_seconds=DROP_SECONDS)
        return Deadline(self.words(state), chain_time=float(state.until or state.deadline))

    def has_ended(self, state: Job) -> bool:
        return state.at in ENDS and state.is_dropped

    def encode(self, state: Job) -> bytes:
        return encode_job(state)

    def decode(self, data: bytes) -> Job:
        return decode_job(data)


def push_until(now: int, deadline: int) -> int:
    """By when the next blocks of a pushed dataset have to come: its room is kept for nothing."""
    return min(deadline, now + PUSH_SECONDS)


def _ready(state: Job, done: Done) -> Job:
    return replace(
        state,
        at=Stage.READY,
        result=done.result,
        signature=done.signature or state.signature,
        block=done.block,
        until=done.now + state.release_seconds,
    )


def _released(state: Job, part: int, now: int) -> Step:
    if state.at is Stage.READY and part == 0:
        if not isinstance(state.work, EncodeWork):
            return _end(state, Stage.SETTLED)
        return replace(state, at=Stage.SERVING, until=now + state.serve_seconds), ()
    if state.at is Stage.SERVING and part == 1:
        return _end(state, Stage.SETTLED)
    return state, ()


def _end(state: Job, at: Stage, why: str = "") -> Step:
    return replace(state, at=at, why=why), (Drop(),)
