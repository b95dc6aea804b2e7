"""A promise to submit that is not kept is claimed before the order ends, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.aggregation.order import (
    ENDS,
    At,
    Cancel,
    Check,
    Claim,
    Claimed,
    Declined,
    Good,
    NotOwed,
    Order,
    OrderEvent,
    Pay,
    Ready,
    Taken,
    Tell,
    Told,
    Wrong,
)
from quire.aggregation.order_machine import OrderMachine
from quire.base.errors import QuireError
from quire.base.machine import Failed, TimedOut
from quire.chain.bonds import CLAIM_SECONDS
from quire.formats.aggregator_codes import Reason, Service
from support.aggregator_messages import an_order

MACHINE = OrderMachine()


def walk(order: Order, *events: OrderEvent | TimedOut | Failed) -> tuple[Order, list[object]]:
    """Where the events lead, and the effects of the last."""
    effects: list[object] = []
    for event in events:
        order, found = MACHINE.step(order, event)
        effects = list(found)
        assert MACHINE.decode(MACHINE.encode(order)) == order
    return order, effects


def promised(service: Service = Service.SUBMIT) -> Order:
    order, _ = walk(an_order(service, At.ASKING), Taken(b"s" * 65))
    assert order.at is At.WAITING
    return order


def claiming() -> Order:
    return walk(promised(), TimedOut())[0]


def test_a_promise_that_was_not_kept_in_time_is_claimed() -> None:
    order, effects = walk(promised(), TimedOut())
    assert (order.at, order.ending, effects) == (At.CLAIMING, At.LATE, [Claim()])
    assert order.reason is Reason.LATE
    assert MACHINE.deadline(order).chain_time == order.deadline + CLAIM_SECONDS
    assert list(MACHINE.resume(order)) == [Claim()]
    order, effects = walk(order, Claimed(9))
    assert (order.at, effects) == (At.MADE_GOOD, [Tell()])
    assert "9 tokens of its bond were claimed" in MACHINE.words(order)
    assert walk(order, Told())[0].is_told


def test_an_order_ends_as_it_would_have_when_nothing_is_owed() -> None:
    order, effects = walk(claiming(), NotOwed("the host brought it into the chain itself"))
    assert (order.at, effects) == (At.LATE, [Tell()])
    assert "nothing was claimed: the host brought it" in order.why


def test_the_time_for_claims_ends() -> None:
    assert walk(claiming(), TimedOut())[0].at is At.LATE


def test_a_claim_that_fails_for_good_ends_the_order() -> None:
    error = QuireError("the contract is gone")
    order, _ = walk(claiming(), Failed(Claim(), error))
    assert (order.at, "the contract is gone" in order.why) == (At.LATE, True)


def test_who_promised_and_then_declines_has_broken_the_promise() -> None:
    order, effects = walk(promised(), Declined("its chain is gone"))
    assert (order.at, order.ending, effects) == (At.CLAIMING, At.LATE, [Claim()])
    order, effects = walk(an_order(Service.SUBMIT, At.ASKING), Declined("no"))
    assert (order.at, effects) == (At.REFUSED, [Tell()])


def test_a_lie_about_the_submission_is_claimed_too() -> None:
    order, _ = walk(promised(), Ready(b"h" * 32), Wrong(Reason.PROOF, "it is not in the chain"))
    assert (order.at, order.ending, order.reason) == (At.CLAIMING, At.CHEATED, Reason.PROOF)
    assert walk(order, NotOwed("it was not marked"))[0].at is At.CHEATED


def test_a_promise_that_is_none_is_a_fraud_of_its_own() -> None:
    order, effects = walk(
        an_order(Service.SUBMIT, At.ASKING), Wrong(Reason.SIGNATURE, "it is signed by nobody")
    )
    assert (order.at, order.reason, effects) == (At.CHEATED, Reason.SIGNATURE, [Tell()])


def test_what_is_good_is_paid_and_nothing_is_claimed() -> None:
    order, effects = walk(promised(), Ready(b"h" * 32))
    assert effects == [Check()]
    order, effects = walk(order, Good("it is in the chain"))
    assert effects == [Pay(0)]
    assert walk(order, TimedOut())[0].at is At.FAILED  # the voucher could not be handed over


def test_what_is_not_wanted_any_more_is_not_claimed() -> None:
    order, effects = walk(promised(), Cancel())
    assert (order.at, effects) == (At.CANCELLED, [Tell()])


@pytest.mark.parametrize("service", [Service.ENCODE, Service.PROVE])
def test_other_services_have_no_bond(service: Service) -> None:
    order, effects = walk(replace(promised(service), signature=b"s" * 65), TimedOut())
    assert (order.at, effects) == (At.LATE, [Tell()])


def test_what_was_submitted_while_nobody_was_here_to_hear_of_it_is_paid() -> None:
    order, effects = walk(claiming(), Ready(b"h" * 32))
    assert (order.at, order.result, effects) == (At.CHECKING, b"h" * 32, [Check()])
    assert walk(order, Good("it is in the chain"))[1] == [Pay(0)]


def test_nothing_is_claimed_twice() -> None:
    order, _ = walk(claiming(), Claimed(9))
    for event in (Claimed(9), NotOwed("no"), TimedOut()):
        after, effects = MACHINE.step(order, event)
        assert after.at is At.MADE_GOOD
        assert Claim() not in effects
    assert At.MADE_GOOD in ENDS
