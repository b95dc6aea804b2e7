"""Whatever is seen of a provider, in whatever order, its reputation keeps its rules."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire.point.choice_port import Outcome
from quire.point.reputation import (
    BACKOFF_SECONDS_MAX,
    EXCLUDING,
    EXCLUSION_SECONDS,
    Reputation,
    decode_reputation,
    encode_reputation,
)

START = 1_800_000_000.0
outcomes = st.sampled_from(list(Outcome))
steps = st.lists(st.tuples(outcomes, st.floats(0, 40 * 86400)), max_size=30)


def lived(history: list[tuple[Outcome, float]]) -> tuple[Reputation, float]:
    """A provider after this history of (outcome, seconds until the next)."""
    known, now = Reputation(START, START), START
    for outcome, pause in history:
        known = known.after(outcome, now, "why")
        now += pause
    return known, now


@given(steps, outcomes)
def test_a_success_never_harms_and_a_failure_never_helps(history, outcome) -> None:
    known, now = lived(history)
    before, after = known.bound(now), known.after(outcome, now).bound(now)
    assert 0 <= after <= 1
    if outcome is Outcome.KEPT:
        assert after >= before
    else:
        assert after <= before


@given(steps, st.floats(0, 400 * 86400))
def test_counts_only_fade(history, later) -> None:
    known, now = lived(history)
    faded = known.faded(now + later)
    assert 0 <= faded.successes <= known.successes
    assert 0 <= faded.failures <= known.failures
    twice = known.faded(now + later / 2).faded(now + later)
    assert abs(twice.successes - faded.successes) < 1e-6
    assert abs(twice.failures - faded.failures) < 1e-6


@given(steps)
def test_it_is_kept_away_for_seven_days_at_most_and_an_hour_without_a_lie(history) -> None:
    known, now = lived(history)
    lies = any(outcome in EXCLUDING for outcome, _ in history)
    longest = EXCLUSION_SECONDS if lies else BACKOFF_SECONDS_MAX
    assert known.keeps_away(now + longest) == ""


@given(steps)
def test_a_lie_is_never_forgiven_early(history) -> None:
    known, now = lived(history)
    lied_at, at = None, START
    for outcome, pause in history:
        if outcome in EXCLUDING:
            lied_at = at
        at += pause
    if lied_at is not None and now < lied_at + EXCLUSION_SECONDS:
        assert "excluded" in known.keeps_away(now)


@given(steps)
def test_a_record_brings_everything_back(history) -> None:
    known, _ = lived(history)
    assert decode_reputation(encode_reputation(known)) == known
