"""Asking for storage."""

from __future__ import annotations

from typing import Any

import pytest

from support.contract_kit import CLIENT, HOST, STRANGER, TOKENS, Setup
from support.contract_world import NEW, ORDER, World, request_id, reverts, reverts_with


@pytest.fixture
def world() -> World:
    return World()


def test_a_request_tells_its_id_ask_and_when_it_expires(world: World) -> None:
    made = world.market.send(CLIENT, "requestStorage", ORDER.encoded)
    expires = world.machine.time + ORDER.expiry
    assert made.named("StorageRequested") == [(request_id(ORDER), ORDER.ask, expires)]


def test_a_request_is_kept_as_it_was_given(world: World) -> None:
    request = world.request()
    client, *rest = world.market.call("getRequest", request)
    assert client == CLIENT.lower()
    assert tuple(rest) == ORDER.encoded[1:]
    assert world.request_state(request) == NEW


def test_a_request_of_a_long_cid_is_kept_as_it_was_given(world: World) -> None:
    order = ORDER.but(cid=bytes(range(200)))
    assert world.market.call("getRequest", world.request(order))[2][0] == order.cid


def test_the_whole_price_is_taken(world: World) -> None:
    world.request()
    assert world.balance(CLIENT) == TOKENS - ORDER.max_price
    assert world.held == ORDER.max_price
    assert world.market.call("totals") == (ORDER.max_price, 0, 0)


def test_an_unknown_request_is_not_made_up(world: World) -> None:
    for name in ("getRequest", "requestState", "requestEnd", "requestExpiry", "freeSlots"):
        with reverts("Marketplace_UnknownRequest"):
            world.market.call(name, bytes(32))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client": HOST}, "Marketplace_InvalidClientAddress"),
        ({"expiry": 0}, "Marketplace_InvalidExpiry"),
        ({"expiry": ORDER.duration}, "Marketplace_InvalidExpiry"),
        ({"expiry": ORDER.duration + 1}, "Marketplace_InvalidExpiry"),
        ({"duration": 0}, "Marketplace_InvalidExpiry"),
        ({"slots": 0}, "Marketplace_InsufficientSlots"),
        ({"max_slot_loss": 5}, "Marketplace_InvalidMaxSlotLoss"),
        ({"probability": 0}, "Marketplace_InsufficientProofProbability"),
        ({"collateral": 0}, "Marketplace_InsufficientCollateral"),
        ({"price": 0}, "Marketplace_InsufficientReward"),
        ({"cid": b""}, "Marketplace_InvalidCid"),
        ({"duration": Setup().duration_limit + 1}, "Marketplace_DurationExceedsLimit"),
    ],
)
def test_a_bad_request_is_refused(world: World, changes: dict[str, Any], error: str) -> None:
    with reverts(error):
        world.market.send(CLIENT, "requestStorage", ORDER.but(**changes).encoded)
    assert world.held == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"expiry": ORDER.duration - 1},
        {"expiry": 1},
        {"max_slot_loss": 4},
        {"max_slot_loss": 0},
        {"duration": Setup().duration_limit},
        {"slot_size": 0},
    ],
)
def test_a_request_at_the_limit_is_accepted(world: World, changes: dict[str, Any]) -> None:
    order = ORDER.but(**changes)
    assert world.request(order) == request_id(order)


def test_the_same_request_is_accepted_once(world: World) -> None:
    world.request()
    with reverts("Marketplace_RequestAlreadyExists"):
        world.request()
    assert world.request(ORDER.but(nonce=bytes(32))) != request_id(ORDER)


def test_who_allowed_too_little_gets_nothing(world: World) -> None:
    world.token.send(CLIENT, "approve", world.market.at, ORDER.max_price - 1)
    with reverts_with("fb8f41b2"):
        world.request()
    world.token.send(CLIENT, "approve", world.market.at, ORDER.max_price)
    world.request()


def test_who_has_too_little_gets_nothing(world: World) -> None:
    world.token.send(CLIENT, "transfer", STRANGER, TOKENS - ORDER.max_price + 1)
    with reverts_with("e450d38c"):
        world.request()


def test_a_price_beyond_all_numbers_is_refused(world: World) -> None:
    with reverts_with("4e487b71"):
        world.request(ORDER.but(price=2**255))
    with reverts_with("4e487b71"):
        world.request(ORDER.but(slots=2**63))
