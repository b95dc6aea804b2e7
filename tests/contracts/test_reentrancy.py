"""Tokens move last: a token that calls back finds everything done (mended defect 7)."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from eth_abi import encode

from support.contract_kit import (
    CLIENT,
    RIGHT,
    Contract,
    Machine,
    Setup,
    deployed,
    selector_of,
    type_of,
)
from support.contract_world import ORDER, Order, marketplace, request_id, reverts, slot_id
from support.solidity import compiled


class Meddled:
    """A marketplace whose token is client, host and validator in one."""

    def __init__(self) -> None:
        if shutil.which("node") is None:
            pytest.skip("needs node")
        made = compiled("MeddlingToken")
        self.machine = Machine()
        at = self.machine.deploy(bytes.fromhex(made["bytecode"][2:]))
        self.token = Contract(self.machine, at, made["abi"])
        verifier = deployed(self.machine, "TestVerifier")
        self.market = marketplace(self.machine, self.token, verifier, Setup())
        self.order: Order = ORDER.but(client=at, slots=1)
        self.token.send(CLIENT, "mint", at, 10**30)

    def data(self, name: str, *values: Any) -> bytes:
        entry = self.market.functions[name]
        return selector_of(entry) + encode([type_of(part) for part in entry["inputs"]], values)

    def act(self, name: str, *values: Any) -> None:
        self.token.send(CLIENT, "act", self.market.at, self.data(name, *values))

    def plan(self, *calls: bytes) -> None:
        self.token.send(CLIENT, "plan", self.market.at, list(calls))

    @property
    def outcomes(self) -> tuple[bool, ...]:
        return self.token.call("outcomesOf")

    @property
    def held(self) -> int:
        return self.token.call("balanceOf", self.market.at)

    def request(self) -> bytes:
        self.act("requestStorage", self.order.encoded)
        return request_id(self.order)

    def filled(self) -> tuple[bytes, bytes]:
        request = self.request()
        self.act("reserveSlot", request, 0)
        self.act("fillSlot", request, 0, RIGHT)
        return request, slot_id(request, 0)


@pytest.fixture
def meddled() -> Meddled:
    return Meddled()


def test_funds_are_not_withdrawn_twice(meddled: Meddled) -> None:
    request = meddled.request()
    meddled.machine.mine(1, ORDER.expiry + 1)
    again = meddled.data("withdrawFunds(bytes32)", request)
    meddled.plan(again, again)
    meddled.act("withdrawFunds(bytes32)", request)
    assert meddled.outcomes == (False, False)
    assert meddled.held == 0


def test_a_slot_is_not_paid_twice(meddled: Meddled) -> None:
    _, slot = meddled.filled()
    meddled.machine.mine(1, ORDER.duration + 1)
    meddled.plan(meddled.data("freeSlot(bytes32)", slot))
    meddled.act("freeSlot(bytes32)", slot)
    assert meddled.outcomes == (False,)
    assert meddled.held == 0


def test_a_slot_is_not_filled_twice(meddled: Meddled) -> None:
    request = meddled.request()
    meddled.act("reserveSlot", request, 0)
    meddled.plan(meddled.data("fillSlot", request, 0, RIGHT))
    meddled.act("fillSlot", request, 0, RIGHT)
    assert meddled.outcomes == (False,)
    assert meddled.held == meddled.order.max_price + meddled.order.stake


def test_a_request_is_not_made_twice(meddled: Meddled) -> None:
    meddled.plan(meddled.data("requestStorage", meddled.order.encoded))
    meddled.act("requestStorage", meddled.order.encoded)
    assert meddled.outcomes == (False,)
    assert meddled.held == meddled.order.max_price


def test_a_request_is_started_when_the_collateral_moves(meddled: Meddled) -> None:
    """Giving the slot up meanwhile is giving it up: what is burnt then was paid."""
    request = meddled.request()
    meddled.act("reserveSlot", request, 0)
    meddled.plan(meddled.data("freeSlot(bytes32)", slot_id(request, 0)))
    meddled.act("fillSlot", request, 0, RIGHT)
    assert meddled.outcomes == (True,)
    received, sent, burned = meddled.market.call("totals")
    assert meddled.held == received - sent - burned
    assert meddled.market.call("burnable") == ORDER.stake - ORDER.stake // 10


def test_nothing_is_burnt_twice(meddled: Meddled) -> None:
    _, slot = meddled.filled()
    meddled.act("freeSlot(bytes32)", slot)
    amount = meddled.market.call("burnable")
    before = meddled.held
    meddled.plan(meddled.data("burn"))
    meddled.act("burn")
    assert meddled.outcomes == (True,)  # of nothing
    assert before - meddled.held == amount > 0
    assert meddled.market.call("totals")[2] == amount


def test_a_token_that_says_no_stops_everything(meddled: Meddled) -> None:
    request, slot = meddled.filled()
    meddled.machine.mine(1, ORDER.duration + 1)
    meddled.token.send(CLIENT, "setLying", True)
    for name, values in (
        ("freeSlot(bytes32)", (slot,)),
        ("requestStorage", (meddled.order.but(nonce=bytes(32)).encoded,)),
    ):
        with reverts(selector_name("Marketplace_TransferFailed")):
            meddled.act(name, *values)
    meddled.token.send(CLIENT, "setLying", False)
    meddled.act("freeSlot(bytes32)", slot)
    meddled.act("withdrawFunds(bytes32)", request)
    assert meddled.held == 0


def selector_name(error: str) -> str:
    """An error of the marketplace as the token, which does not know it, passes it on."""
    return selector_of({"name": error}).hex()
