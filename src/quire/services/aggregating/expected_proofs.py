"""Which slots will want a proof submitted in the present period: those that were served before, as
far as the contract asks them. It says for how many proofs it is worth waiting.
"""

from __future__ import annotations

from collections import OrderedDict

from quire.base.errors import Reverted
from quire.chain.port import Market
from quire.chain.values import SlotId

KNOWN_MAX = 1024


class ExpectedProofs:
    """Of one aggregator."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._known: OrderedDict[SlotId, None] = OrderedDict()
        self._expected: dict[SlotId, None] = {}

    def served(self, slot_id: SlotId) -> None:
        """Its proof came; it is expected no more in this period."""
        self._known[slot_id] = None
        self._known.move_to_end(slot_id)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        self._expected.pop(slot_id, None)

    @property
    def count(self) -> int:
        return len(self._expected)

    async def begin_period(self) -> None:
        """Ask the contract, in one call. Raises ChainUnreachable."""
        self._expected = {}
        known = list(self._known)
        if not known:
            return
        try:
            statuses = await self._market.proof_statuses(known)
        except Reverted:  # one of them is gone; they come again
            self._known.clear()
            return
        for slot_id, status in zip(known, statuses, strict=True):
            if status.is_required or status.will_be_required:
                self._expected[slot_id] = None
