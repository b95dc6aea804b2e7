"""Churn under everything that can go wrong: every promise is kept, and then nothing is left.

QUIRE_SEEDS sets how many seeds are run (default 40).
"""

from __future__ import annotations

import os

import pytest

from quire.sim.run import run_seed
from quire.sim.tally import Tally

SEEDS = int(os.environ.get("QUIRE_SEEDS", "40"))
CHUNK = 5  # seeds of one test, so that processes can share the work


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost_and_everything_ends(first: int) -> None:
    for seed in range(first, first + CHUNK):
        outcome = run_seed(seed, "churn")
        assert outcome.error is None, (
            f"seed {seed}: {outcome.error!r}\nrepeat with: {outcome.reproduce}\n"
            f"{outcome.weather}\n" + "\n".join(outcome.lines[-20:])
        )


KINDS = (
    "power",
    "power-at-step",
    "kill",
    "restart",
    "sync-fails",
    "disk-full",
    "no-space",
    "slow-disk",
    "read-fails",
    "clock-jump",
    "partition",
    "one-way",
    "reset",
    "packet lost",
    "connection broke",
    "message late",
    "lookup unanswered",
    "provider record lost",
    "provider record repeated",
    "disk: rot",
    "disk: bad-sector",
    "disk: lost-write",
    "disk: misdirected",
    "stall: no answer",
    "stall: answer trickles",
)
OPERATIONS = ("upload", "fetch", "download", "ranged read", "delete", "pin", "collect")
LIES = 4  # kinds, at least


def test_the_seeds_meet_every_kind_of_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise the seeds would prove less than they seem to."""
    tally = Tally()
    for seed in range(1, 31):
        tally.add(run_seed(seed, "churn").tally)
        if not lacking(tally):
            break
    with capsys.disabled():
        print("\n" + "\n".join(tally.lines()))
    assert lacking(tally) == []


def lacking(tally: Tally) -> list[str]:
    """What has not been met yet."""
    found = [kind for kind in KINDS if not tally.faults[kind]]
    found += [operation for operation in OPERATIONS if not tally.done[operation]]
    lies = sum(kind.startswith("lie: ") for kind in +tally.faults)
    return found if lies >= LIES else [*found, f"{LIES - lies} kinds of lies"]


def test_churn_is_the_same_run_again() -> None:
    first, again = run_seed(7, "churn"), run_seed(7, "churn")
    assert first.lines == again.lines
    assert first.tally.as_data() == again.tally.as_data()
