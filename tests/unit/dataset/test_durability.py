"""What sampling finds and how safe a code is, against the white paper and slow twins."""

from __future__ import annotations

from math import inf
from random import Random

import pytest

from oracles.durability import loss_by_uniformisation, losses_in_trials
from quire.base.errors import InputError
from quire.dataset.durability import (
    Hazards,
    detection_probability,
    escape_probability,
    nines,
    outlook,
    samples_needed,
    snapshot_loss,
)

HOUR = 3600.0
YEAR = 8766 * HOUR
DAY = 24 * HOUR

# (lazy, k, m, loss): proofs.md 7.2, from a matrix exponential. The white paper prints the same
# codes but for lazy 5 with an expansion of 2, where it has 13 + 13.
WHITE_PAPER = [
    (1, 18, 9, 3.52e-10),
    (1, 7, 7, 2.82e-10),
    (1, 4, 6, 5.75e-10),
    (5, 28, 14, 2.46e-10),
    (5, 11, 11, 8.14e-10),
    (5, 13, 13, 6.95e-12),
    (5, 8, 12, 5.31e-12),
]


@pytest.mark.parametrize(("lazy", "k", "m", "loss"), WHITE_PAPER)
def test_the_table_of_the_white_paper_comes_out(lazy: int, k: int, m: int, loss: float) -> None:
    found = outlook(k, m, Hazards(YEAR, DAY, DAY, lazy), YEAR)
    assert found.loss == pytest.approx(loss, rel=3e-3)


@pytest.mark.parametrize(("expansion", "lazy", "k", "m"), [
    (1.5, 1, 18, 9), (2, 1, 7, 7), (2.5, 1, 4, 6), (1.5, 5, 28, 14), (2, 5, 11, 11), (2.5, 5, 8, 12)
])  # fmt: skip
def test_its_codes_are_the_smallest_that_keep_nine_nines(
    expansion: float, lazy: int, k: int, m: int
) -> None:
    hazards = Hazards(YEAR, DAY, DAY, lazy)
    smaller = [
        (data, round(data * (expansion - 1)))
        for data in range(2, k)
        if data * expansion == int(data * expansion) and data * (expansion - 1) >= lazy
    ]
    assert outlook(k, m, hazards, YEAR).loss <= 1e-9
    assert all(outlook(a, b, hazards, YEAR).loss > 1e-9 for a, b in smaller)


@pytest.mark.parametrize(("k", "m", "lazy", "days"), [
    (3, 2, 1, 365), (3, 2, 2, 365), (2, 1, 1, 90), (4, 4, 2, 200), (5, 3, 1, 1000)
])  # fmt: skip
def test_the_closed_form_agrees_with_a_matrix_exponential(
    k: int, m: int, lazy: int, days: int
) -> None:
    hazards = Hazards(60 * DAY, 2 * DAY, DAY, lazy)
    exact = loss_by_uniformisation(k, m, 60 * DAY, 2 * DAY, DAY, lazy, days * DAY)
    assert outlook(k, m, hazards, days * DAY).loss == pytest.approx(exact, rel=0.03)


@pytest.mark.parametrize("days", [0.1, 1, 3, 10, 20])
def test_a_short_period_is_never_judged_safer_than_it_is(days: float) -> None:
    hazards = Hazards(60 * DAY, 2 * DAY, DAY, 1)
    exact = loss_by_uniformisation(5, 3, 60 * DAY, 2 * DAY, DAY, 1, days * DAY)
    assert outlook(5, 3, hazards, days * DAY).loss >= exact * 0.97


def test_a_longer_period_is_never_safer() -> None:
    losses = [outlook(7, 7, Hazards(YEAR, DAY, DAY), d * DAY).loss for d in range(1, 400, 7)]
    assert losses == sorted(losses)


def test_simulated_datasets_are_lost_as_often_as_the_model_says() -> None:
    trials = 4000
    lost = losses_in_trials(Random(7), trials, 3, 2, 20 * DAY, 2 * DAY, DAY, 1, 60 * DAY)
    expected = outlook(3, 2, Hazards(20 * DAY, 2 * DAY, DAY), 60 * DAY).loss * trials
    assert expected == pytest.approx(lost, abs=4 * expected**0.5)


def test_the_most_slots_that_a_circuit_takes_are_computed_without_loss_of_digits() -> None:
    found = outlook(128, 128, Hazards(YEAR, DAY, DAY, 20), YEAR)
    assert 0 < found.loss < 1e-45


def test_three_plus_two_is_not_nine_nines() -> None:
    assert nines(outlook(3, 2, Hazards(YEAR, DAY, DAY), YEAR).loss) < 3


# proofs.md 7.1: lost fraction, detection with 5, 20 and 100 samples, samples for 1e-6 and 1e-9.
AUDITS = [
    (0.001, 0.00499, 0.0198, 0.0952, 13_809, 20_713),
    (0.01, 0.0490, 0.182, 0.634, 1_375, 2_062),
    (0.05, 0.226, 0.642, 0.994, 270, 405),
    (0.1, 0.410, 0.878, 0.99997, 132, 197),
    (1 / 9, 0.445, 0.905, 0.999992, 118, 176),
    (0.25, 0.763, 0.9968, 1 - 3e-13, 49, 73),
    (0.5, 0.969, 0.999999, 1.0, 20, 30),
]


@pytest.mark.parametrize(("lost", "five", "twenty", "hundred", "million", "billion"), AUDITS)
def test_sampling_finds_a_loss_as_often_as_the_table_says(
    lost: float, five: float, twenty: float, hundred: float, million: int, billion: int
) -> None:
    for samples, expected in ((5, five), (20, twenty), (100, hundred)):
        assert detection_probability(lost, samples) == pytest.approx(expected, rel=5e-3)
    assert samples_needed(lost, 1e-6) == million
    assert samples_needed(lost, 1e-9) == billion


@pytest.mark.parametrize(("lost", "never", "once"), [
    (0.001, 0.861, 0.990), (0.01, 0.221, 0.564), (0.05, 4.6e-4, 4.5e-3), (0.1, 1.4e-7, 3.0e-6)
])  # fmt: skip
def test_thirty_proofs_let_through_what_the_table_says(
    lost: float, never: float, once: float
) -> None:
    assert escape_probability(lost, 5, 30) == pytest.approx(never, rel=0.03)
    assert escape_probability(lost, 5, 30, misses=1) == pytest.approx(once, rel=0.03)


def test_one_lost_cell_in_a_gibibyte_is_found_after_seventy_thousand_proofs() -> None:
    proofs = samples_needed(2**-19, 0.5) / 5
    assert proofs == pytest.approx(72_700, rel=1e-3)


def test_without_repair_the_whole_tail_counts() -> None:
    assert snapshot_loss(3, 1, 0.01) == pytest.approx(2.98e-4, rel=1e-3)
    assert snapshot_loss(5, 2, 0.01) == pytest.approx(9.85e-6, rel=1e-3)


def test_certainty_at_both_ends() -> None:
    assert [detection_probability(lost, 5) for lost in (0, 1)] == [0, 1]
    assert [escape_probability(1, 5, 3, misses=n) for n in (0, 3)] == [0, 1]
    assert [nines(loss) for loss in (0, 1e-4)] == [inf, pytest.approx(4)]


@pytest.mark.parametrize("call", [
    lambda: detection_probability(1.5, 5),
    lambda: detection_probability(-0.1, 5),
    lambda: samples_needed(0, 0.1),
    lambda: samples_needed(0.1, 0),
    lambda: Hazards(0, DAY, DAY),
    lambda: Hazards(YEAR, inf, DAY),
    lambda: Hazards(YEAR, DAY, DAY, lazy=0),
    lambda: outlook(0, 1, Hazards(YEAR, DAY, DAY), YEAR),
    lambda: outlook(3, 2, Hazards(YEAR, DAY, DAY, lazy=3), YEAR),
    lambda: outlook(3, 2, Hazards(YEAR, DAY, DAY), 0),
])  # fmt: skip
def test_what_means_nothing_is_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(InputError):
        call()
