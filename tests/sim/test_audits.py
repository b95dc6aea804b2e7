"""How soon audits find what is lost, and that what is asked after a miss decides it."""

from __future__ import annotations

import json
import math

import pytest

from quire.base.rng import seeded_rng
from quire.point.audit import Audits, detection
from quire.sim.audits import Share, as_table, measure
from quire.sim.main import run

RUNS = 600


def test_a_twentieth_is_found_within_a_day_as_the_formula_says() -> None:
    """point.md 6.5: 1 − 0.95^72 = 97.5 %."""
    assert detection(0.05, 72) == pytest.approx(0.975, abs=0.0005)
    figures = measure(0.05, 256, RUNS, 1)
    assert figures.lost == 13 / 256
    assert figures.missed.low < figures.formula < figures.missed.high
    assert figures.given_up.mean > 0.94
    assert figures.hours_given_up < figures.hours_missed + 4


def test_with_other_blocks_after_a_miss_it_would_take_days() -> None:
    figures = measure(0.05, 256, 200, 1)
    assert figures.given_up_others.high < 0.2
    assert figures.hours_given_up_others > 100


def test_one_lost_block_is_found_too_though_later() -> None:
    figures = measure(0.0, 16, RUNS, 1)
    assert figures.lost == 1 / 16
    assert 0.97 < figures.missed.mean <= 1
    assert figures.missed.low < detection(1 / 16, 72) + 0.01


def test_a_block_that_was_missed_is_asked_for_again_until_it_is_shown() -> None:
    audits, rng, link = Audits(), seeded_rng(1), bytes(16)
    first = audits.pick(rng, link, 256)
    assert len(first) == 3
    assert audits.pick(rng, link, 256) == first
    assert audits.pick(rng, b"another link", 256) != first
    audits.passed(link)
    assert audits.pick(rng, link, 256) != first


def test_a_share_has_the_interval_of_wilson() -> None:
    share = Share.of(95, 100)
    assert (share.low, share.high) == (
        pytest.approx(0.888, abs=1e-3),
        pytest.approx(0.978, abs=1e-3),
    )
    assert Share.of(0, 10).low == 0.0
    assert Share.of(10, 10).high == pytest.approx(1.0)


def test_the_study_is_a_command(capsys) -> None:
    assert run(["audits", "--runs", "5", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["blocks"] for row in rows} == {256, 145, 16}
    lines = as_table([measure(0.5, 16, 5, 1)])
    assert len({line.count("|") for line in lines}) == 1
    assert math.isfinite(measure(0.5, 16, 5, 1).hours_missed)
