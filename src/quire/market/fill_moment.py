"""When the proof for filling a slot can be made so that it is still good in the chain.

A fill is proved for the challenge of the block that it gets into: not across the end of a period,
and not across a wrap of the pointer. Whatever is asked for meanwhile does not matter.

Source   market.md 2.5, 2.7, 4.3 (SaleInitialProving)
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.chain.port import ProofStatus
from quire.chain.terms import Terms
from quire.market.block_pace import BlockPace
from quire.market.period_plan import POINTERS, send_seconds


@dataclass(frozen=True, slots=True)
class FillMoment:
    """`at`: chain time at which to look (again) and prove; not later than now when it can be done
    at once, and then `until` is when the transaction has to be sent at the latest."""

    at: float
    until: float
    reason: str


def fill_moment(
    status: ProofStatus, now: float, prove_seconds: float, terms: Terms, pace: BlockPace
) -> FillMoment:
    """Whether to prove for this challenge now, else when to look again.

    status         of the slot, as of the next block
    prove_seconds  that making the proof takes, waiting for its turn included
    """
    sending = send_seconds(terms, pace)
    end = float(terms.period_end(status.period))
    wrap = now + (POINTERS - 1 - status.pointer) * pace.seconds / 2  # if blocks come twice as fast
    needed = now + min(prove_seconds, terms.period - 2 * sending)  # else it would never be enough
    if needed + sending > end:
        return FillMoment(end + 1, end, "too little of this period is left to prove and fill")
    if needed + sending > wrap:
        after = now + (POINTERS - status.pointer) * pace.seconds
        return FillMoment(
            min(after, end + 1), wrap, "the challenge changes before the slot could be filled"
        )
    return FillMoment(now, min(end, wrap) - sending, "the challenge is good until then")
