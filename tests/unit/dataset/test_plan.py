"""From a wish to a code and its cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.base.errors import InputError
from quire.dataset.plan import (
    SAMPLES,
    CannotPromise,
    Rates,
    Wish,
    codes,
    evaluate,
    plan,
    proofs_until_noticed,
    samples_for,
)

DAY = 86_400.0
YEAR = 365.25 * DAY
GIB = 1 << 30
RATES = Rates(coding=5e9, hashing=6e7, proof_seconds={5: 2.0, 20: 7.0, 100: 35.0})
WISH = Wish(10 * GIB, 9, YEAR, YEAR, DAY / 2, misses=1, repair_time=DAY)


@pytest.mark.parametrize("expansion", [1.2, 1.25, 1.5, 1.75, 2.0])
def test_a_plan_keeps_the_wish_within_the_expansion(expansion: float) -> None:
    found = plan(WISH, expansion, RATES)
    assert found.keeps_wish
    assert found.nines >= 9
    assert found.expansion <= expansion + 1e-9


def test_no_smaller_code_would_do_or_it_would_cost_more() -> None:
    found = plan(WISH, 1.5, RATES)
    for k, m in codes(WISH, 1.5):
        other = evaluate(WISH, k, m, RATES)
        if other.slots < found.slots and other.keeps_wish:
            assert other.cost.paid_bytes > found.cost.paid_bytes


def test_a_few_more_rows_are_taken_where_they_save_padding() -> None:
    """18 + 9 is the smallest; its slots of 9103 blocks are padded to 16384."""
    assert not evaluate(WISH, 17, 8, RATES).keeps_wish
    assert evaluate(WISH, 18, 9, RATES).keeps_wish
    found = plan(WISH, 1.5, RATES)
    assert (found.k, found.m) == (20, 10)
    assert found.cost.paid_bytes == 15 * GIB


def test_more_nines_never_take_fewer_slots() -> None:
    smallest = []
    for wanted in (3, 6, 9, 12):
        wish = replace(WISH, nines=wanted)
        keeping = [c for c in codes(wish, 1.5) if evaluate(wish, *c, RATES).keeps_wish]
        smallest.append(sum(keeping[0]))
    assert smallest == sorted(smallest)


def test_three_plus_two_does_not_keep_nine_nines() -> None:
    found = evaluate(WISH, 3, 2, RATES)
    assert not found.keeps_wish
    assert found.nines < 3


def test_a_small_dataset_is_told_how_far_it_gets() -> None:
    with pytest.raises(CannotPromise, match=r"2 \+ 2, the largest code for 2 blocks .* gives 3\.4"):
        plan(replace(WISH, size=100_000), 2.0, RATES)


def test_a_dataset_of_one_block_cannot_be_spread() -> None:
    with pytest.raises(CannotPromise, match="1 blocks of 65536 bytes cannot be spread"):
        plan(replace(WISH, size=1000), 2.0, RATES)


def test_the_costs_add_up() -> None:
    cost = evaluate(WISH, 4, 2, RATES).cost
    assert cost.stored_bytes == cost.upload_bytes == 15 * GIB
    assert cost.paid_bytes == 24 * GIB  # 40 960 blocks a slot count as 65 536
    assert cost.proofs == pytest.approx(6 * 2 * 365.25)
    assert cost.proof_seconds == pytest.approx(2 * cost.proofs)
    assert cost.prepare_seconds == pytest.approx(10 * GIB / 5e9 + 24 * GIB / 6e7)
    found = evaluate(WISH, 4, 2, RATES).outlook
    # Six slots that are lost once a year each bring about six repairs, of five slots' bytes.
    assert found.repairs == pytest.approx(6, rel=0.05)
    assert cost.repair_bytes == pytest.approx(found.repairs * (4 + found.rebuilt) * 2.5 * GIB)


def test_samples_grow_when_proofs_are_rare() -> None:
    assert samples_for(WISH) == 5
    assert samples_for(replace(WISH, misses=0)) == 20
    assert all(samples_for(replace(WISH, misses=n)) in SAMPLES for n in range(5))


def test_a_lost_half_is_noticed_at_once_and_a_lost_cell_hardly_ever() -> None:
    assert proofs_until_noticed(0.5, 5) == pytest.approx(1.03, rel=1e-2)
    assert proofs_until_noticed(2**-19, 5) > 100_000
    assert proofs_until_noticed(0, 5) == float("inf")


@pytest.mark.parametrize("change", [
    {"size": 0}, {"nines": 0}, {"nines": 31}, {"misses": -1}, {"block_size": 0}
])  # fmt: skip
def test_a_wish_that_means_nothing_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(InputError):
        replace(WISH, **change)


@pytest.mark.parametrize("expansion", [1.0, 0.5, 2.5])
def test_an_expansion_that_no_code_has_is_refused(expansion: float) -> None:
    with pytest.raises(InputError, match="above 1 and at most 2"):
        plan(WISH, expansion, RATES)


@pytest.mark.parametrize(("k", "m"), [(1, 1), (3, 4), (200, 100), (3, 0)])
def test_a_code_that_cannot_be_is_refused(k: int, m: int) -> None:
    with pytest.raises(InputError, match="is no code"):
        evaluate(WISH, k, m, RATES)
