"""How much goes into a channel, and how one transaction serves all that ask at a time.

Source   point.md 6.5 (ESTABLISH_PAYMENT_CHANNEL); ADR 0034
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quire.chain.hub import HubChannel
from quire.chain.values import Address

STEPS_AHEAD = 4  # a top-up makes room for so many bills like the one that needs it


@dataclass(frozen=True, slots=True)
class TopUpPolicy:
    """`target`: the room that a top-up makes, where there is money for it; 0: only by the bill that
    needs it."""

    target: int = 0

    def wish(self, least: int) -> int:
        """The room that is asked for where a bill needs `least`."""
        return max(self.target, STEPS_AHEAD * least)


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody waits for a deposit of `least`, better `want`."""

    payee: Address
    seen: HubChannel
    least: int
    want: int

    @property
    def missing(self) -> int:
        """At least so much has to be added."""
        return max(0, self.least - self.seen.deposit)

    @property
    def wished(self) -> int:
        return max(self.want - self.seen.deposit, self.missing)

    @property
    def is_needed(self) -> bool:
        """A close that is pending is ended by any allocation, also by one of nothing."""
        return self.missing > 0 or self.seen.close_at > 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do for all asks at once.

    deposit  from outside into the hub, before the allocation
    sums     (payee, amount) of the one allocation
    short    (payee, what was needed for him) of those for whom there is not enough
    """

    deposit: int
    sums: tuple[tuple[Address, int], ...]
    short: tuple[tuple[Address, int], ...]


def plan_top_ups(asks: Sequence[Ask], balance: int, tokens: int) -> Plan:
    """Everybody gets what he needs, in order, while there is money; what is left fills wishes.

    balance  of the account inside the hub and in no channel
    tokens   of the account outside
    """
    money = balance + tokens
    sums: dict[Address, int] = {}
    short: list[tuple[Address, int]] = []
    for ask in asks:
        if not ask.is_needed:
            continue
        if ask.missing > money:
            short.append((ask.payee, ask.missing))
            continue
        sums[ask.payee] = ask.missing
        money -= ask.missing
    for ask in asks:
        if ask.payee in sums:
            more = min(ask.wished - ask.missing, money)
            sums[ask.payee] += more
            money -= more
    return Plan(max(0, sum(sums.values()) - balance), tuple(sums.items()), tuple(short))
