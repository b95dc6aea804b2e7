"""A host whose proofs others make, through crashes of everybody at any write, broken and parted
networks, silent chains, liars and dawdlers: nothing is paid twice, every order ends,
and whoever has a prover of its own is never late. QUIRE_SEEDS sets how many seeds are run.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from support.proof_storm import storm

SEEDS = int(os.environ.get("QUIRE_SEEDS", "30"))
CHUNK = 10


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_every_order_ends_and_nothing_is_paid_twice(first: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(first, first + CHUNK):
        outcome = storm(seed)
        seen += outcome.seen
        where = f"seed {seed}: {outcome}"
        if outcome.has_own:
            assert all(outcome.proved), where
        good = [order for order in outcome.orders if order.checked]
        claims = Counter(order.work for order in good)
        assert set(claims.values()) <= {1}, where
        for peer, earned in outcome.earned.items():
            mine = [order for order in good if order.peer == peer]
            settled = sum(order.at == "settled" for order in mine)
            price = outcome.prices[peer]
            assert price * settled <= earned <= price * len(mine), where
            assert peer not in outcome.liars or earned == 0, where
    assert {"kill host", "kill make", "partition", "drop", "no chain"} <= set(seen)
