"""Aggregators in all kinds of trouble: nothing is paid twice or for nothing, no slot is slashed
that its host could have saved, every order and job ends.

QUIRE_SEEDS sets how many seeds are run (default 12).
"""

from __future__ import annotations

import os
from itertools import count

import pytest

from quire.aggregation.order import Good, Order
from quire.aggregation.order_machine import OrderMachine
from quire.chain.memory.ledger import Ledger
from quire.services.ordering import delegation
from quire.services.ordering.encoded_lists import EncodedLists
from quire.services.ordering.proof_orders import ProofOrders
from quire.services.ordering.submit_orders import SubmitHandler
from quire.services.paying.payee import Payee
from quire.sim.run import run_seed
from quire.sim.tally import Tally

SEEDS = int(os.environ.get("QUIRE_SEEDS", "12"))
MUTANT_SEEDS = range(1, 25)
CHUNK = 3  # seeds of one test, so that processes can share the work


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
@pytest.mark.timeout(300)
def test_nothing_is_paid_twice_and_no_slot_is_lost(first: int) -> None:
    tally = Tally()
    for seed in range(first, first + CHUNK):
        outcome = run_seed(seed, "aggregator")
        assert outcome.error is None, (
            f"seed {seed}: {outcome.error!r}\nrepeat with: {outcome.reproduce}\n"
            + "\n".join(outcome.lines[-20:])
        )
        tally.add(outcome.tally)
    assert all(tally.done[f"{service} settled"] for service in ("encode", "prove", "submit"))
    assert tally.ends["power"] + tally.ends["process"]


def test_the_same_seed_gives_the_same_aggregators() -> None:
    assert run_seed(2, "aggregator").lines == run_seed(2, "aggregator").lines


def expect_failure(*words: str, first: int = 1) -> None:
    """Some seed fails, with one of these texts in its error. `first`: one that was seen to."""
    for seed in (first, *MUTANT_SEEDS):
        outcome = run_seed(seed, "aggregator")
        if outcome.error is not None:
            message = str(outcome.error)
            assert any(word in message for word in words), f"seed {seed}: {outcome.error!r}"
            return
    raise AssertionError(f"{len(MUTANT_SEEDS)} seeds did not notice")


def test_a_customer_that_names_its_bills_anew_after_a_crash(monkeypatch) -> None:
    numbers = count()
    bill = Order.bill
    monkeypatch.setattr(Order, "bill", lambda self, part: bill(self, part + 2 * next(numbers)))
    expect_failure("for results that cost")


def test_a_host_that_pays_for_any_proof(monkeypatch) -> None:
    async def blind(self: ProofOrders, order: Order) -> Good:
        return Good("it looks like a proof")

    monkeypatch.setattr(ProofOrders, "check", blind)
    expect_failure("for a wrong result", "not filled")


def test_a_host_that_believes_that_its_proof_was_submitted(monkeypatch) -> None:
    async def blind(self: SubmitHandler, order: Order) -> Good:
        return Good("they say that it is in the chain")

    monkeypatch.setattr(SubmitHandler, "check", blind)
    expect_failure("for a wrong result")


def test_an_owner_that_does_not_look_at_what_was_coded(monkeypatch) -> None:
    async def blind(self: EncodedLists, *_: object) -> str:
        return "it looks coded"

    monkeypatch.setattr(EncodedLists, "check", blind)
    expect_failure("for a wrong result", "not filled")


def test_a_host_that_trusts_a_promise_to_the_end(monkeypatch) -> None:
    monkeypatch.setattr(delegation, "own_turn", lambda latest, _: latest + 1000.0)
    expect_failure("could have saved")


def test_a_bond_that_pays_for_what_was_not_missed(monkeypatch) -> None:
    monkeypatch.setattr(Ledger, "is_proof_missing", lambda self, slot_id, period: True)
    expect_failure("which was not missed", first=16)


def test_an_aggregator_that_takes_every_voucher_for_a_bill(monkeypatch) -> None:
    async def bill(self: Payee, payer: bytes, bill: str, amount: int) -> None:
        account = self.account(payer)
        self._accounts[payer] = account.bill(2 * amount)

    monkeypatch.setattr(Payee, "bill", bill)
    expect_failure("billed")


def test_orders_that_wait_without_end(monkeypatch) -> None:
    deadline = OrderMachine.deadline

    def forgetful(self: OrderMachine, state: Order):  # type: ignore[no-untyped-def]
        return None if state.at.value in ("asking", "waiting") else deadline(self, state)

    monkeypatch.setattr(OrderMachine, "deadline", forgetful)
    expect_failure("waits for nothing", "since before its deadline")
