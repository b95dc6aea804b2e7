"""Reputation fades, bad data excludes, silence keeps away for longer and longer."""

from __future__ import annotations

import math

import pytest

from quire.base.errors import BadEncoding
from quire.point.choice_port import Outcome
from quire.point.reputation import (
    EXCLUSION_SECONDS,
    HALF_LIFE_SECONDS,
    Reputation,
    decode_reputation,
    encode_reputation,
    lower_bound,
)

NOW = 1_800_000_000.0
NEW = Reputation(NOW, NOW)


def test_the_bound_is_that_of_the_formula() -> None:
    mean = 11 / 13
    expected = mean - 1.28 * math.sqrt(mean * (1 - mean) / 14)
    assert lower_bound(10, 1) == pytest.approx(expected)
    assert lower_bound(0, 100) == 0.0
    assert lower_bound(1e6, 0) == pytest.approx(1.0, abs=1e-4)


def test_counts_fall_to_a_half_in_thirty_days() -> None:
    known = Reputation(NOW, NOW, 8.0, 4.0).faded(NOW + HALF_LIFE_SECONDS)
    assert (known.successes, known.failures) == pytest.approx((4.0, 2.0))
    assert known.faded(NOW) == known  # time does not run backwards


def test_a_success_ends_the_back_off_and_not_the_exclusion() -> None:
    bad = NEW.after(Outcome.BAD_DATA, NOW, "block 3 does not match")
    assert bad.failures == 10
    good = bad.after(Outcome.KEPT, NOW + 1)
    assert good.backoff_until == 0
    assert good.excluded_until == NOW + EXCLUSION_SECONDS


@pytest.mark.parametrize("outcome", [Outcome.BAD_DATA, Outcome.BAD_SIGNATURE])
def test_what_is_not_true_excludes_for_seven_days(outcome: Outcome) -> None:
    bad = NEW.after(outcome, NOW, "another root was signed")
    words = bad.keeps_away(NOW + EXCLUSION_SECONDS - 1)
    assert "excluded" in words
    assert "another root was signed" in words
    assert bad.keeps_away(NOW + EXCLUSION_SECONDS) == ""


def test_silence_keeps_away_for_twice_as_long_each_time_up_to_an_hour() -> None:
    known, now, pauses = NEW, NOW, []
    for _ in range(9):
        known = known.after(Outcome.SILENT, now)
        pauses.append(known.backoff_until - now)
        now = known.backoff_until
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_what_was_begun_before_a_back_off_does_not_make_it_longer() -> None:
    once = NEW.after(Outcome.SILENT, NOW)
    twice = once.after(Outcome.SILENT, NOW + 1)
    assert twice.backoff_until == once.backoff_until
    assert twice.failures == pytest.approx(2.0, abs=1e-5)


def test_a_lost_replica_counts_as_the_three_audits_that_failed() -> None:
    assert NEW.after(Outcome.LOST, NOW).failures == 3
    assert NEW.after(Outcome.REFUSED, NOW).failures == 1


def test_five_observations_end_the_time_of_a_newcomer() -> None:
    assert Reputation(NOW, NOW, 3.0, 1.9).is_new(NOW)
    assert not Reputation(NOW, NOW, 3.0, 2.0).is_new(NOW)
    assert Reputation(NOW, NOW, 3.0, 2.0).is_new(NOW + 60)  # it fades


def test_a_record_comes_back() -> None:
    known = Reputation(NOW, NOW, 1.5, 2.5, 3, NOW + 60, NOW, "why", 0.25, ("/ip4/1.2.3.4/tcp/1",))
    assert decode_reputation(encode_reputation(known)) == known


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"format":2,"reputation":{"first_seen":1,"at":1}}',
        b'{"format":1,"reputation":{"first_seen":-1,"at":1}}',
        b'{"format":1,"reputation":{"first_seen":1,"at":1,"failures":1e999}}',
        b'{"format":1,"reputation":{"first_seen":1,"at":1,"troubles":-1}}',
        b'{"format":1,"reputation":{"first_seen":1}}',
        b'{"format":1,"reputation":{"first_seen":1,"at":1,"addresses":'
        + b'["a",' * 0
        + b"["
        + b'"a",' * 16
        + b'"a"]}}',
    ],
)
def test_other_records_are_refused(data: bytes) -> None:
    with pytest.raises(BadEncoding):
        decode_reputation(data)
