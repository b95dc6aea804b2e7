"""Giving up slots, and being paid for them."""

from __future__ import annotations

import pytest

from support.contract_kit import CLIENT, HOST, OTHER, RIGHT, STRANGER, THIRD, VALIDATOR
from support.contract_world import FILLED, ORDER, PAID, REPAIR, World, reverts, slot_id


@pytest.fixture
def world() -> World:
    return World()


def test_a_slot_that_was_never_filled_cannot_be_freed(world: World) -> None:
    request = world.request()
    with reverts("Marketplace_SlotIsFree"):
        world.free(slot_id(request, 0))


def test_only_its_host_frees_a_slot(world: World) -> None:
    _, slots = world.started()
    for other in (OTHER, CLIENT):
        with reverts("Marketplace_InvalidSlotHost"):
            world.free(slots[0], other)
    world.free(slots[0])
    with reverts("Marketplace_InvalidSlotHost"):
        world.free(slots[0])


def test_freeing_before_the_end_tells_and_costs_the_collateral(world: World) -> None:
    request, slots = world.started()
    before = world.balance(HOST)
    done = world.free(slots[0])
    assert done.named("SlotFreed") == [(request, 0)]
    assert done.named("SlotEvicted") == [(request, 0)]
    assert world.balance(HOST) == before
    assert world.market.call("currentCollateral", slots[0]) == 0


def test_a_freed_slot_is_reserved_and_filled_again(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    assert world.slot_state(slots[0]) == REPAIR
    world.fill(request, 0, STRANGER)
    assert world.slot_state(slots[0]) == FILLED


def test_hosts_are_paid_for_the_time_they_hosted(world: World) -> None:
    request = world.request()
    ends = world.market.call("requestEnd", request)
    due = {}
    for i, host in enumerate((HOST, OTHER, THIRD, STRANGER)):
        world.machine.mine(1, 50)
        world.fill(request, i, host)
        due[host] = (ends - world.machine.time) * ORDER.rate + ORDER.stake
    world.to_end(request)
    for i, (host, amount) in enumerate(due.items()):
        before = world.balance(host)
        world.free(slot_id(request, i), host)
        assert world.balance(host) - before == amount


def test_reward_and_collateral_go_where_the_host_says(world: World) -> None:
    request, slots = world.started()
    world.to_end(request)
    before = {each: world.balance(each) for each in (HOST, STRANGER, VALIDATOR)}
    world.free(slots[0], HOST, STRANGER, VALIDATOR)
    gained = {each: world.balance(each) - was for each, was in before.items()}
    reward = ORDER.duration * ORDER.rate
    assert gained == {HOST: 0, STRANGER: reward, VALIDATOR: ORDER.stake}


def test_one_recipient_gets_one_transfer(world: World) -> None:
    request, slots = world.started()
    world.to_end(request)
    before = world.balance(STRANGER)
    world.free(slots[0], HOST, STRANGER, STRANGER)
    assert world.balance(STRANGER) - before == ORDER.duration * ORDER.rate + ORDER.stake


def test_hosts_of_a_cancelled_request_are_paid_until_its_expiry(world: World) -> None:
    request = world.request()
    world.machine.mine(1, 100)
    slot = world.fill(request)
    world.to_expiry(request)
    before = world.balance(HOST)
    world.free(slot)
    assert world.balance(HOST) - before == ORDER.stake + (ORDER.expiry - 100) * ORDER.rate
    assert world.slot_state(slot) == PAID


def test_reward_and_collateral_are_split_when_cancelled_too(world: World) -> None:
    request = world.request()
    slot = world.fill(request)
    world.to_expiry(request)
    before = world.balance(STRANGER), world.balance(VALIDATOR)
    world.free(slot, HOST, STRANGER, VALIDATOR)
    assert world.balance(STRANGER) - before[0] == ORDER.expiry * ORDER.rate
    assert world.balance(VALIDATOR) - before[1] == ORDER.stake


def test_nothing_is_paid_in_the_last_second(world: World) -> None:
    request, slots = world.started()
    world.machine.to_time(world.market.call("requestEnd", request))
    before = world.balance(HOST)
    world.free(slots[0])
    assert world.balance(HOST) == before
    assert world.slot_state(slots[0]) == REPAIR


def test_a_slot_is_paid_once_and_stays_so(world: World) -> None:
    request, slots = world.started()
    world.to_end(request)
    world.free(slots[0])
    before = world.balance(HOST)
    with reverts("Marketplace_AlreadyPaid"):
        world.free(slots[0])
    with reverts("Marketplace_InvalidSlotHost"):
        world.free(slots[0], OTHER)
    assert world.balance(HOST) == before
    assert world.slot_state(slots[0]) == PAID


def test_a_paid_slot_is_not_filled_again(world: World) -> None:
    request, slots = world.started()
    world.to_end(request)
    world.free(slots[0])
    with reverts("SlotReservations_ReservationNotAllowed"):
        world.reserve(request, 0, STRANGER)
    with reverts("Marketplace_SlotNotFree"):
        world.market.send(HOST, "fillSlot", request, 0, RIGHT)


def test_missed_proofs_are_taken_off_what_is_paid(world: World) -> None:
    request, slots = world.started(ORDER.but(probability=1))
    world.mark(slots[0], world.to_missed(slots[0]))
    world.to_end(request)
    before = world.balance(HOST)
    world.free(slots[0])
    slashed = ORDER.stake // 10
    assert world.balance(HOST) - before == ORDER.duration * ORDER.rate + ORDER.stake - slashed
    assert world.market.call("burnable") == slashed - slashed // 5
