"""The compiled hub and the model of its rules do the same, whatever is called in which order; and
the comparison finds mistakes: each of these is made in the model."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from quire.chain.hub import Claim
from quire.chain.memory import hub_rules
from quire.chain.memory.hub_rules import HubRules
from quire.chain.values import Address
from support.hub_twin import HubTwin
from support.hub_walk import HubWalk

STEPS = 400
MOST_STEPS = 2500
ALL = {
    *("deposit", "withdraw", "allocate", "claim", "requestClose", "release", "setDelegate"),
    *("Hub_ZeroAddress", "Hub_InsufficientBalance", "Hub_NothingToClaim", "Hub_AboveDeposit"),
    *("Hub_BadSignature", "Hub_AlreadyClosing", "Hub_NotClosing", "Hub_TooEarly"),
    *("Hub_DelegateInNotice", "Panic"),
}


def test_contract_and_model_agree_on_long_random_walks() -> None:
    counts: set[str] = set()
    for seed in range(4):
        walk = HubWalk(HubTwin(), random.Random(seed))
        walk.steps(STEPS)
        counts |= set(walk.counts)
    assert counts >= ALL


Method = Callable[..., Any]


def starts_again_after_release(right: Method) -> Method:
    def release(rules: HubRules, payee: Address) -> None:
        right(rules, payee)
        rules._put(rules._caller, payee, hub_rules.HubChannel())

    return release


def releases_a_second_early(right: Method) -> Method:
    def release(rules: HubRules, payee: Address) -> None:
        rules._now += 1
        right(rules, payee)

    return release


def leaves_a_close_pending(right: Method) -> Method:
    def allocate(rules: HubRules, sums: Any) -> None:
        before = dict(rules.state.channels)
        right(rules, sums)
        for payee, _ in sums:
            was = before.get((rules._caller, payee))
            now = rules.channel(rules._caller, payee)
            rules._put(rules._caller, payee, replace(now, close_at=was.close_at if was else 0))

    return allocate


def pays_the_whole_sum(right: Method) -> Method:
    def claim(rules: HubRules, claims: list[Claim]) -> None:
        again = sum(rules.channel(each.payer, rules._caller).claimed for each in claims)
        right(rules, claims)
        rules._add(rules._caller, again)

    return claim


def forgets_the_delegate_before(_: Method) -> Method:
    def may_sign(rules: HubRules, payer: Address, signer: Address) -> bool:
        return signer in (payer, rules.delegation(payer).signer)

    return may_sign


def listens_to_the_delegate_before_for_ever(_: Method) -> Method:
    def may_sign(rules: HubRules, payer: Address, signer: Address) -> bool:
        its = rules.delegation(payer)
        return signer in (payer, its.signer, its.previous)

    return may_sign


def lets_a_delegate_be_pushed_out(right: Method) -> Method:
    def set_delegate(rules: HubRules, signer: Address | None) -> None:
        mine = rules.delegation(rules._caller)
        rules.state.delegations[rules._caller] = replace(mine, until=0)
        right(rules, signer)

    return set_delegate


def closes_again(right: Method) -> Method:
    def request_close(rules: HubRules, payee: Address) -> None:
        channel = rules.channel(rules._caller, payee)
        rules._put(rules._caller, payee, replace(channel, close_at=0))
        right(rules, payee)

    return request_close


def takes_what_it_does_not_have(_: Method) -> Method:
    def take(rules: HubRules, amount: int) -> None:
        rules.state.balances[rules._caller] = rules.balance(rules._caller) - amount

    return take


MISTAKES = [
    ("release", starts_again_after_release),
    ("release", releases_a_second_early),
    ("allocate", leaves_a_close_pending),
    ("claim", pays_the_whole_sum),
    ("_may_sign", forgets_the_delegate_before),
    ("_may_sign", listens_to_the_delegate_before_for_ever),
    ("set_delegate", lets_a_delegate_be_pushed_out),
    ("request_close", closes_again),
    ("_take", takes_what_it_does_not_have),
]


@pytest.mark.parametrize(("method", "mistake"), MISTAKES, ids=[row[1].__name__ for row in MISTAKES])
def test_a_mistake_is_found(
    method: str, mistake: Callable[[Method], Method], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HubRules, method, mistake(getattr(HubRules, method)))
    walk = HubWalk(HubTwin(), random.Random(1))
    with pytest.raises(AssertionError):
        walk.steps(MOST_STEPS)


def test_bytes_after_a_signature_are_found_when_the_model_takes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = hub_rules.recover_address

    def recover(signature: bytes, digest: bytes) -> bytes | None:
        return right(signature, digest) or right(signature[:65], digest)

    monkeypatch.setattr(hub_rules, "recover_address", recover)
    walk = HubWalk(HubTwin(), random.Random(1))
    with pytest.raises(AssertionError):
        walk.steps(MOST_STEPS)
