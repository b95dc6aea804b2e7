"""Makes the proof of one slot for one challenge, again and again until it is there or late.

The node's one queue of proofs gives the turns, the earliest deadline first; here are the retries,
and what is told when a slot is at risk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import DeadlineExceeded, QuireError, UnknownDataset
from quire.chain.port import Market, ProofStatus
from quire.flow.prove import AnyProver, ProofAsk
from quire.formats.cid import Cid
from quire.market.period_plan import entropy_of
from quire.services.proof_duty import ProofDuty
from quire.services.proof_job import ProofJob
from quire.services.prover import Proofs
from quire.store.dataset import Dataset

RETRY_SECONDS_FIRST = 1.0
RETRY_SECONDS_MAX = 15.0


@dataclass(frozen=True, slots=True)
class ProvingMeans:
    """What proofs are made with. `prover` gives the circuit with its key, or with others who have
    one, or raises what is wrong with it; `dataset` one that this node holds, None when it does
    not."""

    proofs: Proofs
    prover: Callable[[], Awaitable[AnyProver]]
    dataset: Callable[[Cid], Awaitable[Dataset | None]]


class ProofMaker:
    """`on_trouble` is told in words why a proof was not made, each time."""

    def __init__(
        self,
        market: Market,
        means: ProvingMeans,
        clock: Clock,
        on_trouble: Callable[[ProofDuty, QuireError], None],
    ) -> None:
        self._market = market
        self._means = means
        self._clock = clock
        self._on_trouble = on_trouble

    async def make(self, duty: ProofDuty, status: ProofStatus) -> ProofJob:
        """The job that made the proof. Raises DeadlineExceeded when its time is over."""
        pause = RETRY_SECONDS_FIRST
        while True:
            deadline = self._deadline(duty)
            try:
                return await self._try(duty, status, deadline)
            except DeadlineExceeded:
                raise
            except QuireError as error:
                self._on_trouble(duty, error)
            if self._clock.monotonic() + pause >= self._deadline(duty):
                raise DeadlineExceeded(f"no proof was made in time: {duty.trouble}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_SECONDS_MAX)

    def _deadline(self, duty: ProofDuty) -> float:
        """Monotonic seconds by which the proof has to be sent; the chain's time may jump."""
        assert duty.plan is not None
        return self._clock.monotonic() + duty.plan.latest - self._market.clock.now()

    async def _try(self, duty: ProofDuty, status: ProofStatus, deadline: float) -> ProofJob:
        dataset = await self._means.dataset(duty.cid)
        if dataset is None:
            raise UnknownDataset(f"the dataset {duty.cid} is not on this node any more")
        prover = await self._means.prover()
        host = self._market.account if prover.parameters.binds_host else None
        entropy = entropy_of(status.challenge)
        ask = ProofAsk.of(dataset, duty.slot_index, entropy, host, prover.parameters)
        job = self._means.proofs.start(ask, prover, deadline)
        try:
            await self._means.proofs.wait(job)
        except asyncio.CancelledError:  # nobody wants it any more; its place is others'
            await self._means.proofs.cancel(job.id)
            raise
        if job.proof is None:
            raise job.error or QuireError(f"the proof was {job.state}")
        return job
