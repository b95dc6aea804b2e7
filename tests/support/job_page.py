"""Examples of every state and event of a job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from quire.aggregation.job import (
    Cancelled,
    Disputed,
    Done,
    DoWork,
    Dropped,
    Job,
    Pushed,
    Released,
    Sealed,
)
from quire.aggregation.job_machine import JobMachine
from quire.aggregation.values import EncodeWork, Service
from quire.base.errors import Refused
from quire.base.machine import Failed, TimedOut
from quire.formats.aggregator_codes import Reason, Stage
from support.aggregator_messages import MANIFEST, a_job
from support.machine_page import Page

MACHINE = JobMachine()
NOW = 900


def pushed(stage: Stage) -> Job:
    """A job whose dataset its customer pushes."""
    job = a_job(Service.ENCODE, stage)
    assert isinstance(job.work, EncodeWork)
    return replace(job, work=msgspec.structs.replace(job.work, original=None))


def paid_at_once(stage: Stage) -> Job:
    """A job without a last part of the price."""
    job = a_job(Service.ENCODE, stage)
    offer = replace(job.offer.offer, price_first=job.offer.offer.price)
    return replace(job, offer=replace(job.offer, offer=offer))


CODED = {stage.name: a_job(Service.ENCODE, stage) for stage in Stage}
LABELLED = {
    **CODED,
    "ACCEPTED": pushed(Stage.ACCEPTED),
    "READY, of a proof": a_job(Service.PROVE, Stage.READY),
    "SERVING, paid at once": paid_at_once(Stage.SERVING),
    "an end, dropped": replace(CODED["SETTLED"], is_dropped=True),
}
_NAMES = [(state, name) for name, state in LABELLED.items()]


def label(state: Job) -> str:
    known = next((name for other, name in _NAMES if other == state), None)
    if known is None and state.is_dropped:
        return "an end, dropped"
    return known or state.at.name


EVENTS: dict[str, Any] = {
    "Pushed": Pushed(NOW - 800),
    "Sealed": Sealed(MANIFEST),
    "Done": Done(b"result", NOW),
    "Released, the first part": Released(0, NOW),
    "Released, the last part": Released(1, NOW),
    "Disputed": Disputed(Reason.PARITY, "a block is wrong"),
    "Cancelled": Cancelled(),
    "Dropped": Dropped(),
    "TimedOut": TimedOut(),
    "Failed": Failed(DoWork(), Refused("its blocks are of another size")),
}
PAGE = Page(
    "A job",
    MACHINE,
    "What `quire.aggregation.job_machine` does for one job at the aggregator: the other side of an "
    "[order](order.md). Only ENCODE is ACCEPTED before it is worked on, where the dataset is "
    "pushed, and SERVING before it is settled; a proof or a submission is paid in one. The "
    "messages that become these events are in "
    "[aggregator-protocol](../reference/aggregator-protocol.md).",
    label,
    tuple(LABELLED.values()),
    EVENTS,
)
