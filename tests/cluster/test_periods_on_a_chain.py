"""Periods on a real chain: real proofs in batches, a restart, a dead host that is marked
and evicted by a validator."""

from __future__ import annotations

from functools import partial

import pytest

from quire.chain.terms import Extensions
from quire.chain.values import SlotState
from quire.market.validation import Share
from quire.services.market_feed import MarketFeed
from quire.services.period_prover import PeriodProver
from quire.services.validating import Validator
from quire.store.journal_memory import MemoryJournal
from support.periods_town import HOST, SLOTS, VALIDATOR, filled_slots, proving, town, until


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_host_proves_on_a_real_chain_until_it_dies_and_is_evicted(tmp_path) -> None:
    async with town(tmp_path) as here, here.market(HOST) as host, here.market(VALIDATOR) as other:
        assert Extensions.BATCH_PROOFS in host.terms.extensions
        await here.chain.mine_every(1)
        slots = await filled_slots(here, host)
        journal = MemoryJournal(here.clock)
        feed = MarketFeed(other, MemoryJournal(here.clock), here.events, here.clock)
        validator = Validator(
            other, feed, MemoryJournal(here.clock), share=Share(), events=here.events
        )
        await validator.start()
        await feed.start()

        async def has_looked_twice() -> bool:
            return validator.counts.windows >= 2

        async def has_sent(service: PeriodProver, proofs: int) -> bool:
            return service.counts.submitted >= proofs

        async with proving(here, host, journal, slots) as service:
            await until(partial(has_sent, service, SLOTS))
            assert service.counts.transactions < service.counts.submitted
        async with proving(here, host, journal, slots) as service:
            await until(partial(has_sent, service, SLOTS))
            assert service.counts.late == 0
            assert [await host.missing_proofs(slot) for slot in slots.values()] == [0] * SLOTS
        assert here.told("proof.at-risk") == []
        assert validator.counts.marked == 0
        await until(has_looked_twice)

        async def are_gone() -> bool:
            states = await other.slot_states(list(slots.values()))
            return set(states) == {SlotState.REPAIR}

        tokens = await other.balance()
        await until(are_gone)

        async def has_heard() -> bool:
            return validator.counts.marked == 2 * SLOTS

        await until(has_heard)
        assert await other.balance() > tokens
        assert len(here.told("validator.marked")) == 2 * SLOTS
        await feed.stop()
        await validator.stop()
