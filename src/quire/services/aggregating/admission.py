"""Whose jobs an aggregator takes, and how many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from quire.aggregation.job import Job
from quire.aggregation.values import JobId, SignedOffer
from quire.chain.port import ChainClock
from quire.channels.port import Income
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_asking import Customer
from quire.formats.aggregator_codes import Code, Service, Stage
from quire.formats.answer_head import MAX_RETRY_MS
from quire.net.transport import PeerId
from quire.services.aggregating.jobs import AT_WORK, OPEN, Jobs, bill_key
from quire.services.aggregating.settings import AggregatorLimits, AggregatorSettings
from quire.services.paying.introductions import Introductions

BUSY_MS = 10_000


class Admission:
    """One node's."""

    def __init__(
        self,
        jobs: Jobs,
        income: Income,
        introductions: Introductions,
        chain: ChainClock,
        settings: AggregatorSettings,
        limits: AggregatorLimits,
    ) -> None:
        self._jobs = jobs
        self._income = income
        self._introductions = introductions
        self._chain = chain
        self._settings = settings
        self._limits = limits
        self._coming: dict[JobId, tuple[bytes, PeerId, SignedOffer]] = {}

    async def refusal(
        self, job_id: JobId, peer: PeerId, customer: Customer, offer: SignedOffer, deadline: int
    ) -> AggregatorAnswer | None:
        """Why a new job is not taken. Raises ChainUnreachable."""
        refusal = self._refuse_deadline(deadline)
        if refusal is not None:
            return refusal
        account = customer.account
        if not await self._introductions.holds(account, peer, customer.introduction):
            text = "the introduction of this peer is not signed by the account that is to be billed"
            return AggregatorAnswer(Code.REFUSED, text)
        needed = self._needed(account, offer)
        if needed and not await self._income.is_funded(account, needed):
            text = f"the payment channel needs room for {needed} tokens, this job and those before"
            return AggregatorAnswer(Code.NOT_FUNDED, text)
        if self._income.is_billed(account, bill_key(job_id, 0)):
            return AggregatorAnswer(Code.EXPIRED, "this job was done and paid; take another id")
        # Nothing waits from here to `coming`, so that what is counted stays true.
        return self._refuse_unpaid(account, peer) or self._refuse_more(account, peer, offer)

    @contextmanager
    def coming(
        self, job_id: JobId, peer: PeerId, account: bytes, offer: SignedOffer
    ) -> Iterator[None]:
        """A job that was not refused counts as one from here on, before it is in the journal."""
        self._coming[job_id] = (account, peer, offer)
        try:
            yield
        finally:
            del self._coming[job_id]

    # ---- inside ----

    def _refuse_deadline(self, deadline: int) -> AggregatorAnswer | None:
        now = int(self._chain.now())
        if deadline <= now:
            text = f"the deadline {deadline} is over; it is {now} on the chain"
            return AggregatorAnswer(Code.EXPIRED, text)
        latest = now + self._limits.longest_seconds
        if deadline > latest:
            text = f"the deadline {deadline} is too far away; at most {latest} (chain time)"
            return AggregatorAnswer(Code.REFUSED, text)
        return None

    def _on_the_way(self) -> list[tuple[bytes, PeerId, SignedOffer]]:
        """(account, peer, offer) of jobs that are taken and not among the others yet."""
        jobs = self._jobs
        return [each for job_id, each in self._coming.items() if jobs.find(job_id) is None]

    def _needed(self, account: bytes, offer: SignedOffer) -> int:
        """What the channel has to have room for: this job, those that are not billed yet, less what
        was paid ahead."""
        owed = sum(owing(job) for job in self._jobs if job.customer == account)
        owed += sum(o.offer.price for whose, _, o in self._on_the_way() if whose == account)
        return max(0, owed + offer.offer.price + min(0, self._income.due(account)))

    def _refuse_unpaid(self, account: bytes, peer: PeerId) -> AggregatorAnswer | None:
        """Accounts and peers cost little, so what one of them left unpaid counts for both."""
        now, limits = self._chain.now(), self._limits
        ends = sorted(
            job.until + limits.unpaid_seconds
            for job in self._jobs
            if was_for_nothing(job) and (job.customer == account or job.peer == peer)
        )
        ends = [end for end in ends if end > now]
        if len(ends) < limits.unpaid_jobs:
            return None
        seconds = int(ends[-limits.unpaid_jobs] - now) + 1
        text = f"{len(ends)} of your jobs were done and not paid; come back in {seconds} s"
        return AggregatorAnswer(Code.BUSY, text, None, min(MAX_RETRY_MS, seconds * 1000))

    def _refuse_more(
        self, account: bytes, peer: PeerId, offer: SignedOffer
    ) -> AggregatorAnswer | None:
        mine = [job for job in self._jobs if job.customer == account or job.peer == peer]
        others = self._on_the_way()
        coming = [o for whose, who, o in others if whose == account or who == peer]
        count = sum(job.at in OPEN for job in mine) + len(coming)
        if count >= self._limits.customer_jobs:
            return _busy(f"{count} of your jobs are under way or not paid, which is the limit")
        if not _is_heavy(offer):
            return None
        count = sum(map(_is_at_work, mine)) + sum(map(_is_heavy, coming))
        if count >= self._limits.customer_works:
            return _busy(f"{count} of your jobs are being worked on, which is the limit")
        count = sum(map(_is_at_work, self._jobs)) + sum(_is_heavy(o) for _, _, o in others)
        if count >= self._settings.jobs:
            return _busy(f"{count} jobs are being worked on here, which is the limit")
        return None


def owing(job: Job) -> int:
    """What its customer will be billed if all goes well."""
    offer = job.offer.offer
    if job.at not in OPEN:
        return 0
    return offer.price_last if job.at is Stage.SERVING else offer.price


def was_for_nothing(job: Job) -> bool:
    """Whether the work was done and its customer paid nothing for it, or not all. A proof that was
    cancelled is borne: who races several aggregators needs one."""
    if job.at is Stage.CANCELLED:
        return bool(job.result) and job.offer.offer.service is Service.ENCODE
    return job.at in (Stage.UNPAID, Stage.DISPUTED)


def _is_heavy(offer: SignedOffer) -> bool:
    """Whether it takes a core for a while; to submit takes a check and a place in a batch."""
    return offer.offer.service is not Service.SUBMIT


def _is_at_work(job: Job) -> bool:
    return job.at in AT_WORK and _is_heavy(job.offer)


def _busy(text: str) -> AggregatorAnswer:
    return AggregatorAnswer(Code.BUSY, text, None, BUSY_MS)
