"""Protecting a dataset under crashes, full disks and lost networks: the result is always right."""

from __future__ import annotations

import pytest

from quire.sim.run import run_seed

SEEDS = 60
CHUNK = 10  # seeds of one test, so that processes can share the work


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_what_is_protected_is_right_whatever_happened(first: int) -> None:
    for seed in range(first, first + CHUNK):
        outcome = run_seed(seed, "protect")
        assert outcome.error is None, (
            f"seed {seed}: {outcome.error!r}\nrepeat with: {outcome.reproduce}\n"
            + "\n".join(outcome.lines[-20:])
        )


def test_the_seeds_meet_every_turn_of_a_job() -> None:
    """Otherwise they would prove less than they seem to."""
    seen = "\n".join(line for seed in range(1, 31) for line in run_seed(seed, "protect").lines)
    wanted = ("power of", "kill of", "protect.failed", "protect.cancelled", "protect.fetching")
    assert [turn for turn in wanted if turn not in seen] == []


def test_the_same_seed_gives_the_same_trace() -> None:
    first = [run_seed(seed, "protect").digest for seed in range(1, 6)]
    assert first == [run_seed(seed, "protect").digest for seed in range(1, 6)]
