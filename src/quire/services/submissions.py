"""Who brought a slot's proof of a period into the chain."""

from __future__ import annotations

from quire.chain.port import Market, Submission
from quire.chain.values import SlotId
from quire.market.block_pace import BlockPace


async def submission_in(
    market: Market, pace: BlockPace, slot_id: SlotId, period: int
) -> Submission | None:
    """None: nobody yet, or nobody ever. Raises ChainUnreachable."""
    head, start = await market.head(), market.terms.period_start(period)
    back = pace.within(market.clock.now() - start).most + 1
    found = await market.submissions(slot_id, max(0, head.number - back))
    mine = (each for each in found if market.terms.period_of(each.timestamp) == period)
    return next(mine, None)
