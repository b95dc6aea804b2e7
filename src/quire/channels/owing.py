"""What a node owes one peer for blocks that it served, and how far it may promise. Pure.

    owes        charged bytes that came and verified, at the price that was asked, less promised
    may promise that, and one billing step ahead

So a peer that takes a payment and serves nothing has one step of us, and never another.
Source   point.md 4.2
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.units import MIB
from quire.channels.tab import CREDIT_BYTES, cost, tokens

STEP_BYTES = MIB  # promised ahead at most
PAY_BYTES = MIB // 4  # paid together, while more comes


@dataclass(slots=True)
class Owing:
    """To one peer; sums ever since."""

    bought_bytes: int = 0
    parts: int = 0  # token-bytes, see channels.tab
    promised: int = 0  # tokens
    bills: int = 0  # how many were paid: the number of the next
    last: int = 0  # tokens of the last one
    day: int = 0
    of_day: int = 0  # tokens promised on that day

    @property
    def owes(self) -> int:
        """Tokens; negative: promised ahead."""
        return tokens(self.parts) - self.promised

    def came(self, charged_bytes: int, price: int) -> None:
        """Charged bytes that verified."""
        self.bought_bytes += charged_bytes
        self.parts += charged_bytes * price

    def is_due(self, price: int) -> bool:
        """Whether so much is owed that it should be paid before more comes."""
        return self.owes >= max(1, cost(PAY_BYTES, price))

    def room(self, price: int, on_its_way: int) -> int:
        """Bytes that the payee serves on credit beyond what came, as far as this node knows;
        `on_its_way`: of what was promised, tokens that he may not have."""
        owes = self.owes + on_its_way
        return max(0, CREDIT_BYTES - owes * MIB // price) if price else CREDIT_BYTES

    def may_promise(self, asked: int, price: int) -> int:
        """Of an amount that is asked for in advance, what may be promised; 0: nothing."""
        return max(0, min(asked, self.owes + cost(STEP_BYTES, price)))

    def promised_on(self, day: int) -> int:
        return self.of_day if self.day == day else 0

    def promise(self, amount: int, day: int) -> int:
        """Note an amount before it is paid; the number of its bill."""
        self.of_day = self.promised_on(day) + amount
        self.day = day
        self.promised += amount
        self.last = amount
        self.bills += 1
        return self.bills - 1

    def withdraw(self) -> None:
        """The last bill was not promised after all: it is the next again."""
        self.promised -= self.last
        self.of_day = max(0, self.of_day - self.last)
        self.bills -= 1
        self.last = 0
