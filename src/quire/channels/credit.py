"""How far a payee trusts a payer; so no more than this is lost to one that goes away.

How far a payer trusts a payee, one billing step, is in `channels.bills`.

Source   point.md 4.2 (exposure limits)
"""

from __future__ import annotations


def may_serve(due: int, amount: int, credit: int) -> bool:
    """Whether a payee goes on: `due` is billed and unpaid (negative: paid ahead), `amount` is what
    the next piece costs; all in tokens."""
    return due + amount <= credit


def credit_tokens(credit_bytes: int, price_byte: int) -> int:
    """What `credit_bytes` are worth."""
    return credit_bytes * price_byte
