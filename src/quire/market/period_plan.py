"""What a host does about one slot in one period, decided from one look at the contract.

    pointer   0 ........ downtime ................................ 255 | 0 ...
              will be required        required                          another challenge

Block number and pointer move together, so all through a period a slot is asked about the same
block, until its pointer wraps from 255 to 0. What is required before the wrap cannot be enforced
after it (a proof is marked as missing when the period is over, by the pointer of *then*), and a
proof for the challenge of before is refused. So what wraps within the period is not proved, and
what has wrapped is not either: its pointer stays in the downtime until the marking is over. Where
the terms break the rule that makes this so (period and timeout take less than `downtime` blocks),
the contract's word counts: what is required as of the next block, or may be by the time at which
it is marked, is proved.

Source   market.md 2.7 to 2.9
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from quire.chain.port import ProofStatus
from quire.chain.terms import Terms
from quire.market.block_pace import BlockPace, Blocks

POINTERS = 256
ENTROPY_BYTES = 31  # of the challenge's 32
WORD_BYTES = 32
SEND_BLOCKS = 2  # that a transaction is given to get into the chain
SEND_SHARE = 0.25  # of a period, at most


class Duty(Enum):
    """What a slot owes in a period, in words."""

    NOT_ASKED = "no proof is asked for in this period"
    REQUIRED = "a proof is required"
    COMING = "a proof will be required later in this period, for the same challenge"
    WRAPS = "its pointer wraps within this period: no proof can be enforced"
    WRAPPED = "its pointer has wrapped in this period: no proof can be enforced"


@dataclass(frozen=True, slots=True)
class Look:
    """What the contract said of a slot, and what is known about the block that it is true for.

    status    as of the next block
    now       chain time, unix seconds
    elapsed   blocks of the status' period that came before that block
    left      blocks from it on that still belong to the period
    to_mark   blocks in which a missing proof of the period can be marked
    is_fast   the chain breaks the rule: see may_be_asked_after_wrap
    """

    status: ProofStatus
    now: float
    elapsed: Blocks
    left: Blocks
    to_mark: Blocks
    is_fast: bool = False

    @classmethod
    def at(
        cls, status: ProofStatus, now: float, elapsed: Blocks, terms: Terms, pace: BlockPace
    ) -> Look:
        """With the time that is left, counted in blocks at the chain's pace."""
        left = pace.within(terms.period_end(status.period) - now)
        is_fast = may_be_asked_after_wrap(terms, pace)
        return cls(status, now, elapsed, left, pace.within(terms.timeout), is_fast)


@dataclass(frozen=True, slots=True)
class PeriodPlan:
    """`latest`: chain time by which a proof's transaction has to be sent, when there is to be one;
    later it may not get into the chain before the period ends. A pointer that may wrap before is
    no reason to give up: only when it has wrapped nothing can be enforced."""

    duty: Duty
    latest: float

    @property
    def is_to_prove(self) -> bool:
        return self.duty in (Duty.REQUIRED, Duty.COMING)


def plan_period(look: Look, terms: Terms, pace: BlockPace) -> PeriodPlan:
    """Decide. To be asked again when blocks came faster or slower than was thought: `later` gives
    the status then."""
    end = terms.period_end(look.status.period)
    return PeriodPlan(_duty(look, terms), end - send_seconds(terms, pace))


def _duty(look: Look, terms: Terms) -> Duty:
    status = look.status
    if not status.is_required and not status.will_be_required:
        return Duty.NOT_ASKED
    if status.pointer + look.left.fewest >= POINTERS:
        return Duty.WRAPS
    if status.is_required:
        return Duty.REQUIRED
    end_of_marking = status.pointer + look.left.most + look.to_mark.most
    stays_down = end_of_marking < terms.downtime
    has_wrapped = status.pointer < look.elapsed.fewest and not look.is_fast
    may_have = status.pointer < look.elapsed.most and stays_down
    return Duty.WRAPPED if has_wrapped or may_have else Duty.COMING


def later(status: ProofStatus, blocks: int, terms: Terms) -> ProofStatus | None:
    """The status so many blocks later in the same period. None when the pointer has wrapped
    meanwhile: then the challenge is another."""
    pointer = status.pointer + blocks
    if not 0 <= pointer < POINTERS:
        return None
    is_asked = status.is_required or status.will_be_required
    return replace(
        status,
        pointer=pointer,
        is_required=is_asked and pointer >= terms.downtime,
        will_be_required=is_asked and pointer < terms.downtime,
    )


def send_seconds(terms: Terms, pace: BlockPace) -> float:
    """How long before its end a transaction has to be sent to get into the chain."""
    return min(SEND_BLOCKS * pace.seconds, SEND_SHARE * terms.period)


def entropy_of(challenge: bytes) -> bytes:
    """What a proof for this challenge is made of: a felt, 32 bytes little-endian."""
    return challenge[:ENTROPY_BYTES].ljust(WORD_BYTES, b"\0")


def may_be_asked_after_wrap(terms: Terms, pace: BlockPace) -> bool:
    """Whether the chain is so fast that a pointer can wrap and leave the downtime again before the
    marking of the period is over: then a slot has to be looked at more than once a period."""
    return (terms.period + terms.timeout) / pace.seconds >= terms.downtime
