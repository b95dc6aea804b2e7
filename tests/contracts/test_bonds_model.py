"""The compiled bonds and the model of their rules do the same, whatever is called in which order;
and the comparison finds mistakes: each of these is made in the model."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from quire.chain.bonds import Bond, Promise
from quire.chain.memory import bonds_rules
from quire.chain.memory.bonds_rules import BondsRules
from quire.chain.memory.proofs import Proofs
from quire.chain.memory.repair import Repair
from quire.chain.values import Address
from support.bonds_twin import BondsTwin
from support.bonds_walk import BondsWalk

STEPS = 300
MOST_STEPS = 1500
ALL = {
    *("deposit", "announce", "withdraw", "claim"),
    *("Bonds_AboveBond", "Bonds_NothingAnnounced", "Bonds_TooEarly", "Bonds_TooLate"),
    *("Bonds_BadSignature", "Bonds_ProofNotMissing", "Bonds_NotDelegate", "Bonds_AlreadyClaimed"),
    *("Bonds_NothingLeft", "Bonds_NothingPromised", "Panic"),
}


def test_contract_and_model_agree_on_long_random_walks() -> None:
    counts: set[str] = set()
    for seed in range(3):
        walk = BondsWalk(BondsTwin(), random.Random(seed))
        walk.steps(STEPS)
        counts |= set(walk.counts)
    assert counts >= ALL


Method = Callable[..., Any]


def leaves_a_second_early(right: Method) -> Method:
    def withdraw(rules: BondsRules) -> None:
        rules._now += 1
        right(rules)

    return withdraw


def lets_announcements_keep_their_time(right: Method) -> Method:
    def announce(rules: BondsRules, leaving: int) -> None:
        was = rules.bond(rules._caller).leaves_at
        right(rules, leaving)
        mine = rules.bond(rules._caller)
        if was and leaving:
            rules._put(rules._caller, replace(mine, leaves_at=was))

    return announce


def claims_the_rest_first(right: Method) -> Method:
    def claim(rules: BondsRules, promise: Promise, signature: bytes) -> int:
        was = rules.bond(promise.aggregator)
        paid = right(rules, promise, signature)
        left = was.amount - paid
        leaving = min(was.leaving, left)
        rules._put(promise.aggregator, Bond(left, leaving, was.leaves_at if leaving else 0))
        return int(paid)

    return claim


def claims_by_amount(right: Method) -> Method:
    """Another promise for the same slot and period counts again."""

    def is_claimed(rules: BondsRules, promise: Promise) -> bool:
        return bool(right(rules, promise)) and promise.amount % 2 == 0

    return is_claimed


def pays_what_was_never_slashed(_: Method) -> Method:
    return lambda _ledger, _slot_id: 2**255


def forgets_revocations(right: Method) -> Method:
    def delegation(ledger: Proofs, host: Address, delegate: Address) -> Any:
        return replace(right(ledger, host, delegate), revoked_at=0)

    return delegation


def forgets_misses_of_hosts_before(right: Method) -> Method:
    def evict(ledger: Repair, slot_id: bytes) -> None:
        right(ledger, slot_id)
        slot = ledger.state.slots[slot_id]
        ledger.state.slots[slot_id] = replace(slot, missing_before=frozenset())

    return evict


def takes_whatever_was_not_proved(right: Method) -> Method:
    def is_missing(ledger: Proofs, slot_id: bytes, period: int) -> bool:
        slot = ledger.state.slots.get(slot_id)
        return slot is not None and period not in slot.received

    return is_missing


MISTAKES = [
    (BondsRules, "withdraw", leaves_a_second_early),
    (BondsRules, "announce", lets_announcements_keep_their_time),
    (BondsRules, "claim", claims_the_rest_first),
    (BondsRules, "is_claimed", claims_by_amount),
    (Proofs, "slash_of", pays_what_was_never_slashed),
    (Proofs, "delegation", forgets_revocations),
    (Proofs, "is_proof_missing", takes_whatever_was_not_proved),
    (Repair, "evict", forgets_misses_of_hosts_before),
]


@pytest.mark.parametrize(
    ("owner", "method", "mistake"), MISTAKES, ids=[row[2].__name__ for row in MISTAKES]
)
def test_a_mistake_is_found(
    owner: type,
    method: str,
    mistake: Callable[[Method], Method],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, method, mistake(getattr(owner, method)))
    walk = BondsWalk(BondsTwin(), random.Random(1))
    with pytest.raises(AssertionError):
        walk.steps(MOST_STEPS)


@pytest.mark.parametrize("seconds", [-1, 1])
def test_another_claim_time_is_found(seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    right = bonds_rules.CLAIM_SECONDS
    monkeypatch.setattr(bonds_rules, "CLAIM_SECONDS", right + seconds)
    walk = BondsWalk(BondsTwin(), random.Random(1))
    with pytest.raises(AssertionError):
        walk.steps(MOST_STEPS)
