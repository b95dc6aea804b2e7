"""Since when a client owes a provider: the newest bills are those that are not paid yet.

Source   point.md 6.5 (unpaid beyond one period)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from quire.point.billing import Bill, Term


def charged(terms: Iterable[Term]) -> Iterator[Bill]:
    """The bills of these terms that are in the client's account."""
    for term in terms:
        for index in range(term.settled):
            yield term.bill(index)


def owing_since(bills: Iterable[Bill], due: int) -> int | None:
    """Chain time at which the oldest bill that is not paid whole was due; None when nothing is.

    bills  all that the account was charged with and that may be unpaid
    due    what the account owes
    """
    since = None
    for bill in sorted(bills, key=lambda each: each.due_at, reverse=True):
        if due <= 0:
            break
        since = bill.due_at
        due -= bill.amount
    return since
