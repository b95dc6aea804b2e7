"""The bills that this node has promised to pay, so that none is promised twice.

A key is a series and a number, such as "<link>/0", "<link>/1"; a key without a number is a series
of one. Of a series one bill at a time is on its way: the next is promised when the payee has the
last, so that a payer is never more than one step ahead.
"""

from __future__ import annotations

from quire.chain.values import Address
from quire.channels.channel import Bill


def series_of(key: str) -> str:
    """What stands before the number of a bill."""
    head, _, number = key.rpartition("/")
    return head if head and number.isascii() and number.isdigit() else key


def number_of(key: str) -> int:
    """The number of a bill in its series; 0 when it has none."""
    return 0 if series_of(key) == key else int(key.rpartition("/")[2])


class Bills:
    """In memory what the journal holds of bills."""

    def __init__(self) -> None:
        self._bills: dict[str, Bill] = {}
        self._last: dict[tuple[Address, str], Bill] = {}

    def __len__(self) -> int:
        return len(self._bills)

    def add(self, bill: Bill) -> None:
        self._bills[bill.key] = bill
        place = (bill.payee, series_of(bill.key))
        last = self._last.get(place)
        if last is None or bill.sum >= last.sum:
            self._last[place] = bill

    def get(self, key: str) -> Bill | None:
        return self._bills.get(key)

    def unpaid_before(self, key: str, payee: Address, accepted: int) -> Bill | None:
        """The last bill of the series that the payee, who has `accepted` so much, may not have."""
        last = self._last.get((payee, series_of(key)))
        return last if last is not None and last.sum > accepted else None

    def of(self, payee: Address) -> list[Bill]:
        """Oldest first."""
        return [bill for bill in self._bills.values() if bill.payee == payee]

    def forget(self, prefix: str) -> list[str]:
        """Bills whose keys begin so are not remembered any more; their keys."""
        gone = [key for key in self._bills if key.startswith(prefix)]
        for key in gone:
            bill = self._bills.pop(key)
            place = (bill.payee, series_of(key))
            if self._last.get(place) == bill:
                del self._last[place]
        return gone
