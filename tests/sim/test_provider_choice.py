"""Weighted choice of providers does better than uniform draws, in a small version of the study.

The figures are those of `docs/explain/choosing-providers.md`; here only their directions are
asserted, with margins that no seed comes near.
"""

from __future__ import annotations

import json
import math

import pytest

from quire.sim.main import run
from quire.sim.provider_choice import Kind, Setting
from quire.sim.provider_choice_table import (
    POLICIES,
    Interval,
    as_table,
    compare,
    hidden,
    measure,
)

SMALL = Setting(
    counts=(
        (Kind.BIG, 3),
        (Kind.SMALL, 10),
        (Kind.LATE, 4),
        (Kind.SLOW, 4),
        (Kind.DEAR, 5),
        (Kind.DYING, 3),
        (Kind.REFUSING, 2),
        (Kind.FORGING, 2),
        (Kind.DROPPING, 2),
        (Kind.ONE_PAYEE, 7),
        (Kind.ONE_NETWORK, 7),
    ),
    days=120,
    chunks_per_day=3,
    exit_day=80,
)
SEEDS = range(1, 4)
MAKE = dict(POLICIES)
WITH, WITHOUT, WEIGHTED, BLIND, _ = MAKE


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Interval]]:
    return compare(SMALL, SEEDS, POLICIES[:4])


def mean(rows: dict[str, dict[str, Interval]], policy: str, figure: str) -> float:
    return rows[policy][figure].mean


def test_no_operator_that_can_be_seen_has_two_replicas_and_none_are_lost_together(rows) -> None:
    assert mean(rows, WEIGHTED, "shared") == 0
    assert mean(rows, WEIGHTED, "lost") == 0
    for uniform in (WITH, WITHOUT):
        assert mean(rows, uniform, "shared") > 0.05
        assert mean(rows, uniform, "lost") > 0.004


def test_without_a_look_at_payee_and_network_the_weights_alone_do_not_help(rows) -> None:
    assert mean(rows, BLIND, "shared") > 0.05
    assert mean(rows, BLIND, "lost") > 0.004


def test_who_is_dear_or_slow_gets_less(rows) -> None:
    for uniform in (WITH, WITHOUT):
        assert mean(rows, WEIGHTED, "price") < 0.9 * mean(rows, uniform, "price")
        assert mean(rows, WEIGHTED, "rtt") < 0.6 * mean(rows, uniform, "rtt")


def test_fewer_links_fail(rows) -> None:
    assert mean(rows, WEIGHTED, "refused") < 0.8 * mean(rows, WITHOUT, "refused")
    assert mean(rows, WITHOUT, "refused") < 0.8 * mean(rows, WITH, "refused")


def test_small_and_late_providers_stay_in_play(rows) -> None:
    assert mean(rows, WEIGHTED, "gini") < 0.35
    assert mean(rows, WEIGHTED, "late") > 0.5


def test_sybils_of_whom_nothing_shows_are_not_found_out() -> None:
    """What the filters do not see they do not stop; the page says so."""
    figures = [measure(hidden(SMALL), MAKE[WEIGHTED], seed) for seed in SEEDS]
    assert sum(each.shared for each in figures) / len(figures) > 0.05


def test_the_same_seed_gives_the_same_year() -> None:
    short = Setting(counts=SMALL.counts, days=20, exit_day=10)
    assert measure(short, MAKE[WEIGHTED], 5) == measure(short, MAKE[WEIGHTED], 5)


def test_an_interval_is_that_of_student() -> None:
    interval = Interval.of([1.0, 2.0, 3.0])
    assert interval.mean == 2.0
    assert interval.half == pytest.approx(4.30 / math.sqrt(3))
    assert Interval.of([1.0]).half == math.inf
    assert Interval.of([1.0] * 40).half == 0.0


def test_the_table_has_a_cell_for_each_figure(rows) -> None:
    lines = as_table(rows)
    assert len(lines) == 2 + 4
    assert len({line.count("|") for line in lines}) == 1


def test_the_study_is_a_command(capsys, monkeypatch) -> None:
    small = Setting(counts=SMALL.counts, days=10, exit_day=5)
    monkeypatch.setattr("quire.sim.provider_choice_table.Setting", lambda chunks_per_day: small)
    assert run(["provider-choice", "--seeds", "2", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown["groups"]) == list(MAKE)
    assert shown["seeds"] == [1, 2]
