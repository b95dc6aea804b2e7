"""PROVE at the aggregator: a witness is checked, its proof made, and given to who ordered it.

    accept ─► decoded, every path checked ─► kept in memory ─► turn, by deadline ─► workers ─► Done

What is broken costs the few hashes of its check, and no proof. After a crash the witness is gone:
the job waits a while for its customer to send the same accept again, then it fails. A proof that
was made is in the journal, and delivered.

Source   market.md 6.4; proofs.md 5.4
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from quire.aggregation.job import Done, Job
from quire.aggregation.values import ProveWork
from quire.base.clock import Clock
from quire.base.errors import BadEncoding, InputError, NotFound, ProofInvalid
from quire.base.invariant import invariant
from quire.base.waits import Waits
from quire.chain.port import ChainClock
from quire.dataset.proof_input import ProofInput
from quire.dataset.storage_proof import Claim
from quire.dataset.witness import decode_witness
from quire.flow.prove import Prover
from quire.flow.workers import Workers
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_asking import AcceptProve, QuoteRequest
from quire.formats.aggregator_codes import Code
from quire.services.aggregating.doer import Accept, Accepted, Asked, Terms
from quire.services.workers.places import Places

SECONDS_FIRST = 30.0  # that a proof takes, before one was made here
MARGIN = 1.5  # that one may take longer than the last
WITNESS_SECONDS = 120.0  # that a job of before a crash waits for its witness


@dataclass(slots=True)
class _Kept:
    """A witness, whose paths were checked or are to be."""

    made: ProofInput
    host: bytes | None
    is_checked: bool
    is_proving: bool = False
    is_made: bool = False

    @property
    def public(self) -> bytes:
        made = self.made
        claim = Claim(made.entropy, made.dataset_root, made.slot_index, self.host)
        return b"".join(claim.public())


class Proving:
    """The Doer of the service PROVE, with one circuit and its key."""

    def __init__(
        self, prover: Prover, workers: Workers, chain: ChainClock, clock: Clock, waits: Waits
    ) -> None:
        self._prover = prover
        self._workers = workers
        self._chain = chain
        self._clock = clock
        self._waits = waits
        self._kept: dict[bytes, _Kept] = {}  # by job
        self._came = asyncio.Event()  # set, and a new one made, with each witness
        self._turns: Places[None] = Places(waits)
        self._turns_given = 0
        self._seconds: float | None = None  # that the newest proof took

    # ---- offers ----

    def offer_problem(self, quote: QuoteRequest) -> str:
        return ""

    def terms(self, quote: QuoteRequest) -> Terms:
        seconds = SECONDS_FIRST if self._seconds is None else self._seconds
        return Terms(int(MARGIN * seconds * self._rounds) + 1, self._prover.key_hash)

    # ---- jobs ----

    async def accept(self, asked: Asked) -> Accepted | AggregatorAnswer:
        body = asked.body
        assert isinstance(body, AcceptProve)
        if body.key_hash != self._prover.key_hash:
            return AggregatorAnswer(
                Code.NOT_OFFERED,
                f"proofs are made here with the key {self._prover.key_hash.hex()} of circuit "
                f"{self._prover.parameters.id}, not with {body.key_hash.hex()}",
            )
        left = body.deadline - self._chain.now()
        if self._seconds is not None and left < (takes := self._seconds * self._rounds):
            words = f"it takes {takes:.0f} s, with those before it; {left:.0f} s are left"
            return AggregatorAnswer(Code.REFUSED, words)
        loop = asyncio.get_running_loop()
        try:
            kept = await loop.run_in_executor(None, partial(self._read, body))
        except (BadEncoding, ProofInvalid) as error:
            return AggregatorAnswer(Code.REFUSED, f"the witness is broken: {error.message}")
        self._keep(asked.job_id, kept)
        return Accepted(ProveWork(body.key_hash, kept.public))

    def again(self, job: Job, body: Accept) -> bool:
        work = job.work
        if not isinstance(body, AcceptProve) or not isinstance(work, ProveWork):
            return False
        try:
            kept = self._read(body, is_checked=False)
        except InputError:
            return False
        if (body.key_hash, kept.public) != (work.key_hash, work.public):
            return False
        if job.job_id not in self._kept:
            self._keep(job.job_id, kept)
        return True

    async def do(self, job: Job) -> Done:
        """Raises NotFound when the witness does not come again after a crash."""
        work = job.work
        assert isinstance(work, ProveWork)
        if work.key_hash != self._prover.key_hash:
            raise NotFound("this node has another key now; order the proof elsewhere")
        kept = await self._witness(job)
        if not kept.is_checked:
            await asyncio.get_running_loop().run_in_executor(None, kept.made.check)
            kept.is_checked = True
        await self._take_turn(job)
        try:
            kept.is_proving = True
            began = self._clock.monotonic()
            proof, public = await self._workers.prove(self._prover, kept.made, kept.host)
            self._seconds = self._clock.monotonic() - began
            kept.is_made = True
        finally:
            kept.is_proving = False
            self._turns.give(None)
        invariant(b"".join(public) == work.public, "a proof is about something else")
        return Done(proof, int(self._chain.now()))

    async def drop(self, job: Job) -> None:
        self._kept.pop(job.job_id, None)

    def progress(self, job: Job) -> tuple[int, str]:
        kept = self._kept.get(job.job_id)
        if kept is None:
            return 0, "waits for the witness, which was lost with the node's restart"
        if kept.is_proving:
            return 500, "the proof is computed"
        return 0, f"waits for its turn; {self._ahead} proofs are to be made"

    # ---- inside ----

    @property
    def _rounds(self) -> int:
        """Proofs that one place makes until a new one is made, itself included."""
        return 1 + self._ahead // self._workers.proofs_at_once

    @property
    def _ahead(self) -> int:
        return sum(not kept.is_made for kept in self._kept.values())

    def _read(self, body: AcceptProve, *, is_checked: bool = True) -> _Kept:
        """Raises BadEncoding, ProofInvalid. Blocking, a millisecond when it is checked."""
        made, host = decode_witness(body.witness, self._prover.parameters)
        if is_checked:
            made.check()
        return _Kept(made, host, is_checked)

    def _keep(self, job_id: bytes, kept: _Kept) -> None:
        self._kept[job_id] = kept
        self._came.set()
        self._came = asyncio.Event()

    async def _witness(self, job: Job) -> _Kept:
        left = max(0.0, job.deadline - self._chain.now())
        deadline = self._clock.monotonic() + min(WITNESS_SECONDS, left / 2)
        reason = "the customer is to send the witness again, which was lost with a restart"
        with self._waits.waiting(job.key, reason, deadline):
            try:
                async with asyncio.timeout_at(deadline):
                    while job.job_id not in self._kept:
                        await self._came.wait()
            except TimeoutError:
                raise NotFound(
                    "the node was restarted, and the witness did not come again"
                ) from None
        return self._kept[job.job_id]

    async def _take_turn(self, job: Job) -> None:
        """As many turns as the workers can make proofs side by side, the earliest deadline first;
        so that the node's own proofs never stand behind all those of customers."""
        while self._turns_given < self._workers.proofs_at_once:
            self._turns_given += 1
            self._turns.give(None)
        await self._turns.take(job.deadline, f"the proof of job {job.key}")
