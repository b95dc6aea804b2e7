"""Hosts that are known since a block."""

from __future__ import annotations

import pytest

from support.contract_kit import HOST, OTHER, THIRD, TOKENS, Setup
from support.contract_world import ORDER, World, reverts

REFUSED = "SlotReservations_ReservationNotAllowed"
STRICT = Setup(h_bps=5000, require_registration=True, min_age=10, deposit=1000)


def test_registering_takes_the_deposit_and_notes_the_block() -> None:
    world = World(STRICT)
    assert world.market.call("registeredAt", HOST) == 0
    done = world.market.send(HOST, "register")
    assert done.named("Registered") == [(HOST.lower(),)]
    assert world.market.call("registeredAt", HOST) == world.machine.number
    assert world.balance(HOST) == TOKENS - 1000
    assert world.held == 1000
    with reverts("Registry_AlreadyRegistered"):
        world.market.send(HOST, "register")


def test_the_deposit_comes_back_after_a_while() -> None:
    world = World(STRICT)
    with reverts("Registry_NotRegistered"):
        world.market.send(HOST, "unregister")
    world.market.send(HOST, "register")
    world.machine.mine(9)
    with reverts("Registry_TooEarly"):
        world.market.send(HOST, "unregister")
    world.machine.mine(1)
    done = world.market.send(HOST, "unregister")
    assert done.named("Unregistered") == [(HOST.lower(),)]
    assert world.balance(HOST) == TOKENS
    assert world.market.call("totals") == (1000, 1000, 0)
    with reverts("Registry_NotRegistered"):
        world.market.send(HOST, "unregister")


def test_only_hosts_that_were_known_before_the_request_may_reserve() -> None:
    world = World(STRICT)
    world.market.send(HOST, "register")
    world.machine.mine(1)
    world.market.send(OTHER, "register")
    world.machine.mine(9)
    request = world.request()
    world.machine.mine(100, ORDER.expiry)
    world.reserve(request, 0, HOST)
    never = 2**64 - 1
    for host in (OTHER, THIRD):
        assert world.market.call("eligibleFrom", host, request, 0)[0] == never
        with reverts(REFUSED):
            world.reserve(request, 0, host)


def test_who_left_may_not_reserve() -> None:
    world = World(STRICT)
    world.market.send(HOST, "register")
    world.machine.mine(10)
    request = world.request()
    world.machine.mine(1, ORDER.expiry)
    world.market.send(HOST, "unregister")
    with reverts(REFUSED):
        world.reserve(request)


def test_a_slot_in_repair_is_for_hosts_known_before_it_was_lost() -> None:
    world = World(STRICT)
    world.market.send(HOST, "register")
    world.machine.mine(10)
    order = ORDER.but(slots=1)
    request = world.request(order)
    world.market.send(OTHER, "register")
    world.machine.mine(10, ORDER.expiry)
    slot = world.fill(request)
    world.free(slot)
    world.machine.mine(1, 600)
    world.reserve(request, 0, OTHER)


@pytest.mark.parametrize("setup", [STRICT.but(h_bps=0), STRICT.but(require_registration=False)])
def test_nobody_has_to_register_where_it_is_not_asked(setup: Setup) -> None:
    world = World(setup)
    request = world.request()
    world.machine.mine(1, ORDER.expiry)
    world.reserve(request)


def test_registering_may_be_free() -> None:
    world = World()
    world.market.send(HOST, "register")
    assert world.balance(HOST) == TOKENS
