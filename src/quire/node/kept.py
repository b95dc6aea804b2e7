"""Why a dataset is kept and until when, in words. Pure."""

from __future__ import annotations

from quire.base.units import format_duration, format_time
from quire.store.dataset import Dataset, RetentionRoot

_WORDS = {
    "pin": "it is pinned",
    "name": "it has the name {name!r}",
    "request": "a storage request needs it: {name}",
    "slot": "this node holds its slot {name}",
    "replica": "it is a sealed replica that this node keeps for a client: link {name}",
    "job": "it is coded here, and served, for a customer: job {name}",
    "lease": "it was given this time when it was uploaded, or with quire ttl",
    "cache": "it was fetched from the network",
}
_DAY_SECONDS = 86_400.0


def root_in_words(root: RetentionRoot, now: float) -> str:
    """One reason, and how long it lasts."""
    why = _WORDS.get(root.kind, root.kind).format(name=root.name)
    if root.expires_at is None:
        return f"{why}: for ever"
    if root.expires_at <= now:
        return f"{why}: ended {format_time(root.expires_at)}"
    return f"{why}: until {format_time(root.expires_at)}, {_left(root.expires_at - now)}"


def kept_in_words(dataset: Dataset, now: float, next_collection_at: float) -> str:
    """The answer to: will it still be here?"""
    until = dataset.kept_until
    if until is None:
        return "kept for ever: it goes only when it is deleted, or its last endless root is"
    if until > now:
        return (
            f"kept until {format_time(until)}, {_left(until - now)}; "
            "quire pin CID keeps it for ever"
        )
    wait = max(0.0, next_collection_at - now)
    since = "nothing keeps it" if until <= 0 else f"its time ended {format_time(until)}"
    return (
        f"not kept: {since}. It goes at the next collection, in {format_duration(wait)}, or when "
        "those who are reading it have ended; quire pin CID keeps it"
    )


def _left(seconds: float) -> str:
    if seconds >= 2 * _DAY_SECONDS:
        return f"in {int(seconds // _DAY_SECONDS)} days"
    return f"in {format_duration(seconds)}"
