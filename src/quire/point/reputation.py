"""What a provider has shown itself to be: successes and failures that fade, back-off, exclusion.

Source   point.md 5.2, 3 and 5. Times in unix seconds of this machine
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import msgspec

from quire.base.errors import BadEncoding
from quire.base.units import format_duration
from quire.point.choice_port import Outcome

HALF_LIFE_SECONDS = 30 * 86400.0
NEW_BELOW = 5.0  # a provider with fewer successes and failures together is a newcomer
BOUND_SIGMAS = 1.28
BACKOFF_SECONDS_FIRST, BACKOFF_SECONDS_MAX = 60.0, 3600.0
EXCLUSION_SECONDS = 7 * 86400.0
GROWN_UP_SECONDS = 30 * 86400.0
MAX_ADDRESSES = 16

# LOST is said after three audits that failed in a row.
FAILURES = {
    Outcome.SILENT: 1.0,
    Outcome.REFUSED: 1.0,
    Outcome.LOST: 3.0,
    Outcome.BAD_DATA: 10.0,
    Outcome.BAD_SIGNATURE: 10.0,
}
EXCLUDING = (Outcome.BAD_DATA, Outcome.BAD_SIGNATURE)

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Reputation:
    """Counts are as of `at`. `troubles`: failures since the last success, for the back-off; `why`:
    the last failure in words; 0 in a time: never. `addresses`: where the provider was met last, and
    `rtt` how long it took to answer, in seconds."""

    first_seen: float
    at: float
    successes: float = 0.0
    failures: float = 0.0
    troubles: int = 0
    backoff_until: float = 0.0
    excluded_until: float = 0.0
    why: str = ""
    rtt: float = 0.0
    addresses: tuple[str, ...] = ()

    def faded(self, now: float) -> Reputation:
        """With the counts of `now`; a clock that was put back changes nothing."""
        if now <= self.at:
            return self
        left = 0.5 ** ((now - self.at) / HALF_LIFE_SECONDS)
        return replace(self, at=now, successes=self.successes * left, failures=self.failures * left)

    def after(self, outcome: Outcome, now: float, why: str = "") -> Reputation:
        """What it is when this has been seen of it."""
        known = self.faded(now)
        if outcome is Outcome.KEPT:
            return replace(known, successes=known.successes + 1, troubles=0, backoff_until=0.0)
        excluded = now + EXCLUSION_SECONDS if outcome in EXCLUDING else known.excluded_until
        failed = replace(
            known,
            failures=known.failures + FAILURES[outcome],
            excluded_until=max(known.excluded_until, excluded),
            why=why or outcome.value,
        )
        if now < known.backoff_until:  # of what was begun before it: once is enough
            return failed
        pause = min(BACKOFF_SECONDS_FIRST * 2.0 ** min(known.troubles, 16), BACKOFF_SECONDS_MAX)
        return replace(failed, troubles=known.troubles + 1, backoff_until=now + pause)

    def keeps_away(self, now: float) -> str:
        """Why it is not asked now, in words; empty when it may be."""
        if now < self.excluded_until:
            left = format_duration(self.excluded_until - now)
            return f"it is excluded for another {left}: {self.why}"
        if now < self.backoff_until:
            left = format_duration(self.backoff_until - now)
            return f"it is left alone for another {left}: {self.why}"
        return ""

    def is_new(self, now: float) -> bool:
        """Whether too little is known of it to judge."""
        known = self.faded(now)
        return known.successes + known.failures < NEW_BELOW

    def bound(self, now: float) -> float:
        """The lower bound of its reliability, 0..1."""
        known = self.faded(now)
        return lower_bound(known.successes, known.failures)

    def age_factor(self, now: float) -> float:
        """From 0.5 for one just met to 1 after 30 days."""
        return min(1.0, max(0.0, now - self.first_seen) / GROWN_UP_SECONDS) * 0.5 + 0.5


def lower_bound(successes: float, failures: float) -> float:
    """Of Beta(s + 1, f + 1), approximated; never below 0."""
    total = successes + failures
    mean = (successes + 1) / (total + 2)
    return max(0.0, mean - BOUND_SIGMAS * math.sqrt(mean * (1 - mean) / (total + 3)))


@dataclass(frozen=True, slots=True)
class _Record:
    format: int
    reputation: Reputation


def encode_reputation(reputation: Reputation) -> bytes:
    return msgspec.json.encode(_Record(_FORMAT, reputation))


def decode_reputation(data: bytes) -> Reputation:
    """What `encode_reputation` was given. Raises BadEncoding."""
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of a provider cannot be read: {error}") from None
    known = record.reputation
    if record.format != _FORMAT:
        raise BadEncoding(f"the record of a provider has format {record.format}, not {_FORMAT}")
    for field in fields(known):
        value = getattr(known, field.name)
        if isinstance(value, int | float) and not 0 <= value < math.inf:
            raise BadEncoding(f"the record of a provider has {field.name} out of range")
    if len(known.addresses) > MAX_ADDRESSES:
        raise BadEncoding(f"the record of a provider has more than {MAX_ADDRESSES} addresses")
    return known
