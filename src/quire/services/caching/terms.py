"""What a node asks for its cache and pays for that of others: its settings, and its account."""

from __future__ import annotations

from dataclasses import dataclass

from quire.chain.hub import HubDomain
from quire.channels.port import Income, Payments
from quire.channels.tab import FREE_BYTES


@dataclass(frozen=True, slots=True)
class CacheTerms:
    """Prices in tokens (smallest unit) for a MiB; 0: nothing is asked, nothing is paid. `budget`:
    tokens of a day, at most; 0: no limit."""

    price: int = 0
    free_bytes: int = FREE_BYTES
    max_price: int = 0
    budget: int = 0


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What a node is told: its terms, and the bytes of its cache (0: see Shelf)."""

    terms: CacheTerms
    limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """The account of this node at one hub."""

    payments: Payments
    income: Income
    domain: HubDomain
