"""What every `Market` must do. Subclass and give a `town` fixture: a new contract and accounts.

Proofs are asked for in every period from the one after the filling on (no downtime, probability
1), a period has 30 seconds, two misses cost a slot. The verifier takes all but the proof of zeros.
"""

from __future__ import annotations

import asyncio

import pytest

from conform.market_kit import (
    PATIENCE,
    Heard,
    Town,
    asked,
    fill,
    into_marking,
    next_period,
    same,
)
from quire.base.errors import (
    DeadlineExceeded,
    InsufficientFunds,
    NotFound,
    Reverted,
    UnknownRequest,
)
from quire.chain.events import (
    ProofSubmitted,
    RequestCancelled,
    RequestFailed,
    RequestFulfilled,
    SlotEvicted,
    SlotFilled,
    SlotFreed,
    SlotReserved,
    StorageRequested,
)
from quire.chain.values import RequestState, SlotState
from support.memory_world import PROOF, a_request

ZEROS = bytes(256)


class MarketConformance:
    """The suite; pytest collects it through its subclasses."""

    async def test_who_brought_a_proof_into_the_chain_can_be_found(self, town: Town) -> None:
        host, other = town.host, town.other
        _, rid, slots = await asked(town, slots=2, duration=3600)
        await fill(host, rid, [0, 1])
        await host.set_proof_delegate(other.account, True)
        period = await next_period(town)
        first = (await host.head()).number
        assert await host.submissions(slots[0], first + 1) == []
        receipt = await other.submit_proofs([(slot, PROOF) for slot in slots])
        found, *before = await host.submissions(slots[1], 0)
        assert [each.sender for each in before] == [host.account]  # it was filled with one
        assert (found.hash, found.block) == (receipt.hash, receipt.block)
        assert found.sender == other.account
        assert host.terms.period_of(found.timestamp) == period
        assert await host.submissions(slots[1], receipt.block) == [found]

    async def test_a_contract_is_bought_filled_proved_and_paid(self, town: Town) -> None:
        client, host = town.client, town.host
        tokens = await client.balance()
        async with Heard(town.validator) as heard:
            request, rid, slots = await asked(town, slots=2, duration=3600)
            assert await client.balance() == tokens - request.ask.max_price
            assert await client.my_requests() == [rid]
            assert await host.request(rid) == request
            assert await host.request_state(rid) is RequestState.NEW
            await fill(host, rid, [0, 1])
            assert await host.request_state(rid) is RequestState.STARTED
            assert await host.slot_states(slots) == [SlotState.FILLED] * 2
            assert await client.host(slots[1]) == host.account
            assert await host.active_slot(slots[1]) == (request, 1)
            assert await host.my_slots() == slots
            collateral = request.ask.collateral_per_slot
            assert await host.current_collateral(slots[0]) == collateral
            assert await host.balance() == tokens - 2 * collateral
            await next_period(town)
            assert [s.is_required for s in await host.proof_statuses(slots)] == [True, True]
            receipt = await host.submit_proofs([(slot, PROOF) for slot in slots])
            assert receipt.gas_used > 0
            end = await client.request_end(rid)
            await town.warp(end + 1)
            assert await client.request_state(rid) is RequestState.FINISHED
            assert await host.slot_states(slots) == [SlotState.FINISHED] * 2
            for slot in slots:
                await host.free_slot(slot)
            await client.withdraw(rid)
            assert await host.slot_states(slots) == [SlotState.PAID] * 2
            assert await host.my_slots() == []
            assert await client.balance() + await host.balance() == 2 * tokens
            assert await host.balance() > tokens
            expiry = await client.request_expiry(rid)
            await heard.until(lambda: len(heard.events) >= 10)
        kinds = [type(event) for event in heard.events]
        assert heard.events[0] == StorageRequested(rid, request.ask, expiry)
        reserved = heard.events[1]
        assert isinstance(reserved, SlotReserved)
        assert (reserved.slot_index, reserved.host, reserved.reservation) == (0, host.account, 0)
        assert kinds[2:4] == [ProofSubmitted, SlotFilled]
        assert heard.events[6:8] == [SlotFilled(rid, 1), RequestFulfilled(rid)]
        assert heard.events[8:10] == [ProofSubmitted(slots[0]), ProofSubmitted(slots[1])]

    async def test_missed_proofs_are_marked_and_cost_the_slot_and_another_host_repairs(
        self, town: Town
    ) -> None:
        host, other, validator = town.host, town.other, town.validator
        request, rid, slots = await asked(town, slots=2, max_slot_loss=1)
        await fill(host, rid, [0])
        await fill(other, rid, [1])
        await next_period(town)
        await other.submit_proofs([(slots[1], PROOF)])
        period = await into_marking(town)
        both = [(slot, period) for slot in slots]
        assert await validator.can_mark_missing(both) == [True, False]
        before = await validator.balance()
        receipts = await validator.mark_missing(both)
        assert len(receipts) == 1
        assert await host.missing_proofs(slots[0]) == 1
        collateral = request.ask.collateral_per_slot
        slashed = collateral * 20 // 100
        assert await validator.balance() == before + slashed * 20 // 100
        assert await host.current_collateral(slots[0]) == collateral - slashed
        assert await validator.mark_missing(both) == []
        await other.submit_proofs([(slots[1], PROOF)])
        async with Heard(validator) as heard:
            period = await into_marking(town)
            await validator.mark_missing([(slots[0], period)])
            assert await host.slot_states(slots) == [SlotState.REPAIR, SlotState.FILLED]
            assert await host.host(slots[0]) is None
            before = await town.client.balance()
            await town.client.register()
            tokens = await host.balance()
            await fill(host, rid, [0])
            assert await host.balance() == tokens - (collateral - collateral // 10)
            await heard.until(lambda: SlotFilled(rid, 0) in heard.events)
        assert SlotEvicted(rid, 0) in heard.events
        assert SlotFreed(rid, 0) in heard.events

    async def test_a_request_fails_when_more_is_lost_than_may_be(self, town: Town) -> None:
        host, client = town.host, town.client
        tokens = await client.balance()
        _, rid, slots = await asked(town, slots=2, max_slot_loss=1)
        await fill(host, rid, [0])
        await fill(town.other, rid, [1])
        async with Heard(client) as heard:
            await host.free_slot(slots[0])
            assert await client.request_state(rid) is RequestState.STARTED
            await town.other.free_slot(slots[1])
            await heard.until(lambda: RequestFailed(rid) in heard.events)
        assert await client.request_state(rid) is RequestState.FAILED
        await client.withdraw(rid)
        assert await client.balance() == tokens

    async def test_a_request_that_is_not_filled_is_cancelled(self, town: Town) -> None:
        client, host = town.client, town.host
        tokens = await client.balance()
        _, rid, slots = await asked(town, slots=2)
        await fill(host, rid, [0])
        await town.warp(await client.request_expiry(rid) + 1)
        assert await client.request_state(rid) is RequestState.CANCELLED
        assert await client.slot_states(slots) == [SlotState.CANCELLED, SlotState.FREE]
        recipient = b"\x77" * 20
        await host.free_slot(slots[0], reward_recipient=recipient)
        async with Heard(client) as heard:
            await client.withdraw(rid)
            await heard.until(lambda: RequestCancelled(rid) in heard.events)
        assert await client.balance() + await client.balance(recipient) == tokens
        assert await host.balance() == tokens

    async def test_what_is_not_there_is_told(self, town: Town) -> None:
        market, nothing = town.host, b"\5" * 32
        for ask in (market.request, market.request_state, market.request_end):
            with pytest.raises(UnknownRequest):
                await ask(nothing)
        with pytest.raises(UnknownRequest):
            await market.request_expiry(nothing)
        with pytest.raises(NotFound):
            await market.active_slot(nothing)
        assert await market.host(nothing) is None
        assert await market.slot_states([nothing]) == [SlotState.FREE]
        assert await market.slot_states([]) == []
        assert await market.proof_statuses([]) == []
        assert await market.can_mark_missing([(nothing, 1)]) == [False]
        assert await market.mark_missing([]) == []
        assert await market.current_collateral(nothing) == 0
        assert await market.missing_proofs(nothing) == 0
        assert not await market.can_reserve(nothing, 0)
        (status,) = await market.proof_statuses([nothing])
        assert not status.is_required
        assert not status.will_be_required
        assert await market.my_slots() == []
        assert await market.my_requests() == []

    @pytest.mark.parametrize(
        ("changed", "name"),
        [
            ({"expiry": 3600}, "Marketplace_InvalidExpiry"),
            ({"expiry": 0}, "Marketplace_InvalidExpiry"),
            ({"slots": 0}, "Marketplace_InsufficientSlots"),
            ({"max_slot_loss": 4}, "Marketplace_InvalidMaxSlotLoss"),
            ({"proof_probability": 0}, "Marketplace_InsufficientProofProbability"),
            ({"collateral_per_byte": 0}, "Marketplace_InsufficientCollateral"),
            ({"price_per_byte_per_second": 0}, "Marketplace_InsufficientReward"),
            ({"duration": 31 * 86400}, "Marketplace_DurationExceedsLimit"),
        ],
    )
    async def test_a_request_that_cannot_be_is_refused_by_name(
        self, town: Town, changed, name
    ) -> None:
        tokens, head = await town.client.balance(), await town.client.head()
        with pytest.raises(Reverted) as refused:
            await asked(town, **changed)
        assert refused.value.facts["name"] == name
        assert await town.client.balance() == tokens
        assert (await town.client.head()).number == head.number

    async def test_what_is_refused_is_refused_by_name_before_it_is_sent(self, town: Town) -> None:
        host, other, client = town.host, town.other, town.client
        request, rid, slots = await asked(town)
        number = (await host.head()).number

        async def refused(doing) -> str:
            with pytest.raises(Reverted) as error:
                await doing
            return error.value.facts["name"]

        again = client.request_storage(request)
        assert await refused(again) == "Marketplace_RequestAlreadyExists"
        assert await refused(other.request_storage(request)) == "Marketplace_InvalidClientAddress"
        unreserved = host.fill_slot(rid, 0, PROOF)
        assert await refused(unreserved) == "Marketplace_ReservationRequired"
        assert await refused(host.free_slot(slots[0])) == "Marketplace_SlotIsFree"
        assert await refused(client.withdraw(rid)) == "Marketplace_InvalidState"
        unknown = host.reserve_slot(b"\5" * 32, 0)
        assert await refused(unknown) == "SlotReservations_ReservationNotAllowed"
        beyond = host.reserve_slot(rid, 3)
        assert await refused(beyond) == "SlotReservations_ReservationNotAllowed"
        assert (await host.head()).number == number
        await host.reserve_slot(rid, 0)
        twice = host.reserve_slot(rid, 0)
        assert await refused(twice) == "SlotReservations_ReservationNotAllowed"
        assert await refused(host.fill_slot(rid, 0, ZEROS)) == "Proofs_InvalidProof"
        await host.fill_slot(rid, 0, PROOF)
        await other.reserve_slot(rid, 1)
        again = host.submit_proofs([(slots[0], PROOF)])
        assert await refused(again) == "Proofs_ProofAlreadySubmitted"
        foreign = other.submit_proofs([(slots[0], PROOF)])
        assert await refused(foreign) == "Marketplace_ProofNotSubmittedByHost"
        assert await refused(other.free_slot(slots[0])) == "Marketplace_InvalidSlotHost"

    async def test_a_reservation_can_be_seen(self, town: Town) -> None:
        _, rid, _ = await asked(town)
        assert await town.host.can_reserve(rid, 0)
        assert await town.host.eligible_from(rid, 0) <= (await town.host.head()).timestamp + 1
        await town.host.reserve_slot(rid, 0)
        assert not await town.host.can_reserve(rid, 0)
        assert await town.other.can_reserve(rid, 0)

    async def test_too_few_tokens_are_told_before_anything_is_sent(self, town: Town) -> None:
        number = (await town.client.head()).number
        with pytest.raises(InsufficientFunds):
            await asked(town, price_per_byte_per_second=10**12)
        _, rid, _ = await asked(town, collateral_per_byte=10**12)
        await town.host.reserve_slot(rid, 0)
        with pytest.raises(InsufficientFunds):
            await town.host.fill_slot(rid, 0, PROOF)
        assert (await town.client.head()).number > number
        assert await town.host.my_slots() == []

    async def test_challenges_hold_while_the_pointer_moves(self, town: Town) -> None:
        _, rid, slots = await asked(town, slots=2)
        await fill(town.host, rid, [0, 1])
        first = await town.host.proof_statuses(slots)
        assert [s.is_required or s.will_be_required for s in first] == [False, False]
        period = await next_period(town)
        before = await town.host.proof_statuses(slots)
        await town.mine()
        after = await town.host.proof_statuses(slots)
        for one, other in zip(before, after, strict=True):
            assert one.period == other.period == period
            assert (one.pointer + 1) % 256 == other.pointer
            assert one.pointer == 255 or one.challenge == other.challenge
            assert len(one.challenge) == 32
        assert before[0].challenge != before[1].challenge
        assert await town.validator.proof_statuses(slots) == after

    async def test_events_of_the_past_are_those_that_were_told(self, town: Town) -> None:
        start = await town.client.head()
        async with Heard(town.client, start) as heard:
            _, rid, _ = await asked(town, slots=1)
            await fill(town.host, rid, [0])
            await heard.until(lambda: RequestFulfilled(rid) in heard.events)
            assert await town.host.past_events(start.number + 1) == heard.events
        async with Heard(town.other, start) as late:
            await late.until(lambda: RequestFulfilled(rid) in late.events)
            assert late.events == heard.events

    async def test_since_when_a_slot_is_filled_is_told_to_the_second(self, town: Town) -> None:
        _, rid, _ = await asked(town, slots=2)
        await fill(town.host, rid, [0])
        head = await town.host.head()
        await town.mine()
        await town.mine()
        assert await town.client.filled_at(rid, 0, 0) == head.timestamp
        assert await town.client.filled_at(rid, 0, head.number) == head.timestamp
        assert await town.client.filled_at(rid, 0, head.number + 1) is None
        assert await town.client.filled_at(rid, 1, 0) is None

    async def test_a_head_is_told_for_each_block(self, town: Town) -> None:
        async with Heard(town.client) as heard:
            await town.mine()
            head = await town.client.head()
            await heard.until(lambda: heard.batches[-1].head == head)

    @pytest.mark.parametrize("step", ["requested", "reserved", "filled", "proved"])
    async def test_what_blocks_that_are_taken_back_had_said_comes_again(
        self, town: Town, step: str
    ) -> None:
        client, host = town.client, town.host
        async with Heard(town.validator) as heard:
            _, rid, slots = await asked(town, slots=1)
            if step != "requested":
                await host.reserve_slot(rid, 0)
            if step in ("filled", "proved"):
                await host.fill_slot(rid, 0, PROOF)
            if step == "proved":
                await next_period(town)
                await host.submit_proofs([(slots[0], PROOF)])
            told = (await client.head()).number
            await heard.until(lambda: heard.batches[-1].head.number >= told)
            wanted = heard.events[-1]
            count = heard.events.count(wanted)
            await town.rewind(1)
            await heard.until(lambda: any(batch.is_rewound for batch in heard.batches))
            await heard.until(lambda: len([e for e in heard.events if same(e, wanted)]) > count)
        expected = {"requested": RequestState.NEW, "reserved": RequestState.NEW}
        state = expected.get(step, RequestState.STARTED)
        assert await client.request_state(rid) is state
        assert await host.can_reserve(rid, 0) == (step == "requested")

    async def test_the_clock_follows_the_chain(self, town: Town) -> None:
        clock = town.client.clock
        head = await town.client.head()
        assert clock.now() >= head.timestamp
        target = head.timestamp + 5000
        waiting = asyncio.create_task(clock.until(target))
        await asyncio.sleep(0)
        assert not waiting.done()
        await town.warp(target)
        async with asyncio.timeout(PATIENCE):
            await waiting
        assert clock.now() >= target
        with pytest.raises(DeadlineExceeded):
            await clock.until(target + 10**6, asyncio.get_running_loop().time() + 0.05)

    async def test_a_host_registers_once(self, town: Town) -> None:
        await town.host.register()
        with pytest.raises(Reverted) as refused:
            await town.host.register()
        assert refused.value.facts["name"] == "Registry_AlreadyRegistered"

    async def test_accounts_have_gas_and_pay_with_it(self, town: Town) -> None:
        gas = await town.client.gas_balance()
        receipt = await town.client.request_storage(a_request(town.client.account))
        assert receipt.block <= (await town.client.head()).number
        assert await town.client.gas_balance() < gas
