"""What cannot be bought is refused in the reference's words and order, and with what works."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.base.errors import InputError, InsufficientFunds
from quire.dataset.geometry import BadProtection, Geometry
from quire.dataset.plan import CannotPromise
from quire.market.bid import BadTerms, Bid, check_dataset, check_protected, check_terms
from quire.market.quote import Quote, check_affordable, planned
from support.memory_world import TERMS

GOOD = Bid(
    duration=600,
    expiry=240,
    proof_probability=1,
    price_per_byte_per_second=1,
    collateral_per_byte=1,
    nodes=6,
    tolerance=2,
)
LIMIT = TERMS.duration_limit


@pytest.mark.parametrize(
    ("change", "reference", "works"),
    [
        (
            {"expiry": 0},
            "Expiry must be greater than zero and less than the request's duration",
            "at least 1 s and at most 599 s",
        ),
        (
            {"expiry": 600},
            "Expiry must be greater than zero and less than the request's duration",
            "at most 599 s",
        ),
        (
            {"duration": 0},
            "Expiry must be greater than zero and less than the request's duration",
            "a duration of 0 s",
        ),
        ({"proof_probability": 0}, "Proof probability must be greater than zero", "1 works"),
        ({"collateral_per_byte": 0}, "Collateral per byte must be greater than zero", "1 works"),
        (
            {"price_per_byte_per_second": 0},
            "Price per byte per second must be greater than zero",
            "1 works",
        ),
        (
            {"duration": LIMIT + 1},
            "Duration exceeds limit of 2592000 seconds",
            "2592000 s works (30 days)",
        ),
        ({"tolerance": 0}, "Tolerance needs to be bigger then zero", "a tolerance from 1 to 3"),
        (
            {"tolerance": 7},
            "Invalid parameters: `tolerance` cannot be greater than `nodes`",
            "with a tolerance of 7 at least 14 nodes work",
        ),
        (
            {"tolerance": 4},
            "Invalid parameters: parameters must satify `1 < (nodes - tolerance) ≥ tolerance`",
            "with 6 nodes a tolerance from 1 to 3",
        ),
        (
            {"nodes": 2, "tolerance": 1},
            "Invalid parameters: parameters must satify `1 < (nodes - tolerance) ≥ tolerance`",
            "3 nodes with a tolerance of 1 are the fewest",
        ),
        (
            {"nodes": 0, "tolerance": 0},
            "Tolerance needs to be bigger then zero",
            "3 nodes with a tolerance of 1 are the fewest",
        ),
    ],
)
def test_what_no_dataset_can_have_is_refused_with_what_works(change, reference, works) -> None:
    with pytest.raises(BadTerms) as refused:
        check_terms(replace(GOOD, **change), TERMS)
    assert refused.value.reference == reference
    assert works in refused.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"expiry": 1},
        {"expiry": 599},
        {"duration": LIMIT},
        {"nodes": 3, "tolerance": 1},
        {"nodes": 4, "tolerance": 2},
    ],
)
def test_the_limits_themselves_work(change) -> None:
    bid = replace(GOOD, **change)
    check_terms(bid, TERMS)
    assert bid.ask(check_dataset(bid, 8, 65_536)).slots == bid.nodes


def test_checks_come_in_the_order_of_the_reference() -> None:
    """With everything wrong, mending one thing after the other meets every refusal in turn."""
    bid = Bid(0, 0, 0, 0, 0, nodes=1, tolerance=0)
    met = []
    for change in (
        {"duration": LIMIT + 1, "expiry": 1},
        {"proof_probability": 1},
        {"collateral_per_byte": 1},
        {"price_per_byte_per_second": 1},
        {"duration": 600},
        {"tolerance": 2},
        {"nodes": 3},
        {"nodes": 4},
    ):
        with pytest.raises(BadTerms) as refused:
            check_terms(bid, TERMS)
        met.append(refused.value.reference.partition(" must")[0].partition(" of ")[0][:28])
        bid = replace(bid, **change)
    check_terms(bid, TERMS)
    assert met == [
        "Expiry",
        "Proof probability",
        "Collateral per byte",
        "Price per byte per second",
        "Duration exceeds limit",
        "Tolerance needs to be bigger",
        "Invalid parameters: `toleran",
        "Invalid parameters: paramete",
    ]


def test_a_dataset_that_is_too_small_says_how_large_it_has_to_be() -> None:
    with pytest.raises(BadTerms) as refused:
        check_dataset(GOOD, 3, 65_536)
    assert refused.value.reference == (
        "Dataset too small for erasure parameters, need at least 262144 bytes"
    )
    assert "fewer nodes work: with 3 for the data" in refused.value.message
    assert check_dataset(GOOD, 4, 65_536).slot_size == 65_536
    assert check_dataset(GOOD, 20, 65_536).slot_size == 8 * 65_536  # five steps, padded


def test_more_slots_than_can_be_proved_are_refused() -> None:
    with pytest.raises(BadProtection, match="more than the 256"):
        check_dataset(replace(GOOD, nodes=300, tolerance=100), 1000, 65_536)


def test_a_dataset_that_is_protected_is_bought_with_its_own_code_only() -> None:
    geometry = Geometry(8, 4, 2, 65_536)
    check_protected(GOOD, geometry)
    with pytest.raises(BadTerms, match="nodes 6, tolerance 2 works"):
        check_protected(replace(GOOD, nodes=5), geometry)


def quote(balance: int, gas: int = 1, **change: int) -> Quote:
    bid = replace(GOOD, **change)
    return Quote(bid, bid.ask(Geometry(8, 4, 2, 65_536)), 500_000, balance, gas, TERMS.period)


def test_a_quote_says_what_is_paid_for() -> None:
    found = quote(10**12)
    assert found.paid_bytes == 6 * 2 * 65_536
    assert found.max_price == 600 * found.paid_bytes
    assert found.ask.price_per_day == 86_400 * found.paid_bytes
    assert found.collateral == found.paid_bytes
    assert found.proofs_per_slot == 20
    assert (found.missing, found.gas > 400_000) == (0, True)
    check_affordable(found)


def test_what_cannot_be_paid_is_told_with_numbers_that_can() -> None:
    price = quote(0).max_price
    check_affordable(quote(price))
    with pytest.raises(InsufficientFunds, match="1 more tokens or a duration of 599 s"):
        check_affordable(quote(price - 1))
    found = quote(price // 2, price_per_byte_per_second=3)
    with pytest.raises(InsufficientFunds) as refused:
        check_affordable(found)
    assert "per byte and second" not in refused.value.message  # even 1 is too much
    assert f"{found.missing} more tokens would work" in refused.value.message
    cheaper = quote(2 * price, price_per_byte_per_second=3)
    with pytest.raises(InsufficientFunds, match="or a price of 2 per byte and second would work"):
        check_affordable(cheaper)
    check_affordable(replace(cheaper, ask=replace(cheaper.ask, price_per_byte_per_second=2)))
    check_affordable(replace(cheaper, ask=replace(cheaper.ask, duration=cheaper.duration_max)))


def test_coins_for_gas_are_needed_too() -> None:
    with pytest.raises(InsufficientFunds, match="gas"):
        check_affordable(quote(10**12, gas=0))


def test_a_plan_keeps_its_wish_within_what_can_be_bought() -> None:
    found = planned(9, LIMIT, 100 << 20, 65_536, TERMS)
    assert found.nines >= 9
    check_terms(replace(GOOD, nodes=found.nodes, tolerance=found.tolerance), TERMS)
    assert found.proof_probability == 12 * 3600 // TERMS.period
    assert planned(3, LIMIT, 100 << 20, 65_536, TERMS).nodes < found.nodes
    with pytest.raises(CannotPromise):
        planned(9, LIMIT, 1000, 65_536, TERMS)
    with pytest.raises(InputError):
        planned(0, LIMIT, 100 << 20, 65_536, TERMS)
