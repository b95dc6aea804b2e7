"""Bills of a term: what they are, when they are due, that they come to the price of the term."""

from __future__ import annotations

import pytest

from quire.channels.bills import number_of, series_of
from quire.point.billing import (
    TERM_BILLS,
    Bill,
    Term,
    bill_key,
    cost,
    due_bill,
    first_term,
    next_due,
    renewed_term,
    settle,
)
from support.link_kit import DAY, LINK_ID, NOW, OFFER, SEALED_BYTES

RATE, FEE = 3 * SEALED_BYTES, 7 * SEALED_BYTES


def term(seconds: int) -> Term:
    return first_term(OFFER, SEALED_BYTES, NOW, NOW + seconds)


def test_a_short_term_has_one_bill_with_the_fee() -> None:
    assert term(7200).bills == 1
    assert term(7200).bill(0) == Bill(0, NOW, FEE + 7200 * RATE)


def test_a_longer_term_is_billed_by_days_and_the_last_may_be_shorter() -> None:
    bills = [term(2 * DAY + 5).bill(index) for index in range(3)]
    assert bills == [
        Bill(0, NOW, FEE + DAY * RATE),
        Bill(1, NOW + DAY, DAY * RATE),
        Bill(2, NOW + 2 * DAY, 5 * RATE),
    ]


@pytest.mark.parametrize("seconds", [1, 3600, DAY - 1, DAY, DAY + 1, 30 * DAY, 30 * DAY + 7])
def test_the_bills_come_to_the_price_of_the_term(seconds: int) -> None:
    bills = [term(seconds).bill(index) for index in range(term(seconds).bills)]
    assert sum(bill.amount for bill in bills) == term(seconds).cost
    assert term(seconds).cost == cost(OFFER, SEALED_BYTES, seconds)
    assert [bill.due_at for bill in bills] == list(range(NOW, NOW + seconds, min(DAY, seconds)))


def test_a_renewal_follows_the_term_and_its_first_bill_is_due_at_once() -> None:
    first = term(2 * DAY)
    second = renewed_term(first, OFFER, SEALED_BYTES, NOW + 4 * DAY, NOW + DAY)
    assert (second.starts_at, second.expires_at) == (NOW + 2 * DAY, NOW + 4 * DAY)
    assert second.bill(0) == Bill(TERM_BILLS, NOW + DAY, DAY * RATE)
    assert second.bill(1) == Bill(TERM_BILLS + 1, NOW + 3 * DAY, DAY * RATE)
    assert second.cost == cost(OFFER, SEALED_BYTES, 2 * DAY, is_renewal=True)


def test_bills_are_settled_in_the_order_of_their_term() -> None:
    first = term(2 * DAY)
    terms = (first, renewed_term(first, OFFER, SEALED_BYTES, NOW + 4 * DAY, NOW + 10))
    assert due_bill(terms, NOW - 1) is None
    assert due_bill(terms, NOW) == first.bill(0)
    assert settle(terms, 1) == terms  # not its turn
    terms = settle(terms, 0)
    assert settle(terms, 0) == terms  # once
    assert due_bill(terms, NOW + 9) is None
    assert next_due(terms) == NOW + 10
    terms = settle(terms, TERM_BILLS)  # ahead of what is left of the first term
    assert next_due(terms) == NOW + DAY
    terms = settle(terms, 1)
    assert len(terms) == 1  # of the first nothing is left
    assert next_due(terms) == NOW + 3 * DAY
    terms = settle(terms, TERM_BILLS + 1)
    assert (len(terms), next_due(terms)) == (1, None)


def test_each_term_is_a_series_whose_numbers_grow() -> None:
    link = LINK_ID.hex()
    assert bill_key(LINK_ID, 0) == f"{link}/0"
    assert bill_key(LINK_ID, 3) == f"{link}/3"
    assert bill_key(LINK_ID, TERM_BILLS + 2) == f"{link}/t1/2"
    keys = [bill_key(LINK_ID, number) for number in (0, 1, TERM_BILLS, TERM_BILLS + 1)]
    assert [series_of(key) for key in keys] == [link, link, f"{link}/t1", f"{link}/t1"]
    assert [number_of(key) for key in keys] == [0, 1, 0, 1]
