"""How far a payee trusts a payer; so no more than this is lost to one that goes away.

How far a payer trusts a payee, one billing step, is in `channels.bills`.

Source   point.md 4.2 (exposure limits)
"""

from __future__ import annotations

TRUST_SHARE = 8  # of what was paid, one part is trusted
GROWTH_MAX = 64  # times the first credit


def may_serve(due: int, amount: int, credit: int) -> bool:
    """Whether a payee goes on: `due` is billed and unpaid (negative: paid ahead), `amount` is what
    the next piece costs; all in tokens."""
    return due + amount <= credit


def credit_tokens(credit_bytes: int, price_byte: int, paid: int = 0) -> int:
    """What `credit_bytes` are worth; or an eighth of what a payer has `paid` in all, if that is
    more, so that a payee never risks much of what he got. Both sides reckon it."""
    first = credit_bytes * price_byte
    return max(first, min(paid // TRUST_SHARE, GROWTH_MAX * first))
