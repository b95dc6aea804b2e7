"""Clients find their requests and hosts their slots."""

from __future__ import annotations

import pytest

from support.contract_kit import CLIENT, HOST, OTHER, STRANGER
from support.contract_world import ORDER, World


@pytest.fixture
def world() -> World:
    return World()


def requests_of(world: World, client: str = CLIENT) -> set[bytes]:
    return set(world.market.call("myRequests", sender=client))


def slots_of(world: World, host: str = HOST) -> set[bytes]:
    return set(world.market.call("mySlots", sender=host))


def test_each_client_has_its_own_requests(world: World) -> None:
    mine, other = world.request(), world.request(ORDER.but(client=STRANGER))
    assert requests_of(world) == {mine}
    assert requests_of(world, STRANGER) == {other}
    assert requests_of(world, HOST) == set()


def test_a_request_stays_when_it_is_cancelled_and_goes_when_it_is_withdrawn(world: World) -> None:
    request = world.request()
    world.to_expiry(request)
    assert requests_of(world) == {request}
    world.withdraw(request)
    assert requests_of(world) == set()


def test_a_request_goes_when_a_host_of_it_was_paid(world: World) -> None:
    request, slots = world.started()
    world.to_end(request)
    assert requests_of(world) == {request}
    world.free(slots[0])
    assert requests_of(world) == set()
    world.free(slots[1], OTHER)
    world.withdraw(request)


def test_a_failed_request_goes_when_it_is_withdrawn(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    world.free(slots[1], OTHER)
    assert requests_of(world) == {request}
    world.withdraw(request)
    assert requests_of(world) == set()


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_the_others_stay_whichever_goes(world: World, gone: int) -> None:
    requests = [world.request(ORDER.but(nonce=bytes([i]) * 32)) for i in range(3)]
    world.to_expiry(requests[0])
    world.withdraw(requests.pop(gone))
    assert requests_of(world) == set(requests)
    for request in requests:
        world.withdraw(request)
    assert requests_of(world) == set()


def test_each_host_has_its_own_slots(world: World) -> None:
    _, slots = world.started()
    assert slots_of(world) == {slots[0], slots[3]}
    assert slots_of(world, OTHER) == {slots[1]}


def test_a_slot_goes_when_it_is_freed(world: World) -> None:
    _, slots = world.started()
    world.free(slots[0])
    assert slots_of(world) == {slots[3]}


def test_a_slot_goes_when_its_host_is_evicted(world: World) -> None:
    _, slots = world.started(ORDER.but(probability=1))
    world.evict(slots[0])
    assert slots_of(world) == {slots[3]}


def test_a_slot_goes_when_it_is_paid(world: World) -> None:
    request, slots = world.started()
    world.to_end(request)
    assert slots_of(world) == {slots[0], slots[3]}
    world.free(slots[3])
    assert slots_of(world) == {slots[0]}


def test_a_slot_of_a_cancelled_request_stays_until_it_is_paid(world: World) -> None:
    request = world.request()
    slot = world.fill(request)
    world.to_expiry(request)
    assert slots_of(world) == {slot}
    world.free(slot)
    assert slots_of(world) == set()


def test_a_slot_of_a_failed_request_stays_until_it_is_freed(world: World) -> None:
    _, slots = world.started()
    world.free(slots[1], OTHER)
    world.free(slots[0])
    assert slots_of(world) == {slots[3]}
    world.free(slots[3])
    assert slots_of(world) == set()


def test_a_repaired_slot_is_its_new_host_s(world: World) -> None:
    request, slots = world.started()
    world.free(slots[0])
    world.fill(request, 0, OTHER)
    assert slots_of(world, OTHER) == {slots[0], slots[1]}
    assert slots_of(world) == {slots[3]}
