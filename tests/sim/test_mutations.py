"""The simulator notices mistakes: each test breaks one part on purpose and expects to be told."""

from __future__ import annotations

import asyncio

import pytest

from quire.net.exchange.by_cid import Hunt
from quire.net.exchange.swarm import Swarm
from quire.net.exchange.transfer import Transfer
from quire.sim.disk import SimDisk
from quire.sim.run import Outcome, run_seed
from quire.store.packs import Packs
from quire.store.quota import Quota

SEEDS_MAX = 60


def first_failure() -> Outcome | None:
    """The first of the seeds of `make test` that fails."""
    for seed in range(1, SEEDS_MAX + 1):
        outcome = run_seed(seed)
        if outcome.error is not None:
            return outcome
    return None


def expect_failure(*words: str) -> None:
    """Some seed fails, with one of these texts in its error."""
    outcome = first_failure()
    assert outcome is not None, f"{SEEDS_MAX} seeds did not notice"
    message = str(outcome.error)
    assert any(word in message for word in words), f"seed {outcome.seed}: {outcome.error!r}"


def test_nothing_is_reported_when_nothing_is_broken() -> None:
    assert run_seed(1).error is None


def test_a_store_that_acknowledges_before_it_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Packs, "sync", lambda self, packs: None)
    expect_failure("had acknowledged", "not sound")


def test_a_disk_that_does_not_keep_what_was_synced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimDisk, "sync", lambda self, name: None)
    expect_failure("had acknowledged", "not sound")


def test_a_store_that_reads_without_verifying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire.store.read.verify_blocks", lambda data, size, digests: -1)
    expect_failure("differ")


def test_a_fetch_that_reports_its_end_before_it_is_durable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def is_readable(self: Transfer, start: int, stop: int) -> bool:
        return True

    monkeypatch.setattr(Transfer, "_is_readable", is_readable)
    expect_failure("had acknowledged")


def test_a_search_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop(self: Swarm) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(Swarm, "stop", stop)
    expect_failure("tasks are left at the end")


def test_a_search_that_outlasts_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Hunt.wait

    async def patient(self: Hunt, deadline: float) -> bytes:
        return await wait(self, deadline + 20)

    monkeypatch.setattr(Hunt, "wait", patient)
    expect_failure("an answer took")


def test_a_quota_that_forgets_to_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quota, "release", lambda self, size: None)
    expect_failure("reserved")


def test_a_recovery_that_leaves_unknown_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire.store.recovery._remove_unknown", lambda disk, rows, names: 0)
    expect_failure("the file exists")
