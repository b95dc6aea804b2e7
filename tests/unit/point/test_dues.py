"""Since when a client owes: the newest bills are those that are not paid."""

from quire.point.billing import Bill, Term
from quire.point.dues import charged, owing_since

BILLS = [Bill(0, 100, 10), Bill(2, 300, 10), Bill(1, 200, 10)]


def test_who_owes_nothing_owes_since_never():
    assert owing_since(BILLS, 0) is None
    assert owing_since(BILLS, -5) is None
    assert owing_since([], 7) is None


def test_what_is_paid_is_paid_for_the_oldest_bills_first():
    assert owing_since(BILLS, 1) == 300
    assert owing_since(BILLS, 10) == 300
    assert owing_since(BILLS, 11) == 200
    assert owing_since(BILLS, 25) == 100
    assert owing_since(BILLS, 10_000) == 100


def test_only_what_was_charged_counts():
    term = Term(1000, 1000 + 3 * 86_400, 1000, rate=2, fee=5, settled=2)
    assert [(bill.number, bill.due_at) for bill in charged([term])] == [(0, 1000), (1, 87_400)]
