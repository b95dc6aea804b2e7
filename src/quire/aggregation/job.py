"""A job at the aggregator: what is known of it, what happens to it, what is done for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from quire.aggregation.values import EncodeWork, JobId, SignedOffer, Work
from quire.chain.values import Address
from quire.formats.aggregator_codes import Reason, Stage
from quire.formats.cid import Cid

ENDS = (Stage.SETTLED, Stage.FAILED, Stage.CANCELLED, Stage.UNPAID, Stage.DISPUTED)


@dataclass(frozen=True, slots=True)
class Job:
    """One job. Times in unix seconds of the chain.

    peer, customer   who ordered it, and the account that pays
    deadline         by which the result is due
    release_seconds  that the customer has, from then on, to check and pay it
    serve_seconds    that coded blocks are served after the first part was paid, at most
    until            of the present state: more blocks, release or serving; else 0
    result           the receipt's bytes, the proof, or the hash of the transaction
    signature        under a receipt, or of the promise of a submission
    is_dropped       what was made for it is not kept any more
    """

    job_id: JobId
    at: Stage
    peer: str
    customer: Address
    offer: SignedOffer
    work: Work
    deadline: int
    release_seconds: int
    serve_seconds: int
    until: int = 0
    result: bytes = b""
    signature: bytes = field(default=b"", repr=False)
    block: int = 0
    reason: Reason | None = None
    why: str = ""
    is_dropped: bool = False

    @property
    def key(self) -> str:
        """In the journal, in events and in the API."""
        return self.job_id.hex()

    @property
    def is_pushed(self) -> bool:
        """Whether the customer still has to push the dataset."""
        return isinstance(self.work, EncodeWork) and self.work.original is None


# ---- what happens ----


@dataclass(frozen=True, slots=True)
class Pushed:
    """More of a pushed dataset is here. `now`: chain time."""

    now: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """All blocks of a pushed dataset are here."""

    original: Cid


@dataclass(frozen=True, slots=True)
class Done:
    """The work is done. `now`: chain time."""

    result: bytes
    now: int
    signature: bytes = b""
    block: int = 0


@dataclass(frozen=True, slots=True)
class Released:
    """The customer has paid a part, which was looked at."""

    part: int
    now: int


@dataclass(frozen=True, slots=True)
class Disputed:
    reason: Reason
    why: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The customer does not want it any more."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nothing of it is kept any more."""


JobEvent: TypeAlias = Pushed | Sealed | Done | Released | Disputed | Cancelled | Dropped


# ---- what is done ----


@dataclass(frozen=True, slots=True)
class DoWork:
    """Code, prove or submit. -> Done"""


@dataclass(frozen=True, slots=True)
class Drop:
    """Let go of everything that was made or fetched for it. -> Dropped"""


JobEffect: TypeAlias = DoWork | Drop
