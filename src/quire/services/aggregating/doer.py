"""What the services of an aggregator have in common: one `Doer` for each.

quote ─► offer_problem, terms ─► an offer        accept ─► a job ─► do ─► its result
                                                              any end ─► drop
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from quire.aggregation.job import Done, Job
from quire.aggregation.values import JobId, SignedOffer, Work
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_asking import (
    WORD_BYTES,
    AcceptEncode,
    AcceptProve,
    AcceptSubmit,
    QuoteRequest,
)
from quire.net.transport import PeerId

Accept: TypeAlias = AcceptEncode | AcceptProve | AcceptSubmit


@dataclass(frozen=True, slots=True)
class Terms:
    """What a service says of itself in an offer, beside the price.

    seconds   that the work of the quote takes at most, as far as it knows
    key_hash  of the circuit's key, PROVE only
    """

    seconds: int
    key_hash: bytes = bytes(WORD_BYTES)


@dataclass(frozen=True, slots=True)
class Asked:
    """An accept of a job that is not known yet, with the offer and the quote that it is about."""

    job_id: JobId
    peer: PeerId
    offer: SignedOffer
    quote: QuoteRequest
    body: Accept


@dataclass(frozen=True, slots=True)
class Accepted:
    """It will be done. `signature`: of the promise of a submission, else empty."""

    work: Work
    signature: bytes = field(default=b"", repr=False)


class Doer(Protocol):
    """One service. What it does may be asked for twice: after a crash `do` goes on, or looks first
    whether it is done."""

    def offer_problem(self, quote: QuoteRequest) -> str:
        """Why this is not done here, with the numbers that would work; "": it is."""

    def terms(self, quote: QuoteRequest) -> Terms: ...

    async def accept(self, asked: Asked) -> Accepted | AggregatorAnswer:
        """What there is to do; or why it is not done: an answer with another code than OK. What it
        keeps of it is let go by `drop`, also when no job came of it. Raises QuireError."""

    def again(self, job: Job, body: Accept) -> bool:
        """The customer has sent the accept of a job once more: whether it is about the same thing.
        What came along and is not kept durably, such as a witness, may be taken anew."""

    async def do(self, job: Job) -> Done:
        """The result. Raises QuireError: with `retry` it is asked for again later, else the job
        has failed, with these words."""

    async def drop(self, job: Job) -> None:
        """Let go of everything that was made, fetched or kept for it. Harmless when there is
        nothing. Raises QuireError."""

    def progress(self, job: Job) -> tuple[int, str]:
        """How far the work is, in thousandths and in words."""
