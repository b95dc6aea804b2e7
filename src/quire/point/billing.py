"""What one replica costs and when: one bill for each period of its term.

    bill 0    fee_put · bytes + price · bytes · seconds of the period    when the receipt is made
    bill n    price · bytes · seconds of the period                      when its period begins

A period is the whole term, or a day when the term is longer; the last one may be shorter. A renewal
is a term of its own that follows the one before it: its first bill is due at once, and there is no
fee for writing. Prices are whole tokens, so nothing is rounded.

Source   point.md 6.5
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from quire.point.values import BILLING_SECONDS, LinkId, Offer

TERM_BILLS = 1 << 20  # the bills of each further term begin at a multiple of this


@dataclass(frozen=True, slots=True)
class Bill:
    """`number` names it among all of its link; `due_at` in seconds of the chain."""

    number: int
    due_at: int
    amount: int


@dataclass(frozen=True, slots=True)
class Term:
    """The time that one receipt covers.

    due_from    when its first bill is due: when the receipt was made
    rate        tokens for one second of all its bytes
    fee         tokens for writing; 0 for a renewal
    first_bill  the number of its first bill
    settled     how many of its bills are settled: paid, or billed
    """

    starts_at: int
    expires_at: int
    due_from: int
    rate: int
    fee: int = 0
    first_bill: int = 0
    settled: int = 0

    @property
    def seconds(self) -> int:
        return self.expires_at - self.starts_at

    @property
    def period(self) -> int:
        return min(self.seconds, BILLING_SECONDS)

    @property
    def bills(self) -> int:
        """How many there are in all."""
        return -(-self.seconds // self.period) if self.seconds > 0 else 0

    @property
    def cost(self) -> int:
        return self.fee + self.rate * self.seconds

    def bill(self, index: int) -> Bill:
        """`index` from 0 to below `bills`."""
        begins = self.starts_at + index * self.period
        seconds = min(self.period, self.expires_at - begins)
        if index == 0:
            return Bill(self.first_bill, self.due_from, self.fee + self.rate * seconds)
        return Bill(self.first_bill + index, begins, self.rate * seconds)

    def unsettled(self) -> Bill | None:
        """The next bill, due or not."""
        return self.bill(self.settled) if self.settled < self.bills else None


def first_term(offer: Offer, sealed_bytes: int, starts_at: int, expires_at: int) -> Term:
    return Term(
        starts_at,
        expires_at,
        starts_at,
        offer.price_byte_second * sealed_bytes,
        offer.fee_put_byte * sealed_bytes,
    )


def renewed_term(before: Term, offer: Offer, sealed_bytes: int, expires_at: int, now: int) -> Term:
    """What follows `before`, as agreed at `now`."""
    return Term(
        before.expires_at,
        expires_at,
        now,
        offer.price_byte_second * sealed_bytes,
        first_bill=before.first_bill + TERM_BILLS,
    )


def unsettled(terms: Sequence[Term]) -> Iterator[Bill]:
    """The next bill of each term."""
    for term in terms:
        bill = term.unsettled()
        if bill is not None:
            yield bill


def due_bill(terms: Sequence[Term], now: int) -> Bill | None:
    """The first bill that is due and not settled."""
    return next((bill for bill in unsettled(terms) if bill.due_at <= now), None)


def next_due(terms: Sequence[Term]) -> int | None:
    """When the next bill is due, or was."""
    return min((bill.due_at for bill in unsettled(terms)), default=None)


def amount_of(terms: Sequence[Term], number: int) -> int:
    """Of this bill, where it is the next of its term; 0: it is settled, or not yet its turn."""
    return sum(bill.amount for bill in unsettled(terms) if bill.number == number)


def settle(terms: Sequence[Term], number: int) -> tuple[Term, ...]:
    """The terms with this bill settled; it must be the next of its term, others change nothing.
    A term of which nothing is left to settle is dropped, except the last one."""
    changed = []
    for term in terms:
        bill = term.unsettled()
        settled = term.settled + (bill is not None and bill.number == number)
        if settled < term.bills or term is terms[-1]:
            changed.append(replace(term, settled=settled))
    return tuple(changed)


def cost(offer: Offer, sealed_bytes: int, seconds: int, *, is_renewal: bool = False) -> int:
    """Of a whole term, in tokens."""
    fee = 0 if is_renewal else offer.fee_put_byte * sealed_bytes
    return fee + offer.price_byte_second * sealed_bytes * seconds


def bill_prefix(link_id: LinkId) -> str:
    return f"{link_id.hex()}/"


def bill_key(link_id: LinkId, number: int) -> str:
    """By which the payment channels know a bill: <link>/<n>, of further terms <link>/t<term>/<n>.
    Each term is a series of its own, whose bills come in their order."""
    term, index = divmod(number, TERM_BILLS)
    return f"{bill_prefix(link_id)}{f't{term}/' if term else ''}{index}"
