"""The market in memory: what a node sees of it."""

import asyncio

import pytest

from quire.base.errors import (
    ChainUnreachable,
    DeadlineExceeded,
    InsufficientFunds,
    NotFound,
    NotMined,
    Reverted,
    UnknownRequest,
)
from quire.chain.abi import request_id, slot_id
from quire.chain.events import (
    ProofSubmitted,
    RequestFulfilled,
    SlotFilled,
    SlotReserved,
    StorageRequested,
)
from quire.chain.memory.market import MemoryMarket
from quire.chain.port import Batch
from quire.chain.values import RequestState, SlotState
from support.memory_world import CLIENT, HOST, OTHER, PROOF, RIGHT_NOW, TOKENS, a_request, a_world

ZERO_PROOF = bytes(256)


def test_a_request_is_filled_started_and_paid() -> None:
    async def story() -> None:
        world = a_world()
        client, host = MemoryMarket(world, CLIENT), MemoryMarket(world, HOST)
        asked = a_request(slots=1)
        rid, sid = request_id(asked), slot_id(request_id(asked), 0)
        receipt = await client.request_storage(asked)
        assert receipt.block == world.head.number
        assert await client.balance() == TOKENS - asked.ask.max_price
        assert await host.can_reserve(rid, 0)
        await host.reserve_slot(rid, 0)
        await host.fill_slot(rid, 0, PROOF)
        assert await client.request_state(rid) is RequestState.STARTED
        assert await host.host(sid) == HOST
        assert await host.current_collateral(sid) == asked.ask.collateral_per_slot
        assert await host.active_slot(sid) == (asked, 0)
        assert await host.my_slots() == [sid]
        assert await client.my_requests() == [rid]

        filled = (await client.head()).timestamp
        world.set_time(await client.request_end(rid) + 1)
        assert await client.request_state(rid) is RequestState.FINISHED
        await host.free_slot(sid)
        await client.withdraw(rid)
        kept = await client.request_end(rid) - filled
        assert await host.balance() == TOKENS + kept * asked.ask.price_per_slot_per_second
        assert await client.balance() + await host.balance() == 2 * TOKENS
        assert await host.slot_states([sid]) == [SlotState.PAID]

    asyncio.run(story())


def test_refusals_come_before_anything_is_sent_and_name_the_contracts_error() -> None:
    async def story() -> None:
        world = a_world()
        client, host = MemoryMarket(world, CLIENT), MemoryMarket(world, HOST)
        rid = request_id(a_request())
        await client.request_storage(a_request())
        at = world.head
        with pytest.raises(Reverted) as refused:
            await host.fill_slot(rid, 0, PROOF)
        assert refused.value.facts["name"] == "Marketplace_ReservationRequired"
        assert world.head == at
        await host.reserve_slot(rid, 0)
        with pytest.raises(Reverted) as refused:
            await host.fill_slot(rid, 0, ZERO_PROOF)
        assert refused.value.facts["name"] == "Proofs_InvalidProof"

    asyncio.run(story())


def test_what_is_unknown_has_errors_of_its_own() -> None:
    async def story() -> None:
        market = MemoryMarket(a_world(), HOST)
        with pytest.raises(UnknownRequest):
            await market.request(bytes(32))
        with pytest.raises(UnknownRequest):
            await market.request_state(bytes(32))
        with pytest.raises(NotFound):
            await market.active_slot(bytes(32))
        assert await market.host(bytes(32)) is None
        assert not await market.can_reserve(bytes(32), 0)

    asyncio.run(story())


def test_too_few_tokens_and_too_little_gas_are_told_before_anything_is_sent() -> None:
    async def story() -> None:
        world = a_world()
        at = world.head
        poor = MemoryMarket(world, bytes.fromhex("ee" * 20))
        with pytest.raises(InsufficientFunds, match="fees"):
            await poor.request_storage(a_request(client=poor.account))
        world.mint(poor.account, tokens=1)
        with pytest.raises(InsufficientFunds, match="more tokens than the 1"):
            await poor.request_storage(a_request(client=poor.account))
        assert world.head == at

    asyncio.run(story())


def test_every_head_is_told_with_what_happened_in_it() -> None:
    async def story() -> None:
        world = a_world()
        client, host = MemoryMarket(world, CLIENT), MemoryMarket(world, HOST)
        told = host.follow(None)
        assert await anext(told) == Batch(world.head)
        asked = a_request(slots=1)
        rid = request_id(asked)
        await client.request_storage(asked)
        requested = (StorageRequested(rid, asked.ask, world.head.timestamp + asked.expiry),)
        assert await anext(told) == Batch(world.head, requested)
        world.mine()
        assert await anext(told) == Batch(world.head)
        await host.reserve_slot(rid, 0)
        until = world.head.timestamp + world.terms.dispersal.ttl
        await host.fill_slot(rid, 0, PROOF)
        both = await anext(told)
        assert both == Batch(
            world.head,
            (
                SlotReserved(rid, 0, HOST, 0, until),
                ProofSubmitted(slot_id(rid, 0)),
                SlotFilled(rid, 0),
                RequestFulfilled(rid),
            ),
        )
        assert await client.past_events(0) == [*requested, *both.events]
        assert await client.past_events(world.head.number) == list(both.events[1:])

    asyncio.run(story())


def test_after_a_reorganisation_the_batch_says_so_and_tells_the_new_blocks() -> None:
    async def story() -> None:
        world = a_world()
        client = MemoryMarket(world, CLIENT)
        told = client.follow(None)
        await anext(told)
        await client.request_storage(a_request())
        before = await anext(told)
        world.mine(2)
        await anext(told)
        world.reorganise(3)
        after = await anext(told)
        assert after.is_rewound
        assert after.head.number == before.head.number + 3
        assert after.events == before.events  # the transaction is in a block again
        assert world.blocks_after(before.head.number - 1)[0].head.hash != before.head.hash

        world.reorganise(4, loses_transactions=True)
        assert await anext(told) == Batch(world.head, (), is_rewound=True)
        assert await client.my_requests() == []
        assert await client.balance() == TOKENS

    asyncio.run(story())


def test_a_follower_from_a_block_that_was_taken_back_is_told_from_the_fork_on() -> None:
    async def story() -> None:
        world = a_world()
        client = MemoryMarket(world, CLIENT)
        await client.request_storage(a_request())
        seen = world.head
        world.reorganise(1)
        batch = await anext(client.follow(seen))
        assert batch.is_rewound
        assert [type(each) for each in batch.events] == [StorageRequested]

    asyncio.run(story())


def test_a_lost_connection_is_an_error_of_its_own_and_what_was_missed_comes_in_one_batch() -> None:
    async def story() -> None:
        world = a_world()
        client, host = MemoryMarket(world, CLIENT), MemoryMarket(world, HOST)
        told = host.follow(None)
        await anext(told)
        host.faults.is_unreachable = True
        with pytest.raises(ChainUnreachable):
            await host.head()
        waiting = asyncio.ensure_future(anext(told))
        await client.request_storage(a_request())
        world.mine(3)
        await asyncio.sleep(0)
        assert not waiting.done()
        host.faults.is_unreachable = False
        world.mine()
        batch = await waiting
        assert batch.head == world.head
        assert len(batch.events) == 1

    asyncio.run(story())


def test_a_call_can_be_made_to_fail_once_before_or_after_it_is_done() -> None:
    async def story() -> None:
        world = a_world()
        client = MemoryMarket(world, CLIENT)
        client.faults.refuse("request_storage", Reverted("told to", name=""))
        with pytest.raises(Reverted):
            await client.request_storage(a_request())
        assert await client.my_requests() == []
        client.faults.lose_answer("request_storage", NotMined("told to"))
        with pytest.raises(NotMined):
            await client.request_storage(a_request())
        assert await client.my_requests() == [request_id(a_request())]

    asyncio.run(story())


def test_a_transaction_waits_for_its_block_and_may_be_refused_in_it() -> None:
    """Two hosts race for the last reservation: both were told that they may."""

    async def story() -> None:
        world = a_world(max_reservations=1)
        client = MemoryMarket(world, CLIENT)
        first, second = MemoryMarket(world, HOST), MemoryMarket(world, OTHER)
        rid = request_id(a_request())
        await client.request_storage(a_request())
        world.automine = False
        gas = await second.gas_balance()
        sent = [asyncio.ensure_future(each.reserve_slot(rid, 0)) for each in (first, second)]
        await asyncio.sleep(0)
        world.mine()
        receipt, refused = await asyncio.gather(*sent, return_exceptions=True)
        assert isinstance(refused, Reverted)
        assert refused.facts["name"] == "SlotReservations_ReservationNotAllowed"
        assert receipt.block == world.head.number
        assert await second.gas_balance() < gas  # a refused transaction is paid for

    asyncio.run(story())


def test_missing_proofs_are_marked_in_one_transaction_which_leaves_out_the_others() -> None:
    async def story() -> None:
        world = a_world(downtime=0, max_slashes=2)
        client, host = MemoryMarket(world, CLIENT), MemoryMarket(world, HOST)
        rid = request_id(a_request(slots=2))
        await client.request_storage(a_request(slots=2))
        for index in range(2):
            await host.reserve_slot(rid, index)
            await host.fill_slot(rid, index, PROOF)
        sids = [slot_id(rid, index) for index in range(2)]
        period = world.terms.period_of(world.head.timestamp) + 1
        world.set_time(world.terms.period_start(period) + 1)
        assert [status.is_required for status in await host.proof_statuses(sids)] == [True, True]
        await host.submit_proofs([(sids[0], PROOF)])
        world.set_time(world.terms.period_end(period) + 1)
        slots = [(sid, period) for sid in sids]
        assert await client.can_mark_missing(slots) == [False, True]
        assert len(await client.mark_missing(slots)) == 1
        assert [await client.missing_proofs(sid) for sid in sids] == [0, 1]
        assert await client.mark_missing(slots) == []

    asyncio.run(story())


def test_by_hand_the_chains_time_moves_with_blocks_alone() -> None:
    async def story() -> None:
        world = a_world()
        clock = MemoryMarket(world, CLIENT).clock
        assert clock.now() == RIGHT_NOW
        waiting = asyncio.ensure_future(clock.until(RIGHT_NOW + 2))
        world.mine()
        await asyncio.sleep(0)
        assert not waiting.done()
        world.mine()
        await waiting
        with pytest.raises(DeadlineExceeded):
            await clock.until(RIGHT_NOW + 3, asyncio.get_running_loop().time())

    asyncio.run(story())
