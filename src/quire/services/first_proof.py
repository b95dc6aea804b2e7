"""The proof with which a slot is filled: made at a moment at which its challenge lasts.

The challenge changes with the period, and when the pointer wraps. So it is begun early in a period,
and not while the pointer may wrap before the period ends.

Source   market.md 2.7, 4.3
"""

from __future__ import annotations

from quire.base.clock import Clock
from quire.base.errors import Busy, UnknownDataset
from quire.chain.port import Market, ProofStatus
from quire.chain.values import SlotId
from quire.flow.prove import ProofAsk
from quire.formats.cid import Cid
from quire.market.period_plan import entropy_of
from quire.services.proof_maker import ProvingMeans

POINTERS = 256
EARLY_SHARE = 0.5  # of a period, after which the next one is waited for


class FirstProofs:
    """`seconds`: how long the newest one took, from its challenge on."""

    def __init__(self, market: Market, means: ProvingMeans, clock: Clock) -> None:
        self._market = market
        self._means = means
        self._clock = clock
        self._seconds: float | None = None

    @property
    def seconds(self) -> float | None:
        return self._seconds

    async def make(
        self, slot_id: SlotId, cid: Cid, slot_index: int, *, is_again: bool
    ) -> tuple[bytes, int]:
        """Wait for a good moment and prove: 256 bytes, and the second of the chain until which they
        are good. `is_again`: one was refused; the next period is waited for.

        Raises   DeadlineExceeded  not made within its period
                 QuireError        as the node's queue of proofs
        """
        status = await self._safe_status(slot_id, is_again)
        until = self._market.terms.period_end(status.period)
        began = self._clock.monotonic()
        deadline = began + until - self._market.clock.now()
        dataset = await self._means.dataset(cid)
        if dataset is None:
            raise UnknownDataset(f"the dataset {cid} is not on this node any more")
        prover = await self._means.prover()
        host = self._market.account if prover.parameters.binds_host else None
        entropy = entropy_of(status.challenge)
        ask = ProofAsk.of(dataset, slot_index, entropy, host, prover.parameters)
        job = self._means.proofs.start(ask, prover, deadline)
        await self._means.proofs.wait(job)
        if job.proof is None:
            raise job.error or Busy(f"the first proof of slot {slot_index} was stopped; ask again")
        self._seconds = self._clock.monotonic() - began
        return job.proof.proof, until

    async def _safe_status(self, slot_id: SlotId, is_again: bool) -> ProofStatus:
        terms, chain = self._market.terms, self._market.clock
        period = terms.period_of(int(chain.now()))
        early = terms.period_start(period) + EARLY_SHARE * terms.period
        if is_again or chain.now() > early:
            period += 1
        while True:
            await chain.until(terms.period_start(period) + 1)
            status = (await self._market.proof_statuses([slot_id]))[0]
            if status.period < period:  # the chain's newest block is behind its clock
                await chain.until(chain.now() + 1)
            elif status.pointer > POINTERS - terms.downtime:
                period = status.period + 1
            else:
                return status
