"""In which state requests and slots are, and when they end."""

from __future__ import annotations

import pytest

from support.contract_kit import OTHER, STRANGER
from support.contract_world import (
    CANCELLED,
    FAILED,
    FILLED,
    FINISHED,
    FREE,
    NEW,
    ORDER,
    PAID,
    REPAIR,
    SLOT_CANCELLED,
    SLOT_FAILED,
    SLOT_FINISHED,
    STARTED,
    World,
    slot_id,
)


@pytest.fixture
def world() -> World:
    return World()


def test_a_request_is_new_until_all_is_filled_and_then_started(world: World) -> None:
    request = world.request()
    for i in range(ORDER.slots):
        assert world.request_state(request) == NEW
        world.fill(request, i)
    assert world.request_state(request) == STARTED


def test_a_request_is_cancelled_after_the_second_of_its_expiry(world: World) -> None:
    request = world.request()
    world.machine.to_time(world.market.call("requestExpiry", request))
    assert world.request_state(request) == NEW
    world.machine.mine(1, 1)
    assert world.request_state(request) == CANCELLED
    world.withdraw(request)
    world.machine.mine(1, 2 * ORDER.duration)
    assert world.request_state(request) == CANCELLED


def test_a_request_is_finished_after_the_second_of_its_end(world: World) -> None:
    request, slots = world.started()
    world.machine.to_time(world.market.call("requestEnd", request))
    assert world.request_state(request) == STARTED
    world.machine.mine(1, 1)
    assert world.request_state(request) == FINISHED
    world.free(slots[0])
    world.withdraw(request)
    world.machine.mine(1, 1)
    assert world.request_state(request) == FINISHED


def test_a_request_fails_when_more_is_lost_than_it_tolerates(world: World) -> None:
    request, slots = world.started(ORDER.but(max_slot_loss=2))
    world.free(slots[0])
    world.free(slots[1], OTHER)
    assert world.request_state(request) == STARTED
    world.free(slots[3])
    assert world.request_state(request) == FAILED
    world.machine.mine(1, 2 * ORDER.duration)
    assert world.request_state(request) == FAILED


def test_a_repaired_slot_is_no_loss(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    world.fill(request, 0, STRANGER)
    world.free(slots[1], OTHER)
    assert world.request_state(request) == STARTED


def test_a_request_does_not_fail_before_it_started(world: World) -> None:
    request = world.request()
    slots = [world.fill(request, i) for i in range(3)]
    for slot in slots:
        done = world.free(slot)
        assert not done.named("RequestFailed")
    assert world.request_state(request) == NEW


def test_the_end_is_that_of_the_duration_while_it_runs(world: World) -> None:
    request = world.request()
    ends = world.machine.time + ORDER.duration
    assert world.market.call("requestEnd", request) == ends
    assert world.market.call("requestExpiry", request) == world.machine.time + ORDER.expiry
    for i in range(ORDER.slots):
        world.fill(request, i)
    assert world.market.call("requestEnd", request) == ends
    world.to_end(request)
    assert world.market.call("requestEnd", request) == ends


def test_the_end_of_a_cancelled_request_is_its_expiry(world: World) -> None:
    request = world.request()
    expires = world.machine.time + ORDER.expiry
    world.to_expiry(request)
    assert world.market.call("requestEnd", request) == expires
    assert world.market.call("requestExpiry", request) == expires


def test_the_end_of_a_failed_request_is_past_at_once(world: World) -> None:
    request, slots = world.started()
    world.machine.mine(1, 100)
    world.free(slots[0])
    world.free(slots[1], OTHER)
    failed = world.machine.time
    assert world.market.call("requestEnd", request) == failed - 1
    world.machine.mine(1, 10)
    assert world.market.call("requestEnd", request) == failed - 1


def test_a_slot_is_free_then_filled(world: World) -> None:
    request = world.request()
    assert world.slot_state(slot_id(request, 0)) == FREE
    slot = world.fill(request)
    assert world.slot_state(slot) == FILLED


def test_a_slot_ends_as_its_request_does(world: World) -> None:
    finished, slots = world.started()
    cancelled = world.request(ORDER.but(nonce=bytes(32)))
    half = world.fill(cancelled)
    untouched = slot_id(cancelled, 1)
    world.to_expiry(cancelled)
    assert world.slot_state(half) == SLOT_CANCELLED
    assert world.slot_state(untouched) == FREE
    world.to_end(finished)
    assert world.slot_state(slots[0]) == SLOT_FINISHED


def test_slots_of_a_failed_request_failed(world: World) -> None:
    _, slots = world.started()
    world.free(slots[0])
    assert world.slot_state(slots[0]) == REPAIR
    world.free(slots[1], OTHER)
    assert [world.slot_state(slot) for slot in slots] == [SLOT_FAILED] * 4


def test_a_slot_whose_host_missed_too_much_is_in_repair(world: World) -> None:
    _, slots = world.started(ORDER.but(probability=1))
    world.evict(slots[0])
    assert world.slot_state(slots[0]) == REPAIR


def test_a_paid_slot_stays_paid(world: World) -> None:
    request, slots = world.started()
    world.to_end(request)
    world.free(slots[0])
    world.withdraw(request)
    world.machine.mine(5, 1000)
    assert world.slot_state(slots[0]) == PAID


def test_many_states_are_told_at_once(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    asked = [*slots, slot_id(request, 9), bytes(32)]
    assert world.market.call("slotStates", asked) == (REPAIR, FILLED, FILLED, FILLED, FREE, FREE)
