"""Periods of a local market that suit the machine."""

from __future__ import annotations

import pytest

from quire.faces.local_market import BLOCK_SECONDS, MOST_PERIOD, paced


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.0, 2.5, 6.0, 60.0])
def test_all_proofs_of_a_period_fit_and_every_miss_can_be_marked(seconds: float) -> None:
    config = paced(seconds, 6)
    config.check()
    assert config.period >= min(MOST_PERIOD, 18 * seconds)
    # No pointer comes around between the beginning of a period and the end of its timeout, and
    # it is in its downtime for longer than that.
    assert (config.period + config.timeout) // BLOCK_SECONDS < config.downtime < 256


def test_a_quick_machine_has_short_periods() -> None:
    assert paced(0.3, 6).period < paced(1.0, 6).period
    assert paced(0.0, 6).period >= 10
