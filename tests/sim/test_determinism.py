"""Same seed, same run: in one process, and in processes whose hashes of text differ."""

from __future__ import annotations

import os
import subprocess
import sys

from quire.sim.run import run_seed
from support.source import ROOT

SEEDS = tuple(range(1, 13))
PRINT_DIGESTS = (
    f"from quire.sim.run import run_seed\nprint(*(run_seed(seed).digest for seed in {SEEDS}))"
)


def digests_of_a_process(hash_seed: str) -> list[str]:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run(
        [sys.executable, "-c", PRINT_DIGESTS],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return ran.stdout.split()


def test_the_same_seed_gives_the_same_trace_in_one_process() -> None:
    first = [run_seed(seed) for seed in SEEDS]
    again = [run_seed(seed) for seed in reversed(SEEDS)][::-1]
    assert [outcome.lines for outcome in first] == [outcome.lines for outcome in again]
    assert [outcome.digest for outcome in first] == [outcome.digest for outcome in again]


def test_the_same_seed_gives_the_same_trace_in_every_process() -> None:
    here = [run_seed(seed).digest for seed in SEEDS]
    assert digests_of_a_process("1") == here
    assert digests_of_a_process("4242") == here


def test_another_seed_gives_another_trace() -> None:
    assert len({run_seed(seed).digest for seed in SEEDS}) == len(SEEDS)
