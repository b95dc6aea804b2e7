"""Diagram A under crashes, loss, partitions, full disks and liars: every promise is kept."""

from __future__ import annotations

import json

import pytest

from quire.sim.main import run as run_command
from quire.sim.run import run_seed

SEEDS = 200
CHUNK = 20  # seeds of one test, so that processes can share the work


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
def test_the_file_outlives_its_first_node(first: int) -> None:
    for seed in range(first, first + CHUNK):
        outcome = run_seed(seed)
        assert outcome.error is None, (
            f"seed {seed}: {outcome.error!r}\nrepeat with: {outcome.reproduce}\n"
            + "\n".join(outcome.lines[-20:])
        )


def test_the_seeds_meet_every_kind_of_trouble() -> None:
    """Otherwise the 200 seeds would prove less than they seem to."""
    seen = "\n".join(line for seed in range(1, 61) for line in run_seed(seed).lines)
    missing = [
        trouble
        for trouble in (
            "power of",
            "power-at-step of",
            "kill of",
            "restart of",
            "partition of",
            "reset of",
            "sync-fails of",
            "disk-full of",
            "rot of",
            "one-way of",
            "no-space of",
            "slow-disk of",
            "clock-jump of",
            "read-fails of",
            "peer.banned",
            "upload.failed",
            "fetch.failed",
            "store.block-corrupt",
        )
        if trouble not in seen
    ]
    assert missing == []


def test_the_command_shows_ten_steps_and_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--seed", "3"]) == 0
    shown = capsys.readouterr().out
    assert [n for n in range(1, 11) if f" step {n} " not in shown] == []
    assert "diagram-a seed 3 ok" in shown


def test_the_command_counts_many_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--seed", "1", "--runs", "3"]) == 0
    assert "3 of 3 runs kept every promise" in capsys.readouterr().out


def test_the_command_answers_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--seed", "3", "--runs", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["failed"] == 0
    assert [run["seed"] for run in answer["runs"]] == [3, 4]
    assert answer["runs"][0]["repeat"] == "quire sim --scenario diagram-a --seed 3 --trace"
