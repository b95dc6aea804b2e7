"""An aggregator bills what is released, once, and ends every job, whatever is lost or repeated and
wherever it dies."""

from __future__ import annotations

from collections import Counter

import pytest

from support.job_walk import JobWalk
from support.machine_kit import in_virtual_time

LIVES, PARTS = 120, 2
SEEN = ("crashes", "lost", "repeated", "cheats", "paid at the end", "settled", "failed", "unpaid")


@pytest.mark.parametrize("part", range(PARTS))
def test_in_every_life_of_an_aggregator_each_part_is_billed_once(part):
    counts: Counter[str] = Counter()
    for seed in range(part, LIVES, PARTS):
        counts += in_virtual_time(lambda clock, seed=seed: JobWalk(clock, seed).run(), seed)
    for what in SEEN:
        assert counts[what] >= LIVES // PARTS // 10, counts
    assert counts["disputed"] + counts["cancelled"] > 0, counts
