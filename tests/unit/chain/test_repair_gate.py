"""When freed slots open again: thresholds by the size of the request, delay, margin."""

from __future__ import annotations

import pytest

from quire.chain.repair_gate import is_open, opens_at, threshold_of
from quire.chain.terms import LazyRepair

PATIENT = LazyRepair(threshold=0, max_delay=3600, min_margin=1)


@pytest.mark.parametrize(
    ("max_slot_loss", "threshold"),
    [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (10, 5), (1000, 255)],
)
def test_the_threshold_follows_the_size_of_the_request(max_slot_loss: int, threshold: int) -> None:
    assert threshold_of(PATIENT, max_slot_loss) == threshold


@pytest.mark.parametrize(("given", "used"), [(1, 1), (3, 3), (9, 5)])
def test_a_threshold_that_is_given_is_used_but_never_more_than_may_be_lost(
    given: int, used: int
) -> None:
    assert threshold_of(LazyRepair(threshold=given), 5) == used


def test_one_lost_slot_of_many_waits_and_a_second_opens_both() -> None:
    assert opens_at(PATIENT, 5, 1, 1000) == 4600
    assert not is_open(PATIENT, 5, 1, 1000, 4599)
    assert is_open(PATIENT, 5, 1, 1000, 4600)
    assert is_open(PATIENT, 5, 2, 1000, 1001)


def test_slots_of_small_requests_open_at_once() -> None:
    assert is_open(PATIENT, 2, 1, 1000, 1000)


def test_slots_open_when_few_more_may_be_lost() -> None:
    cautious = LazyRepair(threshold=5, max_delay=3600, min_margin=3)
    assert not is_open(cautious, 5, 1, 1000, 1000)
    assert is_open(cautious, 5, 2, 1000, 1000)


def test_without_a_delay_slots_open_at_once() -> None:
    assert is_open(LazyRepair(), 10, 1, 1000, 1000)
