"""Billing for what customers release: a part of a price, once, when its voucher has come.

Nothing is billed that was not released, so who does not like a result owes nothing for it; and
nothing is released that was not paid: vouchers come first (over /quire/pay/1.0.0), then the word.
Source   docs/adr/0041
"""

from __future__ import annotations

from quire.aggregation.job import ENDS, Job, Released
from quire.chain.port import ChainClock
from quire.channels.port import Income
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_codes import Code, Stage
from quire.services.aggregating.jobs import Jobs, bill_key
from quire.services.turns import Turns

_DUE = {Stage.READY: 0, Stage.SERVING: 1}  # the part that is to be paid next


class Releasing:
    """One node's."""

    def __init__(self, jobs: Jobs, income: Income, chain: ChainClock) -> None:
        self._jobs = jobs
        self._income = income
        self._chain = chain
        self._turns = Turns()

    async def start(self) -> None:
        """What was billed and not written down with the job before the node ended. Raises
        DiskFull."""
        for job in list(self._jobs):
            part = _DUE.get(job.at)
            if part is not None and self._is_billed(job, part):
                await self._post(job, part)

    async def release(self, job: Job, part: int) -> AggregatorAnswer | None:
        """Bill a part, and those before it; None: it is released. Raises QuireError."""
        async with self._turns.of(job.customer):
            while True:
                now = self._jobs.find(job.job_id)
                if now is None:
                    return AggregatorAnswer(Code.UNKNOWN_JOB, "that job was forgotten")
                due = _DUE.get(now.at)
                if now.at is Stage.SETTLED or (due is not None and due > part):
                    return None
                if due is None:
                    return _not_due(now)
                refusal = await self._bill(now, due)
                if refusal is not None:
                    return refusal
                await self._post(now, due)

    # ---- inside ----

    def _is_billed(self, job: Job, part: int) -> bool:
        return self._income.is_billed(job.customer, bill_key(job.job_id, part))

    async def _bill(self, job: Job, part: int) -> AggregatorAnswer | None:
        amount = job.offer.offer.part(part)
        if amount == 0 or self._is_billed(job, part):
            return None
        short = self._income.due(job.customer) + amount
        if short > 0:
            text = f"part {part} costs {amount} tokens, of which vouchers lack {short}"
            return AggregatorAnswer(Code.UNPAID, text)
        await self._income.bill(job.customer, bill_key(job.job_id, part), amount)
        return None

    async def _post(self, job: Job, part: int) -> None:
        await self._jobs.post(job, Released(part, int(self._chain.now())))


def _not_due(job: Job) -> AggregatorAnswer:
    if job.at in ENDS:
        text = f"the job has ended ({job.at.name.lower()}); nothing is billed for it any more"
        return AggregatorAnswer(Code.EXPIRED, text)
    return AggregatorAnswer(Code.REFUSED, "there is no result yet that could be paid")
