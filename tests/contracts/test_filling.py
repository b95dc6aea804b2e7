"""Filling the slots of a request."""

from __future__ import annotations

import pytest
from eth_utils import to_checksum_address

from support.contract_kit import HOST, OTHER, RIGHT, STRANGER, THIRD, TOKENS, WRONG
from support.contract_world import (
    FILLED,
    ORDER,
    REPAIR,
    STARTED,
    World,
    no_host,
    reverts,
    reverts_with,
    slot_id,
)


@pytest.fixture
def world() -> World:
    return World()


def test_filling_tells_of_proof_and_slot(world: World) -> None:
    request = world.request()
    world.reserve(request, 2)
    done = world.market.send(HOST, "fillSlot", request, 2, RIGHT)
    assert done.named("SlotFilled") == [(request, 2)]
    assert done.named("ProofSubmitted") == [(slot_id(request, 2),)]


def test_a_filled_slot_names_its_host_and_its_request(world: World) -> None:
    request = world.request()
    slot = world.fill(request, 1)
    assert world.slot_state(slot) == FILLED
    assert to_checksum_address(world.market.call("getHost", slot)) == HOST
    found, index = world.market.call("getActiveSlot", slot)
    assert (found[1:], index) == (ORDER.encoded[1:], 1)


def test_an_empty_slot_has_no_host_and_is_not_active(world: World) -> None:
    request = world.request()
    slot = slot_id(request, 0)
    assert no_host(to_checksum_address(world.market.call("getHost", slot)))
    assert world.market.call("currentCollateral", slot) == 0
    with reverts("Marketplace_SlotIsFree"):
        world.market.call("getActiveSlot", slot)


def test_exactly_the_collateral_is_taken(world: World) -> None:
    slot = world.fill(world.request())
    assert world.balance(HOST) == TOKENS - ORDER.stake
    assert world.market.call("currentCollateral", slot) == ORDER.stake


def test_too_small_an_allowance_fills_nothing(world: World) -> None:
    request = world.request()
    world.reserve(request)
    world.token.send(HOST, "approve", world.market.at, ORDER.stake - 1)
    with reverts_with("fb8f41b2"):
        world.market.send(HOST, "fillSlot", request, 0, RIGHT)
    world.token.send(HOST, "approve", world.market.at, ORDER.stake)
    world.market.send(HOST, "fillSlot", request, 0, RIGHT)


def test_a_freed_slot_costs_less_by_the_repair_reward_and_returns_all(world: World) -> None:
    request, slots = world.started()
    world.free(slots[1], OTHER)
    before = world.balance(THIRD)
    world.fill(request, 1, THIRD)
    assert before - world.balance(THIRD) == ORDER.stake - ORDER.stake // 10
    assert world.market.call("currentCollateral", slots[1]) == ORDER.stake
    world.to_end(request)
    before = world.balance(THIRD)
    world.free(slots[1], THIRD)
    assert world.balance(THIRD) - before == ORDER.stake + ORDER.duration * ORDER.rate


def test_filling_needs_a_right_proof(world: World) -> None:
    request = world.request()
    world.reserve(request)
    with reverts("Proofs_InvalidProof"):
        world.market.send(HOST, "fillSlot", request, 0, WRONG)
    assert no_host(to_checksum_address(world.market.call("getHost", slot_id(request, 0))))


def test_filling_needs_a_reservation_of_ones_own(world: World) -> None:
    request = world.request()
    with reverts("Marketplace_ReservationRequired"):
        world.market.send(HOST, "fillSlot", request, 0, RIGHT)
    world.reserve(request, 0, OTHER)
    with reverts("Marketplace_ReservationRequired"):
        world.market.send(HOST, "fillSlot", request, 0, RIGHT)
    world.reserve(request, 1, HOST)
    with reverts("Marketplace_ReservationRequired"):
        world.market.send(HOST, "fillSlot", request, 0, RIGHT)


def test_the_last_of_three_reservations_fills_as_well(world: World) -> None:
    request = world.request()
    for host in (HOST, OTHER, THIRD):
        world.reserve(request, 0, host)
    world.market.send(THIRD, "fillSlot", request, 0, RIGHT)
    with reverts("Marketplace_SlotNotFree"):
        world.market.send(OTHER, "fillSlot", request, 0, RIGHT)


def test_a_filled_slot_is_not_filled_again(world: World) -> None:
    request = world.request()
    world.reserve(request, 0, OTHER)
    world.fill(request, 0, HOST)
    for host in (OTHER, HOST):
        with reverts("Marketplace_SlotNotFree"):
            world.market.send(host, "fillSlot", request, 0, RIGHT)


def test_unknown_requests_and_slots_are_not_filled(world: World) -> None:
    with reverts("Marketplace_UnknownRequest"):
        world.market.send(HOST, "fillSlot", bytes(32), 0, RIGHT)
    request = world.request()
    with reverts("Marketplace_InvalidSlot"):
        world.market.send(HOST, "fillSlot", request, ORDER.slots, RIGHT)


def test_slots_of_a_cancelled_request_are_not_filled(world: World) -> None:
    request = world.request()
    world.reserve(request)
    world.to_expiry(request)
    with reverts("Marketplace_SlotNotFree"):
        world.market.send(HOST, "fillSlot", request, 0, RIGHT)


def test_slots_of_a_finished_request_are_not_filled(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    world.reserve(request, 0, STRANGER)
    world.to_end(request)
    with reverts("Marketplace_SlotNotFree"):
        world.market.send(STRANGER, "fillSlot", request, 0, RIGHT)


def test_slots_of_a_failed_request_are_not_filled(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    world.reserve(request, 0, STRANGER)
    world.free(slots[1], OTHER)
    with reverts("Marketplace_SlotNotFree"):
        world.market.send(STRANGER, "fillSlot", request, 0, RIGHT)


def test_the_last_slot_starts_the_request(world: World) -> None:
    request = world.request()
    for i in range(3):
        world.reserve(request, i)
        done = world.market.send(HOST, "fillSlot", request, i, RIGHT)
        assert not done.named("RequestFulfilled")
    world.reserve(request, 3)
    done = world.market.send(HOST, "fillSlot", request, 3, RIGHT)
    assert done.named("RequestFulfilled") == [(request,)]
    assert world.request_state(request) == STARTED


def test_a_started_request_takes_no_more(world: World) -> None:
    request, _ = world.started()
    for index in range(ORDER.slots):
        with reverts("SlotReservations_ReservationNotAllowed"):
            world.reserve(request, index, STRANGER)
    with reverts("Marketplace_InvalidSlot"):
        world.market.send(STRANGER, "fillSlot", request, ORDER.slots, RIGHT)


def test_refilling_does_not_start_a_request_twice(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    assert world.slot_state(slots[0]) == REPAIR
    world.reserve(request, 0, STRANGER)
    done = world.market.send(STRANGER, "fillSlot", request, 0, RIGHT)
    assert not done.named("RequestFulfilled")
