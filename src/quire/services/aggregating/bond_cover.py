"""How much of this node's bond is promised, and whether it covers one promise more.

A promise weighs on the bond from before it is told until the proof is in the chain; one that was
not kept, until it cannot be claimed any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from quire.aggregation.job import Job
from quire.aggregation.values import JobId, SubmitWork
from quire.chain.bonds import CLAIM_SECONDS, Bonds
from quire.chain.port import Market
from quire.chain.values import SlotId


class BondCover:
    """`jobs`: all that are remembered."""

    def __init__(self, bonds: Bonds, market: Market, jobs: Callable[[], Iterable[Job]]) -> None:
        self._bonds = bonds
        self._market = market
        self._jobs = jobs
        self._reserved: dict[JobId, int] = {}  # for jobs that are not in the journal yet
        self._in_chain: dict[tuple[SlotId, int], None] = {}

    async def reserve(self, job_id: JobId, period: int, amount: int) -> bool:
        """Set aside for a promise of a period; whether the bond has it. Raises ChainUnreachable."""
        if not amount:
            return True
        self._reserved[job_id] = amount
        bond = await self._bonds.bond()
        covered = bond.until(self._market.terms.period_end(period) + CLAIM_SECONDS)
        if self._promised() <= covered:
            return True
        self.release(job_id)
        return False

    def release(self, job_id: JobId) -> None:
        """Nothing was promised, or its job is in the journal and counts from now on."""
        self._reserved.pop(job_id, None)

    def is_in_chain(self, slot_id: SlotId, period: int) -> None:
        self._in_chain[slot_id, period] = None

    def knows_in_chain(self, slot_id: SlotId, period: int) -> bool:
        return (slot_id, period) in self._in_chain

    def forget_period(self, period: int) -> None:
        """After a re-organisation its proofs may be gone."""
        self._in_chain = {place: None for place in self._in_chain if place[1] != period}

    def begin_period(self) -> None:
        """Forget what cannot be claimed any more."""
        self._in_chain = {place: None for place in self._in_chain if self._counts(place[1])}

    def _promised(self) -> int:
        in_journal = sum(
            job.work.amount
            for job in self._jobs()
            if isinstance(job.work, SubmitWork)
            and not job.result
            and job.job_id not in self._reserved
            and (job.work.slot_id, job.work.period) not in self._in_chain
            and self._counts(job.work.period)
        )
        return in_journal + sum(self._reserved.values())

    def _counts(self, period: int) -> bool:
        """Whether promises of a period can still be claimed."""
        return self._market.clock.now() < self._market.terms.period_end(period) + CLAIM_SECONDS
