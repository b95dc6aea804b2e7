"""Links and leases hold their invariants in random runs, and the model finds what does not.

`python -m support.link_model 0 20000` does what is done here for some seeds, for all.
"""

from __future__ import annotations

import pytest

from support.link_mistakes import MISTAKES
from support.link_model import run_all

RUNS, PARTS = 400, 8


@pytest.mark.parametrize("part", range(PARTS))
def test_links_hold_their_invariants_whatever_is_lost_or_killed(part: int) -> None:
    size = RUNS // PARTS
    table = run_all(range(part * size, (part + 1) * size))
    assert sum(table.values()) == size
    assert any(row[0] == "UPLOADED" for row in table)
    assert any(row[0] == "FAILED" for row in table)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_planted_mistake_is_found(name: str) -> None:
    assert MISTAKES[name].found(range(60))
