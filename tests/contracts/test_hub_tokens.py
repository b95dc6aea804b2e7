"""Which tokens the hub takes, and how: odd ones, hostile ones, permissions (point.md 4.2)."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from eth_abi import encode

from quire.chain.eip712 import permit_digest
from quire.kernels.signing import sign_recoverable
from support.contract_kit import (
    DEPLOYER,
    TOKENS,
    Contract,
    Machine,
    Revert,
    selector_of,
    type_of,
)
from support.contract_world import reverts
from support.hub_world import KEY_OF, OTHER, PAYEE, PAYER, HubWorld, bytes_of
from support.solidity import compiled

NOTHING, YES, NO, TWO, SHORT, REFUSAL = range(6)  # answers of the odd token


def odd(kind: str) -> HubWorld:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    made, machine = compiled(kind), Machine()
    at = machine.deploy(bytes.fromhex(made["bytecode"][2:]))
    world = HubWorld(Contract(machine, at, made["abi"]), machine)
    world.token.send(PAYER, "mint", PAYER, 1000)
    return world


# ---- odd tokens ----


@pytest.mark.parametrize("answer", [NOTHING, YES])
def test_a_token_may_answer_nothing(answer: int) -> None:
    world = odd("OddToken")
    world.token.send(PAYER, "be", answer, 0)
    world.send(PAYER, "deposit", 100)
    world.send(PAYER, "withdraw", 100)
    assert world.tokens(PAYER) == 1000


@pytest.mark.parametrize("answer", [NO, TWO, SHORT, REFUSAL])
def test_a_token_that_does_not_say_yes_stops_the_call(answer: int) -> None:
    world = odd("OddToken")
    world.send(PAYER, "deposit", 100)
    world.token.send(PAYER, "be", answer, 0)
    for name in ("deposit", "withdraw"):
        with reverts("Hub_TransferFailed"):
            world.send(PAYER, name, 50)
    world.token.send(PAYER, "be", YES, 0)
    world.send(PAYER, "withdraw", 100)
    assert world.balance(PAYER) == 0


def test_the_token_s_own_reason_is_handed_on() -> None:
    world = odd("OddToken")
    with pytest.raises(Revert, match=b"too little".hex()):
        world.send(PAYER, "deposit", 1001)


def test_a_token_that_keeps_a_part_is_not_taken_but_what_is_inside_comes_out() -> None:
    world = odd("OddToken")
    world.token.send(PAYER, "be", YES, 1)
    with reverts("Hub_FeeOnTransfer"):
        world.send(PAYER, "deposit", 100)
    world.token.send(PAYER, "be", YES, 0)
    world.send(PAYER, "deposit", 100)
    world.token.send(PAYER, "be", YES, 1)  # it begins to keep a part
    world.send(PAYER, "withdraw", 100)
    assert (world.balance(PAYER), world.tokens(PAYER)) == (0, 999)


def test_tokens_that_were_only_sent_belong_to_nobody() -> None:
    world = odd("OddToken")
    world.token.send(PAYER, "transfer", world.hub.at, 500)
    world.send(PAYER, "deposit", 100)
    assert world.balance(PAYER) == 100
    with reverts("Hub_InsufficientBalance"):
        world.send(PAYER, "withdraw", 101)


# ---- a token that calls back ----

LESS_CAME = selector_of({"name": "Hub_FeeOnTransfer"}).hex()  # as the token hands it on


class Meddled:
    """The token itself has an account at the hub, and calls it while tokens move."""

    def __init__(self) -> None:
        self.world = odd("MeddlingToken")
        self.token, self.hub = self.world.token, self.world.hub
        self.me = self.token.at
        self.token.send(PAYER, "mint", self.me, 1000)

    def data(self, name: str, *values: Any) -> bytes:
        entry = self.hub.functions[name]
        return selector_of(entry) + encode([type_of(part) for part in entry["inputs"]], values)

    def act(self, name: str, *values: Any) -> None:
        self.token.send(PAYER, "act", self.hub.at, self.data(name, *values))

    def plan(self, *calls: bytes) -> None:
        self.token.send(PAYER, "plan", self.hub.at, list(calls))

    @property
    def outcomes(self) -> tuple[bool, ...]:
        return tuple(self.token.call("outcomesOf"))

    def check(self) -> None:
        balances = sum(self.world.balance(each) for each in (self.me, PAYER, PAYEE))
        assert self.world.tokens(self.hub.at) == balances


def test_nothing_is_withdrawn_twice() -> None:
    meddled = Meddled()
    meddled.act("deposit", 100)
    again = meddled.data("withdraw", 100)
    meddled.plan(again, again)
    meddled.act("withdraw", 100)
    assert meddled.outcomes == (False, False)
    assert meddled.world.tokens(meddled.hub.at) == 0


def test_what_is_not_deposited_yet_is_not_withdrawn() -> None:
    """It is in the balance already; the hub sees in the end that less came in."""
    meddled = Meddled()
    meddled.world.send(PAYER, "deposit", 500)
    meddled.plan(meddled.data("withdraw", 100))
    with reverts(LESS_CAME):
        meddled.act("deposit", 100)
    meddled.check()


def test_a_deposit_within_a_deposit_is_not_counted_twice() -> None:
    meddled = Meddled()
    meddled.plan(meddled.data("deposit", 100))
    with reverts(LESS_CAME):
        meddled.act("deposit", 100)
    meddled.plan(meddled.data("deposit", 70), meddled.data("withdraw", 70))
    meddled.act("deposit", 100)
    assert meddled.world.balance(meddled.me) == 100
    meddled.check()


# ---- permissions (EIP-2612) ----


@pytest.fixture
def world() -> HubWorld:
    world = HubWorld()
    world.token.send(PAYER, "approve", world.hub.at, 0)
    return world


def permit(
    world: HubWorld, amount: int, *, owner: str = PAYER, deadline: int = 2**40, nonce: int = 0
) -> tuple[int, int, int, bytes, bytes]:
    """What `depositWithPermit` takes."""
    separator = world.token.call("DOMAIN_SEPARATOR")
    digest = permit_digest(
        separator, bytes_of(owner), bytes_of(world.hub.at), amount, nonce, deadline
    )
    signature = sign_recoverable(KEY_OF[owner], digest)
    return amount, deadline, signature[64], signature[:32], signature[32:64]


def used_by(world: HubWorld, who: str, owner: str, permission: Any) -> None:
    """Somebody gives the permission to the token first."""
    amount, *rest = permission
    world.token.send(who, "permit", owner, world.hub.at, amount, *rest)


TOO_LITTLE = "fb8f41b2"  # ERC20InsufficientAllowance


def refused(world: HubWorld, who: str, *permission: Any) -> None:
    with pytest.raises(Revert, match=f"^{TOO_LITTLE}"):
        world.send(who, "depositWithPermit", *permission)


def test_a_permission_saves_the_approval(world: HubWorld) -> None:
    with pytest.raises(Revert, match=f"^{TOO_LITTLE}"):
        world.send(PAYER, "deposit", 100)
    world.send(PAYER, "depositWithPermit", *permit(world, 100))
    assert (world.balance(PAYER), world.tokens(PAYER)) == (100, TOKENS - 100)
    assert world.token.call("allowance", PAYER, world.hub.at) == 0


def test_a_permission_that_somebody_used_before_does_not_stop_the_deposit(
    world: HubWorld,
) -> None:
    permission = permit(world, 100)
    used_by(world, OTHER, PAYER, permission)
    world.send(PAYER, "depositWithPermit", *permission)
    assert world.balance(PAYER) == 100
    refused(world, PAYER, *permission)  # it is used up


def test_a_permission_of_another_account_or_too_late_is_none(world: HubWorld) -> None:
    refused(world, PAYER, *permit(world, 100, owner=OTHER))
    refused(world, PAYER, *permit(world, 100, deadline=world.machine.time - 1))
    refused(world, PAYER, *permit(world, 100, nonce=1))
    refused(world, PAYER, 101, *permit(world, 100)[1:])
    world.send(PAYER, "depositWithPermit", *permit(world, 100, deadline=world.machine.time))
    assert world.balance(PAYER) == 100


def test_a_permission_for_the_hub_is_good_for_the_own_account_only(world: HubWorld) -> None:
    """Whoever sees it can use it up, not deposit the tokens elsewhere."""
    world.token.send(OTHER, "approve", world.hub.at, 0)
    refused(world, OTHER, *permit(world, 100))
    used_by(world, OTHER, PAYER, permit(world, 100))
    refused(world, OTHER, *permit(world, 100))
    assert world.balance(OTHER) == 0


def test_a_token_without_permissions_wants_an_approval() -> None:
    world = odd("OddToken")  # takes whatever it has: no allowances
    world.send(PAYER, "depositWithPermit", 100, 2**40, 27, bytes(32), bytes(32))
    assert world.balance(PAYER) == 100
    assert world.hub.call("owner").lower() == DEPLOYER
