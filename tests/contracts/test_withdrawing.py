"""Clients take back what no host is due."""

from __future__ import annotations

import pytest

from support.contract_kit import CLIENT, HOST, OTHER, STRANGER, TOKENS
from support.contract_world import CANCELLED, HOSTS, ORDER, World, reverts


@pytest.fixture
def world() -> World:
    return World()


def test_nothing_before_the_request_ended(world: World) -> None:
    request = world.request()
    with reverts("Marketplace_InvalidState"):
        world.withdraw(request)
    world.machine.to_time(world.market.call("requestExpiry", request))
    with reverts("Marketplace_InvalidState"):
        world.withdraw(request)
    started, _ = world.started(ORDER.but(nonce=bytes(32)))
    with reverts("Marketplace_InvalidState"):
        world.withdraw(started)


def test_only_the_client_withdraws(world: World) -> None:
    request = world.request()
    world.to_expiry(request)
    for other in (HOST, STRANGER):
        with reverts("Marketplace_InvalidClientAddress"):
            world.withdraw(request, other)
    with reverts("Marketplace_UnknownRequest"):
        world.withdraw(bytes(32))


def test_a_cancelled_request_that_nobody_filled_is_paid_back_whole(world: World) -> None:
    request = world.request()
    world.to_expiry(request)
    done = world.withdraw(request)
    assert done.named("RequestCancelled") == [(request,)]
    assert world.balance(CLIENT) == TOKENS
    assert world.held == 0


def test_it_is_paid_back_once(world: World) -> None:
    request = world.request()
    world.to_expiry(request)
    world.withdraw(request)
    with reverts("Marketplace_NothingToWithdraw"):
        world.withdraw(request)
    assert world.request_state(request) == CANCELLED


def test_funds_go_where_the_client_says(world: World) -> None:
    request = world.request()
    world.to_expiry(request)
    before = world.balance(STRANGER)
    world.withdraw(request, CLIENT, STRANGER)
    assert world.balance(STRANGER) - before == ORDER.max_price


def test_hosts_of_a_cancelled_request_keep_their_part(world: World) -> None:
    request = world.request()
    world.machine.mine(1, 100)
    slot = world.fill(request)
    world.to_expiry(request)
    world.withdraw(request)
    part = (ORDER.expiry - 100) * ORDER.rate
    assert world.balance(CLIENT) == TOKENS - part
    world.free(slot)
    assert world.balance(HOST) == TOKENS + part
    assert world.held == 0


def test_the_order_of_host_and_client_makes_no_difference_when_cancelled(world: World) -> None:
    request = world.request()
    slot = world.fill(request)
    world.to_expiry(request)
    world.free(slot)
    world.withdraw(request)
    assert world.balance(CLIENT) == TOKENS - ORDER.expiry * ORDER.rate
    assert world.held == 0


def test_of_a_finished_request_the_time_that_was_not_hosted_is_paid_back(world: World) -> None:
    request = world.request()
    slots = []
    for i in range(ORDER.slots):
        world.machine.mine(1, 10)
        slots.append(world.fill(request, i, HOSTS[i % 3]))
    world.to_end(request)
    world.withdraw(request)
    idle = 10 + 20 + 30 + 40
    assert world.balance(CLIENT) == TOKENS - ORDER.max_price + idle * ORDER.rate
    for i, slot in enumerate(slots):
        world.free(slot, HOSTS[i % 3])
    assert world.held == 0


def test_of_a_failed_request_the_whole_price_is_paid_back(world: World) -> None:
    request, slots = world.started()
    world.machine.mine(1, 500)
    world.free(slots[0])
    done = world.free(slots[1], OTHER)
    assert done.named("RequestFailed") == [(request,)]
    world.machine.mine(1, 1)
    world.withdraw(request)
    assert world.balance(CLIENT) == TOKENS
    with reverts("Marketplace_NothingToWithdraw"):
        world.withdraw(request)


def test_a_slot_that_nobody_repaired_is_paid_back(world: World) -> None:
    request, slots = world.started()
    world.machine.mine(1, 500)
    world.free(slots[0])
    world.to_end(request)
    world.withdraw(request)
    assert world.balance(CLIENT) == TOKENS - (ORDER.slots - 1) * ORDER.duration * ORDER.rate


def test_a_slot_that_was_repaired_is_paid_back_for_the_time_between(world: World) -> None:
    request, slots = world.started()
    world.machine.mine(1, 500)
    world.free(slots[0])
    world.machine.mine(1, 100)
    world.fill(request, 0, STRANGER)
    world.to_end(request)
    world.withdraw(request)
    unpaid = (500 + 100) * ORDER.rate  # the first host gets nothing at all
    assert world.balance(CLIENT) == TOKENS - ORDER.max_price + unpaid
