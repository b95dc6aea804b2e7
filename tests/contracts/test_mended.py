"""What is wrong in the reference's contract and right here, one test for each.

Source   market.md 2.11; the numbers are those of that list (7, the order of state and tokens, is in
         test_reentrancy.py)
"""

from __future__ import annotations

import pytest

from support.contract_kit import HOST, OTHER, RIGHT, STRANGER, THIRD, TOKENS, Setup
from support.contract_world import FILLED, ORDER, PAID, REPAIR, World, reverts

REFUSED = "SlotReservations_ReservationNotAllowed"


@pytest.fixture
def world() -> World:
    return World()


def test_1_collateral_of_a_slot_filled_in_the_second_of_expiry_is_not_stuck(world: World) -> None:
    request = world.request()
    world.machine.to_time(world.market.call("requestExpiry", request))
    slot = world.fill(request)
    world.machine.mine(1, 1)
    world.free(slot)
    assert world.balance(HOST) == TOKENS
    assert world.slot_state(slot) == PAID


def test_1_collateral_of_a_slot_refilled_in_the_last_second_is_not_stuck(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    world.machine.to_time(world.market.call("requestEnd", request))
    world.fill(request, 0, STRANGER)
    world.machine.mine(1, 1)
    world.free(slots[0], STRANGER)
    assert world.balance(STRANGER) == TOKENS + ORDER.stake // 10


def test_2_nobody_reserves_slots_of_requests_that_are_not_there(world: World) -> None:
    for host in (HOST, OTHER, THIRD):
        with reverts(REFUSED):
            world.reserve(bytes([1]) * 32, 0, host)
        assert not world.market.call("canReserveSlot", bytes(32), 0, sender=host)


def test_2_nobody_reserves_slots_beyond_those_of_the_request(world: World) -> None:
    request = world.request()
    for index in (ORDER.slots, 2**64 - 1):
        with reverts(REFUSED):
            world.reserve(request, index)


def test_2_squatters_do_not_block_a_slot_in_repair(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    for host in (HOST, OTHER, THIRD):
        world.reserve(request, 0, host)
    world.machine.mine(1, world.setup.ttl + 1)
    world.fill(request, 0, STRANGER)
    assert world.slot_state(slots[0]) == FILLED


def test_3_a_freed_slot_is_refilled_in_the_same_period(world: World) -> None:
    request = world.request()
    slot = world.fill(request)
    world.free(slot)
    world.fill(request, 0, HOST)
    world.free(slot)
    world.fill(request, 0, OTHER)
    assert world.slot_state(slot) == FILLED


def test_3_what_one_host_missed_is_not_marked_against_the_next(world: World) -> None:
    """Nor is it proved by what the one before proved."""
    request, slots = world.started(ORDER.but(probability=1))
    world.to_required(slots[0])
    period = world.period
    world.market.send(HOST, "submitProof", slots[0], RIGHT)
    world.free(slots[0])
    world.fill(request, 0, OTHER)
    with reverts("Proofs_ProofAlreadySubmitted"):
        world.market.send(OTHER, "submitProof", slots[0], RIGHT)
    world.to_next_period()
    world.machine.mine(1, 1)
    with reverts("Proofs_ProofNotMissing"):
        world.mark(slots[0], period)


def test_4_when_nothing_is_left_withdrawing_still_ends_the_request(world: World) -> None:
    request, _ = world.started()
    world.to_end(request)
    assert world.market.call("myRequests", sender=ORDER.client) == (request,)
    world.withdraw(request)
    assert world.market.call("myRequests", sender=ORDER.client) == ()
    with reverts("Marketplace_NothingToWithdraw"):
        world.withdraw(request)


@pytest.mark.parametrize(
    "changes",
    [
        {"repair_reward": 100, "slash": 50, "max_slashes": 2, "validator_reward": 100},
        {"repair_reward": 100, "validator_reward": 1, "slash": 1, "max_slashes": 1},
        {"repair_reward": 81, "slash": 50, "max_slashes": 2, "validator_reward": 20},
    ],
)
def test_5_a_marketplace_that_could_not_pay_is_not_made(changes: dict[str, int]) -> None:
    with reverts("Marketplace_InsolventConfiguration"):
        World(Setup(**changes))


def test_5_the_repair_reward_is_there_though_all_was_slashed() -> None:
    world = World(Setup(slash=50, max_slashes=2, validator_reward=20, repair_reward=80))
    order = ORDER.but(probability=1)
    request, slots = world.started(order)
    world.evict(slots[0])
    assert world.market.call("burnable") == 0
    world.fill(request, 0, STRANGER)
    assert world.balance(STRANGER) == TOKENS - order.stake + order.stake * 80 // 100


def test_6_what_is_left_of_the_slashed_is_burnt(world: World) -> None:
    request, slots = world.started(ORDER.but(probability=1))
    world.evict(slots[0])
    validators = 5 * (ORDER.stake // 10 // 5)
    assert world.market.call("burnable") == ORDER.stake - validators - ORDER.stake // 10
    world.to_end(request)
    world.withdraw(request)
    for slot, host in zip(slots[1:], (OTHER, THIRD, HOST), strict=True):
        world.free(slot, host)
    assert world.held == world.market.call("burnable") == ORDER.stake - validators
    world.market.send(STRANGER, "burn")
    assert world.held == 0
    received, sent, burned = world.market.call("totals")
    assert received == sent + burned
    assert burned == world.balance("0x000000000000000000000000000000000000dEaD")


def test_8_hosts_that_kept_their_slot_of_a_failed_request_get_their_collateral(
    world: World,
) -> None:
    _, slots = world.started()
    world.free(slots[0])
    world.free(slots[3])
    for slot, host in ((slots[1], OTHER), (slots[2], THIRD)):
        assert world.balance(host) == TOKENS - ORDER.stake
        world.free(slot, host)
        assert world.balance(host) == TOKENS
        assert world.slot_state(slot) == PAID
        with reverts("Marketplace_AlreadyPaid"):
            world.free(slot, host)
    with reverts("Marketplace_InvalidSlotHost"):
        world.free(slots[0])


def test_9_a_host_that_marks_itself_gets_no_reward(world: World) -> None:
    _, slots = world.started(ORDER.but(probability=1))
    before = world.balance(HOST)
    world.mark(slots[0], world.to_missed(slots[0]), HOST)
    assert world.balance(HOST) == before
    assert world.market.call("missingProofs", slots[0]) == 1
    assert world.market.call("burnable") == ORDER.stake // 10 // 5


def test_9_nor_where_it_loses_the_slot_by_it() -> None:
    world = World(Setup(max_slashes=1))
    _, slots = world.started(ORDER.but(probability=1))
    before = world.balance(HOST)
    world.mark(slots[0], world.to_missed(slots[0]), HOST)
    assert world.balance(HOST) == before
    assert world.slot_state(slots[0]) == REPAIR
