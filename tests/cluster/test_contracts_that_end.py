"""Paid contracts that come to nothing, with real processes: everybody gets back what is theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.chain.abi import id_text, slot_id
from quire.chain.values import RequestState, SlotState
from quire.faces.local_market import BURNED
from support.market_lapse import LAPSED, Lapse
from support.market_town import COLLATERAL, EXPIRY, PRICE, SLOT_BYTES, K, M, market_town

STAKE = SLOT_BYTES * COLLATERAL


SLASHED = STAKE * LAPSED.slash_percentage // 100
REWARDS = LAPSED.max_slashes * (SLASHED * LAPSED.validator_reward_percentage // 100)


async def evict(lapse: Lapse, dead: list[int]) -> None:
    """Let time pass until the newest of the dead has lost its slot, and nobody else has."""
    while await lapse.holder(dead[-1]) is not None:
        assert set(await lapse.next_period(dead)) <= {dead[-1]}
        await lapse.until_marked()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_contract_that_is_not_filled_in_time_is_cancelled_and_all_are_refunded(
    tmp_path: Path,
) -> None:
    async with market_town(tmp_path) as town:
        await town.start("client")
        (host,) = await town.hosts(1)
        had = {name: await town.tokens(name) for name in ("client", host)}
        request_id = await town.request("client")
        await town.until_slots(request_id, SlotState.FILLED, 1)
        slot = (await town.slot_states(request_id)).index(SlotState.FILLED)
        await town.until_sale(host, request_id, slot, "SaleProving")
        price = (await town.chain.request(request_id)).ask.max_price
        assert await town.tokens("client") == had["client"] - price
        assert await town.tokens(host) == had[host] - STAKE

        await town.market.advance_to(await town.chain.request_expiry(request_id) + 1)
        await town.until_slots(request_id, SlotState.PAID, 1)
        await town.until_purchase("client", request_id, "cancelled")
        await town.until_ended(host, request_id, slot)
        async with town.api(host) as api:
            sale = await api.json("GET", f"/sales/{id_text(slot_id(request_id, slot))}")
            (offer,) = await api.offers()
        seconds = sale["expiresAt"] - sale["filledAt"]
        assert 0 < seconds <= EXPIRY
        assert sale["state"] == "SaleCancelled"
        assert sale["money"]["payout"] == str(seconds * PRICE * SLOT_BYTES)
        assert sale["money"]["returned"] == str(STAKE)
        assert offer["freeSize"] == offer["totalSize"] == SLOT_BYTES
        assert await town.tokens(host) == had[host] + seconds * PRICE * SLOT_BYTES
        assert sum([await town.tokens(name) for name in had]) == sum(had.values())
        assert await town.chain.request_state(request_id) == RequestState.CANCELLED
        assert await town.chain.balance(town.chain.terms.contract) == 0
        await town.adds_up()


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_dead_host_is_slashed_while_a_validator_lives_and_too_many_fail_the_contract(
    tmp_path: Path,
) -> None:
    async with market_town(tmp_path, LAPSED) as town:
        await town.start("validator", is_validator=True)
        await town.start("client")
        await town.hosts(K + M)
        had = {name: await town.tokens(name) for name in town.nodes}
        request_id = await town.request("client")
        await town.until_request(request_id, RequestState.STARTED)
        holders = await town.holders(request_id)
        lapse = Lapse(town, request_id)
        first, second, honest = (str(holders[slot]) for slot in range(K + M))

        await town.stop("validator")
        await town.kill(first, and_delete=True)
        times = 0
        while times < LAPSED.max_slashes:
            times += (await lapse.next_period(dead=[0])) == [0]
        lost = slot_id(request_id, 0)
        assert await town.chain.missing_proofs(lost) == 0
        assert await town.chain.current_collateral(lost) == STAKE
        assert await town.slot_states(request_id) == [SlotState.FILLED] * (K + M)

        await town.start("validator")
        await evict(lapse, [0])
        assert await town.tokens("validator") == had["validator"] + REWARDS
        assert await town.holders(request_id) == [None, second, honest]
        assert (await town.purchase("client", request_id))["state"] == "started"

        await town.kill(second, and_delete=True)
        await evict(lapse, [0, 1])
        await town.until_request(request_id, RequestState.FAILED)
        await town.until_tokens("client", had["client"])
        await town.until_purchase("client", request_id, "errored")
        await town.until_sale(honest, request_id, 2, "SaleErrored")
        assert await town.tokens(honest) == had[honest]
        assert await town.tokens(first) == had[first] - STAKE
        assert await town.tokens(second) == had[second] - STAKE
        assert await town.tokens("validator") == had["validator"] + 2 * REWARDS
        await town.market.burn()
        assert await town.chain.balance(BURNED) == 2 * (STAKE - REWARDS)
        assert await town.chain.balance(town.chain.terms.contract) == 0
        await town.adds_up()
