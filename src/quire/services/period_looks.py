"""What the contract asks of a host's slots, looked at once a period, and what follows from it.

One call tells the status of every slot as of the next block. Until the period is over it stays true
up to the pointer, which moves with the blocks, so nothing more is asked; only after a
re-organisation, for new slots, and on chains that are too fast for their terms.

Read next: quire.market.period_plan
"""

from __future__ import annotations

from collections.abc import Iterable

from quire.base.errors import Reverted
from quire.chain.port import Batch, Head, Market, ProofStatus
from quire.chain.values import SlotId
from quire.market.block_pace import BlockPace
from quire.market.period_blocks import PeriodBlocks
from quire.market.period_plan import (
    Look,
    PeriodPlan,
    later,
    may_be_asked_after_wrap,
    plan_period,
)
from quire.services.proof_duty import ProofDuty

ASK_TRIES = 3
NO_CHALLENGE = bytes(32)


class PeriodLooks:
    """One chain as its host sees it. Fed with every batch."""

    def __init__(self, market: Market) -> None:
        self.pace = BlockPace(market.terms)
        self.head: Head | None = None
        self._market = market
        self._terms = market.terms
        self._blocks = PeriodBlocks(market.terms)
        self._is_rewound = False
        self._told: Head | None = None  # of the last batch

    @property
    def now(self) -> float:
        """Chain time, unix seconds."""
        return self._market.clock.now()

    @property
    def period(self) -> int:
        """The one that the next block belongs to, as far as this machine knows."""
        period = self._terms.period_of(int(self.now))
        if self.head is not None:
            period = max(period, self._terms.period_of(self.head.timestamp))
        return period

    @property
    def next_block(self) -> int:
        return 0 if self.head is None else self.head.number + 1

    def note(self, batch: Batch) -> bool:
        """A batch that came. Whether all its events are known to be of its head's period."""
        previous, self._told = self._told, batch.head
        if batch.is_rewound:
            self._see(batch.head)
            self._is_rewound = True
            return False
        if self.head is None or batch.head.number > self.head.number:
            self._see(batch.head)  # batches may be told some blocks late, heads are not
        if previous is None:  # what was missed while the node was not running
            return False
        period = self._terms.period_of(batch.head.timestamp)
        return (
            batch.head.number == previous.number + 1
            or self._terms.period_of(previous.timestamp) == period
        )

    async def ask(self, duties: Iterable[ProofDuty]) -> list[tuple[ProofDuty, ProofStatus, int]]:
        """Ask about every slot whose status is not known (any more), in one call: its status, and
        the number of the block that this is true for. Raises ChainUnreachable."""
        asked = [duty for duty in duties if self._is_to_ask(duty)]
        if not asked:
            return []
        was_rewound, self._is_rewound = self._is_rewound, False
        try:
            found, block = await self._ask([duty.slot_id for duty in asked])
        except BaseException:
            self._is_rewound = self._is_rewound or was_rewound
            raise
        return [(duty, status, block) for duty, status in zip(asked, found, strict=True)]

    async def _ask(self, slot_ids: list[SlotId]) -> tuple[list[ProofStatus], int]:
        """Again when a block came meanwhile: then it would not be known what is true for which."""
        if self.head is None:
            self._see(await self._market.head())
        for _ in range(ASK_TRIES):
            block = self.next_block
            found = await self._statuses(slot_ids)
            head = await self._market.head()
            if head.number < block:
                break
            self._see(head)
        return found, block

    async def _statuses(self, slot_ids: list[SlotId]) -> list[ProofStatus]:
        """A slot that the contract does not answer for owes nothing, and costs the others nothing:
        it is found by halving."""
        try:
            return await self._market.proof_statuses(slot_ids)
        except Reverted:
            if len(slot_ids) == 1:
                return [ProofStatus(self.period, False, False, NO_CHALLENGE, 0)]
        half = len(slot_ids) // 2
        return [
            *await self._statuses(slot_ids[:half]),
            *await self._statuses(slot_ids[half:]),
        ]

    def _see(self, head: Head) -> None:
        self.pace.note(head)
        self._blocks.note(head)
        self.head = head

    def _is_to_ask(self, duty: ProofDuty) -> bool:
        if duty.period is None or duty.period < self.period or self._is_rewound:
            return True
        is_open = duty.state in ("idle", "waiting")
        is_fast = may_be_asked_after_wrap(self._terms, self.pace)
        return is_open and is_fast and duty.asked_block != self.next_block

    def plan(self, duty: ProofDuty) -> PeriodPlan | None:
        """What the slot owes as of the next block. None when its pointer has wrapped since it was
        asked about, or it was never."""
        if duty.status is None:
            return None
        status = later(duty.status, self.next_block - duty.asked_block, self._terms)
        if status is None:
            return None
        elapsed = self._blocks.elapsed(status.period, self.next_block)
        look = Look.at(status, self.now, elapsed, self._terms, self.pace)
        return plan_period(look, self._terms, self.pace)
