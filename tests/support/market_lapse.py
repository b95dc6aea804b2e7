"""The time of a market of real processes, moved on as far as nobody has to do anything in between.

    lapse = Lapse(town, request_id)
    await lapse.next_period()      everybody who is there proves first, then the period is over

Blocks are mined all the while, a second apart as in real time, so that pointers move as they would.

Source   market.md 2.7 to 2.9
"""

from __future__ import annotations

from collections.abc import Collection

from quire.chain.abi import slot_id
from quire.chain.contract_config import ContractConfig
from quire.chain.events import ProofSubmitted
from quire.chain.port import ProofStatus
from quire.chain.quantity import quantity
from quire.chain.values import RequestId, SlotId, SlotState
from support.market_town import K, M, Town

# Time enough to prove on a loaded machine; period and timeout take less blocks than the downtime,
# which is short, as nothing can be marked in it.
LAPSED = ContractConfig(period=24, timeout=12, downtime=40, max_slashes=2)
POINTERS = 256
SLACK = 3  # blocks that may be mined between a question and what follows from the answer


class Lapse:
    """The slots of one request; those that `dead` hosts had are not waited for."""

    def __init__(self, town: Town, request_id: RequestId) -> None:
        self._town = town
        self.request_id = request_id
        self._ids = [slot_id(request_id, slot) for slot in range(K + M)]
        self._over = 0

    async def next_period(self, dead: Collection[int] = ()) -> list[int]:
        """Let everybody prove in this period, and be in the next. The slots for which a miss in it
        could be marked, asked before anybody does."""
        what = f"slots other than {sorted(dead)} are proved"
        await self._town.until(lambda: self._have_proved(dead), what)
        chain = self._town.chain
        head = await chain.head()
        period = chain.terms.period_of(head.timestamp)
        after = chain.terms.period_end(period) + 1
        await self._town.market.chain.mine(after - head.timestamp, seconds_between=1)
        self._over = period
        return await self._unmarked()

    async def holder(self, slot: int) -> str | None:
        """Who has a slot."""
        host = await self._town.chain.host(self._ids[slot])
        return self._town.market.names[host] if host else None

    async def until_marked(self) -> None:
        """Wait until no miss of the period that is over can be marked any more."""

        async def are_marked() -> bool:
            return not await self._unmarked()

        await self._town.until(are_marked, f"the misses of period {self._over} are marked")

    async def _unmarked(self) -> list[int]:
        misses = [(identity, self._over) for identity in self._ids]
        could = await self._town.chain.can_mark_missing(misses)
        return [slot for slot, can in enumerate(could) if can]

    async def _have_proved(self, dead: Collection[int]) -> bool:
        chain = self._town.chain
        head = await chain.head()
        states = await chain.slot_states(self._ids)
        alive = [
            identity
            for slot, identity in enumerate(self._ids)
            if slot not in dead and states[slot] == SlotState.FILLED
        ]
        if not alive:
            return False  # seen between two blocks of a chain that moves
        statuses = await chain.proof_statuses(alive)
        wanted = {
            identity
            for identity, status in zip(alive, statuses, strict=True)
            if self._can_be_enforced(status, head.timestamp)
        }
        return wanted <= await self._proved(statuses[0].period)

    async def _proved(self, period: int) -> set[SlotId]:
        events = await self._town.chain.past_events(await self._first_block(period))
        return {event.slot_id for event in events if isinstance(event, ProofSubmitted)}

    async def _first_block(self, period: int) -> int:
        """Of a period that has begun, or is about to."""
        head = await self._town.chain.head()
        start = self._town.chain.terms.period_start(period)
        number, time = head.number, head.timestamp
        while time >= start:
            number -= 1
            block = await self._town.market.chain.call("eth_getBlockByNumber", hex(number), False)
            time = quantity(block["timestamp"], "block's time")
        return number + 1

    def _can_be_enforced(self, status: ProofStatus, now: int) -> bool:
        """Whether a miss could be marked when the period is over."""
        terms = self._town.chain.terms
        left = max(0, terms.period_end(status.period) - now)
        elapsed = terms.period - left
        if status.is_required:
            return status.pointer + left - SLACK < POINTERS
        has_wrapped = status.pointer < elapsed
        marked_at = status.pointer + left + terms.timeout + SLACK
        return status.will_be_required and marked_at >= terms.downtime and not has_wrapped
