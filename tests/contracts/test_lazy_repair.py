"""Lost slots that open together."""

from __future__ import annotations

import pytest

from support.contract_kit import HOST, OTHER, STRANGER, THIRD, Outcome, Setup
from support.contract_world import FAILED, HOSTS, ORDER, REPAIR, World, reverts

WIDE = ORDER.but(slots=10, max_slot_loss=8)
LAZY = Setup(threshold=3, max_delay=500)
REFUSED = "SlotReservations_ReservationNotAllowed"


def lose(world: World, slots: list[bytes], index: int) -> Outcome:
    return world.free(slots[index], HOSTS[index % 3])


def opened(done: Outcome) -> list[int]:
    return [index for _, index in done.named("SlotFreed")]


def test_slots_open_when_enough_are_lost_in_the_order_of_their_loss() -> None:
    world = World(LAZY)
    request, slots = world.started(WIDE)
    for index in (7, 2):
        done = lose(world, slots, index)
        assert done.named("SlotEvicted") == [(request, index)]
        assert opened(done) == []
        assert world.slot_state(slots[index]) == REPAIR
        with reverts(REFUSED):
            world.reserve(request, index, STRANGER)
    assert opened(lose(world, slots, 5)) == [7, 2, 5]
    for index in (2, 5, 7):
        world.fill(request, index, STRANGER)


def test_a_slot_lost_later_waits_anew() -> None:
    world = World(LAZY)
    request, slots = world.started(WIDE)
    for index in (0, 1, 2):
        lose(world, slots, index)
    world.fill(request, 0, STRANGER)
    world.fill(request, 1, STRANGER)
    assert opened(lose(world, slots, 3)) == []
    assert opened(lose(world, slots, 4)) == [3, 4]  # with slot 2, which is still open


def test_slots_open_when_one_has_waited_long_enough() -> None:
    world = World(LAZY)
    request, slots = world.started(WIDE)
    lose(world, slots, 4)
    world.machine.mine(1, 499)
    with reverts("Marketplace_RepairNotDue"):
        world.market.send(STRANGER, "openRepair", request)
    world.machine.mine(1, 1)
    assert opened(world.market.send(STRANGER, "openRepair", request)) == [4]
    world.fill(request, 4, STRANGER)
    with reverts("Marketplace_RepairNotDue"):
        world.market.send(STRANGER, "openRepair", request)


def test_the_next_loss_opens_those_that_have_waited_long_enough() -> None:
    world = World(LAZY)
    _, slots = world.started(WIDE)
    lose(world, slots, 4)
    world.machine.mine(1, 500)
    assert opened(lose(world, slots, 6)) == [4, 6]


def test_slots_open_when_the_margin_is_small() -> None:
    world = World(LAZY.but(threshold=8, min_margin=6))
    _, slots = world.started(WIDE)
    assert opened(lose(world, slots, 0)) == []
    assert opened(lose(world, slots, 1)) == [0, 1]  # 8 - 2 losses are left


@pytest.mark.parametrize(
    ("tolerance", "lost"), [(0, 1), (1, 1), (3, 1), (4, 2), (5, 2), (8, 4), (9, 4)]
)
def test_without_a_threshold_the_tolerance_gives_it(tolerance: int, lost: int) -> None:
    world = World(LAZY.but(threshold=0))
    _, slots = world.started(ORDER.but(slots=10, max_slot_loss=tolerance))
    for index in range(lost - 1):
        assert opened(lose(world, slots, index)) == []
    assert opened(lose(world, slots, lost - 1)) == list(range(lost))


def test_before_the_start_slots_open_at_once() -> None:
    world = World(LAZY)
    request = world.request(WIDE)
    slot = world.fill(request)
    assert opened(world.free(slot)) == [0]
    world.fill(request)


def test_without_a_delay_slots_open_at_once() -> None:
    world = World()
    request, slots = world.started(WIDE)
    for index in range(4):
        assert opened(lose(world, slots, index)) == [index]
    with reverts("Marketplace_RepairNotDue"):
        world.market.send(STRANGER, "openRepair", request)


def test_the_loss_that_fails_a_request_tells_all_in_order() -> None:
    world = World(LAZY.but(threshold=5))
    request, slots = world.started(ORDER.but(slots=6, max_slot_loss=1))
    done = lose(world, slots, 0)
    assert opened(done) == [0]  # no loss is left
    done = lose(world, slots, 1)
    names = [event.name for event in done.events]
    assert names == ["SlotEvicted", "SlotFreed", "RequestFailed"]
    assert world.request_state(request) == FAILED


def test_nothing_opens_when_the_request_ended() -> None:
    world = World(LAZY)
    request, slots = world.started(WIDE)
    lose(world, slots, 0)
    world.to_end(request)
    with reverts("Marketplace_RepairNotDue"):
        world.market.send(STRANGER, "openRepair", request)
    with reverts("Marketplace_UnknownRequest"):
        world.market.send(STRANGER, "openRepair", bytes(32))


def test_lost_slots_are_listed_until_they_are_filled() -> None:
    world = World(LAZY)
    request, slots = world.started(WIDE)
    assert world.market.call("freeSlots", request) == (0, (0,))
    for index in (1, 4, 9):
        lose(world, slots, index)
    assert world.market.call("freeSlots", request) == (3, (1 << 1 | 1 << 4 | 1 << 9,))
    world.fill(request, 4, STRANGER)
    assert world.market.call("freeSlots", request) == (2, (1 << 1 | 1 << 9,))


def test_many_slots_have_many_words_of_bits() -> None:
    world = World()
    request = world.request(ORDER.but(slots=300))
    slot = world.fill(request, 299)
    world.free(slot)
    assert world.market.call("freeSlots", request) == (1, (0, 1 << 43))


def test_the_window_of_a_slot_starts_when_it_opens() -> None:
    world = World(LAZY.but(h_bps=1000, repair_window=100))
    request = world.request(WIDE)
    world.machine.mine(1, ORDER.expiry)
    slots = [world.fill(request, i, (HOST, OTHER, THIRD)[i % 3]) for i in range(10)]
    lose(world, slots, 4)
    world.machine.mine(5, 500)
    world.market.send(STRANGER, "openRepair", request)
    start = world.machine.time
    world.machine.mine(1, 1)
    opens, _ = world.market.call("eligibleFrom", STRANGER, request, 4)
    assert start < opens <= start + 95
