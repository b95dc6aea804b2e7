"""Nothing is paid before it is known to be good, and nothing twice, in any life of an order and its
job: requests and answers lost, repeated and reordered, both sides crashing, aggregators that lie,
withhold and bill again. And every order and job ends."""

from __future__ import annotations

from collections import Counter

import pytest

from support.order_lives import Life

LIVES, PARTS = 2000, 4


@pytest.mark.parametrize("part", range(PARTS))
def test_in_every_life_of_an_order_each_part_is_paid_once_and_only_for_what_is_good(
    part: int,
) -> None:
    counts: Counter[str] = Counter()
    for seed in range(part, LIVES, PARTS):
        counts += Life(seed).run()
    for what in ("crashes", "lost", "repeated", "reordered"):
        assert counts[what] > LIVES // PARTS, counts
    for end in ("settled", "cheated", "withheld", "refused", "late", "cancelled", "failed"):
        assert counts[end], counts
