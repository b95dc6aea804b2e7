"""One period's marking by one validator, from the first block of its window to the last."""

from __future__ import annotations

from collections.abc import Sequence, Set

from quire.chain.port import Market
from quire.chain.values import SlotId, SlotState
from quire.market.validation import MarkWindow, blocks_to_wait, in_turn


class MarkRound:
    """`first_block`: the first one that marks can get into; `spread` as in Rivalry."""

    def __init__(self, market: Market, window: MarkWindow, first_block: int, spread: int) -> None:
        self.window = window
        self.gone: list[SlotId] = []  # watched slots that were found not to be filled
        self.checked = 0
        self.transactions = 0
        self.beaten = 0  # marks that others made first
        self._market = market
        self._first_block = first_block
        self._spread = spread
        self._asked_block = -1
        self._candidates: list[SlotId] | None = None
        self._seen: dict[SlotId, None] = {}  # markable, not sent yet
        self._sent: dict[SlotId, None] = {}

    @property
    def has_begun(self) -> bool:
        return self._candidates is not None

    async def look(
        self, block: int, watched: Sequence[SlotId], proved: Set[SlotId], *, is_last: bool
    ) -> list[SlotId]:
        """Look as of a block, once, and mark what is to be marked; what was marked for the first
        time: a mark that a re-organisation took is made again.

        proved   slots whose proof of the period was seen
        is_last  no more blocks are left to others
        Raises   ChainUnreachable, Reverted, InsufficientFunds, NotMined: then it can be repeated
        """
        if block <= self._asked_block:
            return []
        if self._candidates is None:
            await self._choose(watched, proved)
        candidates = self._candidates or []
        markable = await self._markable(candidates)
        for slot in [s for s in self._seen if s not in markable]:
            self.beaten += 1
            del self._seen[slot]
        passed = block - self._first_block
        account, period = self._market.account, self.window.period
        due = [
            slot
            for slot in in_turn(account, markable, period)
            if is_last or passed >= blocks_to_wait(account, slot, period, self._spread)
        ]
        self._seen |= dict.fromkeys(markable)
        fresh = [slot for slot in due if slot not in self._sent]
        if due:
            await self._send(due)
        self._asked_block = block
        return fresh

    async def _choose(self, watched: Sequence[SlotId], proved: Set[SlotId]) -> None:
        states = await self._market.slot_states(watched) if watched else []
        filled: list[SlotId] = []
        for slot, state in zip(watched, states, strict=True):
            (filled if state is SlotState.FILLED else self.gone).append(slot)
        self.checked = len(filled)
        self._candidates = [slot for slot in filled if slot not in proved]

    async def _markable(self, candidates: list[SlotId]) -> dict[SlotId, None]:
        if not candidates:
            return {}
        period = self.window.period
        found = await self._market.can_mark_missing([(slot, period) for slot in candidates])
        return {slot: None for slot, can in zip(candidates, found, strict=True) if can}

    async def _send(self, due: list[SlotId]) -> None:
        receipts = await self._market.mark_missing([(slot, self.window.period) for slot in due])
        self.transactions += len(receipts)
        for slot in due:
            self._seen.pop(slot, None)
            self._sent[slot] = None
