"""An order at the customer: what is known of it, what happens to it, what is done for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from quire.aggregation.values import JobId, SignedOffer, SubmitWork, Work
from quire.formats.aggregator_codes import Reason


class At(StrEnum):
    """Where an order stands."""

    FUNDING = "funding"
    ASKING = "asking"
    WAITING = "waiting"
    CHECKING = "checking"
    PAYING = "paying"
    SERVING = "serving"
    SETTLING = "settling"
    CLAIMING = "claiming"  # it has promised to submit and did not: what is owed from its bond?
    SETTLED = "settled"
    MADE_GOOD = "made-good"  # it broke its promise, and its bond paid
    REFUSED = "refused"  # the aggregator would not take it, or lost it
    LATE = "late"
    CHEATED = "cheated"  # the result was wrong; nothing was paid
    WITHHELD = "withheld"  # blocks that were paid in part are not served; the rest was not paid
    CANCELLED = "cancelled"
    FAILED = "failed"  # on this side


ENDS = (
    At.SETTLED,
    At.MADE_GOOD,
    At.REFUSED,
    At.LATE,
    At.CHEATED,
    At.WITHHELD,
    At.CANCELLED,
    At.FAILED,
)


@dataclass(frozen=True, slots=True)
class Order:
    """One order at one aggregator. Times in unix seconds of the chain.

    account     who pays
    subject     what it is for: the dataset's CID, or "0x" and the slot id
    deadline    by which the result is due
    serve_until until when hosts may take the blocks (ENCODE, after the first part was paid)
    secret      32 random bytes from which the stripes that are checked are drawn; told to nobody
    confidence  with which one wrong block in a hundred is to be found
    result      the receipt's bytes, the proof, or the hash of the transaction
    signature   under a receipt, or of the promise of a submission
    checked     in words, what was checked
    paid        parts that were promised by voucher: 0, 1, 2
    ending      of an order in CLAIMING: how it ends when nothing is owed
    is_stale    it was refused for an offer that does not hold any more, as after a restart of
                the aggregator
    is_told     the aggregator was told of the end, or cannot be
    """

    job_id: JobId
    at: At
    peer: str
    addresses: tuple[str, ...]
    account: bytes
    subject: str
    offer: SignedOffer
    work: Work
    deadline: int
    serve_seconds: int
    serve_until: int = 0
    secret: bytes = field(default=b"", repr=False)
    confidence: float = 0.99
    result: bytes = b""
    signature: bytes = field(default=b"", repr=False)
    checked: str = ""
    paid: int = 0
    reason: Reason | None = None
    why: str = ""
    ending: At | None = None
    is_stale: bool = False
    is_told: bool = False

    @property
    def key(self) -> str:
        """In the journal, in events and in the API."""
        return self.job_id.hex()

    def bill(self, part: int) -> str:
        """The key of the debt, for ever (channels.port)."""
        return f"{self.bill_prefix}{part}"

    @property
    def bill_prefix(self) -> str:
        return f"job/{self.key}/"

    @property
    def is_promised(self) -> bool:
        """Whether the aggregator stands with its bond behind a submission."""
        return isinstance(self.work, SubmitWork) and bool(self.signature)

    @property
    def cost(self) -> int:
        """What was promised for it."""
        return sum(self.offer.offer.part(part) for part in range(self.paid))


# ---- what happens ----


@dataclass(frozen=True, slots=True)
class Funded:
    """The channel has room for the price."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The aggregator has taken the job; with `signature`, the promise of a submission."""

    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Declined:
    """It will not do it, or does not know of it any more. `is_stale`: because the offer does not
    hold any more, as after its restart."""

    why: str
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class Ready:
    """The result is here; nobody has looked at it."""

    result: bytes
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Good:
    """The result is what was ordered; `checked` says how that is known."""

    checked: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """The result is not what was ordered. `stripe`, `evidence`: see aggregator_asking.Dispute."""

    reason: Reason
    why: str
    stripe: int = 0
    evidence: bytes = b""


@dataclass(frozen=True, slots=True)
class Paid:
    """A part was promised by voucher, and the aggregator was told. `now`: chain time."""

    part: int
    now: int


@dataclass(frozen=True, slots=True)
class Served:
    """Hosts have the blocks."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """It is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """The bond has paid for the broken promise. `amount`: of it, at most."""

    amount: int


@dataclass(frozen=True, slots=True)
class NotOwed:
    """Nothing can be claimed, in words why."""

    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """The aggregator knows of the end, or cannot be told."""


OrderEvent: TypeAlias = (
    Funded
    | Taken
    | Declined
    | Ready
    | Good
    | Wrong
    | Paid
    | Served
    | Claimed
    | NotOwed
    | Cancel
    | Told
)


# ---- what is done ----


@dataclass(frozen=True, slots=True)
class Fund:
    """Have room for the price in the channel. -> Funded"""


@dataclass(frozen=True, slots=True)
class Ask:
    """Send the accept; again and again the same. -> Taken, Ready, Declined"""


@dataclass(frozen=True, slots=True)
class Await:
    """Ask for the result until it is there. -> Ready, Declined"""


@dataclass(frozen=True, slots=True)
class Check:
    """See whether the result is what was ordered. -> Good, Wrong"""


@dataclass(frozen=True, slots=True)
class Pay:
    """Promise a part by voucher, and release it. -> Paid"""

    part: int


@dataclass(frozen=True, slots=True)
class Watch:
    """See whether hosts get the blocks. -> Served, Wrong (withheld)"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Have the bond pay if the proof was marked as missing. -> Claimed, NotOwed; Ready: it was not
    broken after all"""


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell the aggregator how it ended (cancel or dispute), and what was learnt of it to the
    reputation of this node: nothing where an offer was stale. -> Told"""

    stripe: int = 0
    evidence: bytes = b""


OrderEffect: TypeAlias = Fund | Ask | Await | Check | Pay | Watch | Claim | Tell
