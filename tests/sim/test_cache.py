"""The cache policy against the one that everybody has, on loads of every kind."""

from __future__ import annotations

import json

import pytest

from quire.sim.cache_table import Rates, cases, measure, report
from quire.sim.main import run

REQUESTS = 12_000


@pytest.fixture(scope="module")
def rows() -> list[Rates]:
    return [measure(case) for case in cases(REQUESTS, seed=3)]


def test_it_beats_lru_by_a_margin_where_popularity_is_steady(rows: list[Rates]) -> None:
    steady = [row for row in rows if row.name in ("Zipf 0.8", "Zipf 1.0") and row.share <= 0.05]
    assert len(steady) == 4
    assert all(row.ours > row.lru + 0.05 for row in steady)
    assert all(row.gained > 0.3 for row in steady)


def test_scans_and_loops_do_not_wash_the_cache_out(rows: list[Rates]) -> None:
    hard = [row for row in rows if "scan" in row.name or "loop" in row.name]
    assert len(hard) == 2
    assert all(row.ours > row.lru + 0.05 for row in hard)


def test_it_is_never_much_worse_than_lru(rows: list[Rates]) -> None:
    assert len(rows) > 15
    assert all(row.ours > row.lru - 0.02 for row in rows)


def test_nobody_is_better_than_the_best(rows: list[Rates]) -> None:
    equal = [row for row in rows if "sizes" not in row.name]
    assert all(row.best >= max(row.ours, row.lru) for row in equal)


def test_the_table_is_the_same_for_the_same_seed(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--requests", "500"]
    assert report(few) == report(few) != report([*few, "--seed", "2"])
    assert run(["cache", *few, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["requests"], len(found["rows"])) == (500, len(report(few)) - 2)
