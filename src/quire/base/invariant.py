"""Facts that must hold, checked also in production."""

from __future__ import annotations

from quire.base.errors import Bug


def invariant(fact: bool, message: str, **facts: object) -> None:
    """Raise `Bug` unless `fact` holds. Unlike `assert`, never switched off."""
    if not fact:
        raise Bug(message, **facts)
