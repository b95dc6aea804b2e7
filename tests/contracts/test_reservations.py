"""Reserving slots, where there is no window."""

from __future__ import annotations

import pytest
from eth_utils import to_checksum_address

from support.contract_kit import CLIENT, HOST, OTHER, RIGHT, STRANGER, THIRD, Setup
from support.contract_world import ORDER, World, reverts, slot_id

REFUSED = "SlotReservations_ReservationNotAllowed"


@pytest.fixture
def world() -> World:
    return World()


def hosts_of(world: World, slot: bytes) -> list[str]:
    hosts, _ = world.market.call("reservationsOf", slot)
    return [to_checksum_address(host) for host in hosts]


def can(world: World, request: bytes, index: int, host: str) -> bool:
    return world.market.call("canReserveSlot", request, index, sender=host)


def test_a_free_slot_is_reserved_by_as_many_as_may(world: World) -> None:
    request = world.request()
    assert hosts_of(world, slot_id(request, 0)) == []
    for host in (HOST, OTHER, THIRD):
        assert can(world, request, 0, host)
        world.reserve(request, 0, host)
        assert not can(world, request, 0, host)
    assert hosts_of(world, slot_id(request, 0)) == [HOST, OTHER, THIRD]
    assert not can(world, request, 0, STRANGER)
    with reverts(REFUSED):
        world.reserve(request, 0, STRANGER)


def test_when_it_was_reserved_is_told(world: World) -> None:
    request = world.request()
    first = world.machine.time
    world.reserve(request, 0, HOST)
    world.machine.mine(1, 7)
    done = world.reserve(request, 0, OTHER)
    assert world.market.call("reservationsOf", slot_id(request, 0))[1] == (first, first + 7)
    until = first + 7 + world.setup.ttl
    assert done.named("SlotReserved") == [(request, 0, OTHER.lower(), 1, until)]


def test_nobody_reserves_a_slot_twice(world: World) -> None:
    request = world.request()
    world.reserve(request)
    with reverts(REFUSED):
        world.reserve(request)


def test_one_host_may_reserve_all_slots_of_a_request(world: World) -> None:
    request = world.request()
    for index in range(ORDER.slots):
        world.reserve(request, index)


def test_full_is_told_exactly_when_it_is(world: World) -> None:
    request = world.request()
    told = [
        world.reserve(request, 1, host).named("SlotReservationsFull")
        for host in (HOST, OTHER, THIRD)
    ]
    assert told == [[], [], [(request, 1)]]


def test_a_filled_slot_is_not_reserved(world: World) -> None:
    request = world.request()
    world.fill(request)
    assert not can(world, request, 0, OTHER)
    with reverts(REFUSED):
        world.reserve(request, 0, OTHER)


def test_slots_of_requests_that_ended_are_not_reserved(world: World) -> None:
    cancelled = world.request()
    world.to_expiry(cancelled)
    with reverts(REFUSED):
        world.reserve(cancelled)
    finished, slots = world.started(ORDER.but(nonce=bytes(32)))
    failed, lost = world.started(ORDER.but(nonce=bytes([1]) * 32))
    world.free(slots[0])
    world.free(lost[0])
    world.free(lost[1], OTHER)
    world.to_end(finished)
    for request in (finished, failed):
        for index in range(ORDER.slots):
            with reverts(REFUSED):
                world.reserve(request, index, STRANGER)


def test_a_slot_in_repair_is_reserved_anew(world: World) -> None:
    request = world.request()
    for host in (HOST, OTHER, THIRD):
        world.reserve(request, 0, host)
    world.market.send(HOST, "fillSlot", request, 0, RIGHT)
    world.free(slot_id(request, 0))
    assert hosts_of(world, slot_id(request, 0)) == []
    with reverts("Marketplace_ReservationRequired"):
        world.market.send(OTHER, "fillSlot", request, 0, RIGHT)
    for host in (HOST, STRANGER, THIRD):
        world.reserve(request, 0, host)
    assert hosts_of(world, slot_id(request, 0)) == [HOST, STRANGER, THIRD]


# ---- expiry of reservations ----


def full(world: World) -> bytes:
    """A request whose first slot is reserved by three, one second after the other."""
    request = world.request()
    for host in (HOST, OTHER, THIRD):
        world.reserve(request, 0, host)
        world.machine.mine(1, 1)
    return request


def test_an_expired_reservation_is_replaced_the_oldest_first(world: World) -> None:
    world = World(Setup(ttl=100))
    request = full(world)
    first = world.machine.time - 3
    world.machine.to_time(first + 100)
    assert not can(world, request, 0, STRANGER)
    world.machine.to_time(first + 101)
    done = world.reserve(request, 0, STRANGER)
    assert hosts_of(world, slot_id(request, 0)) == [STRANGER, OTHER, THIRD]
    assert done.named("SlotReserved") == [(request, 0, STRANGER.lower(), 0, first + 201)]
    assert not done.named("SlotReservationsFull")
    with reverts("Marketplace_ReservationRequired"):
        world.market.send(HOST, "fillSlot", request, 0, RIGHT)
    world.market.send(STRANGER, "fillSlot", request, 0, RIGHT)


def test_an_expired_reservation_holds_until_it_is_replaced(world: World) -> None:
    world = World(Setup(ttl=100))
    request = full(world)
    world.machine.mine(1, 300)
    world.market.send(HOST, "fillSlot", request, 0, RIGHT)


def test_an_expired_reservation_is_not_renewed_by_its_host(world: World) -> None:
    world = World(Setup(ttl=100))
    request = full(world)
    world.machine.mine(1, 300)
    for host in (HOST, OTHER, THIRD):
        with reverts(REFUSED):
            world.reserve(request, 0, host)
    world.reserve(request, 0, CLIENT)
    world.reserve(request, 0, HOST)
    assert hosts_of(world, slot_id(request, 0)) == [CLIENT, HOST, THIRD]


def test_new_places_are_given_before_expired_ones(world: World) -> None:
    world = World(Setup(ttl=100))
    request = world.request()
    world.reserve(request, 0, HOST)
    world.machine.mine(1, 300)
    world.reserve(request, 0, OTHER)
    assert hosts_of(world, slot_id(request, 0)) == [HOST, OTHER]


def test_without_a_time_to_live_reservations_stay(world: World) -> None:
    world = World(Setup(ttl=0))
    request = world.request()
    told = [world.reserve(request, 0, host) for host in (HOST, OTHER, THIRD)]
    assert told[0].named("SlotReserved")[0][4] == 2**64 - 1
    world.machine.to_time(world.market.call("requestExpiry", request))
    assert not can(world, request, 0, STRANGER)
