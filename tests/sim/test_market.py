"""A contract outlives its hosts, one after the other, under everything that can go wrong.

QUIRE_SEEDS sets how many seeds are run (default 20).
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from quire.chain.port import ProofStatus
from quire.services.mark_round import MarkRound
from quire.services.period_looks import PeriodLooks
from quire.services.period_prover import PeriodProver
from quire.services.proof_duty import ProofDuty
from quire.services.selling import Sales
from quire.services.slot_keeping import SlotKeeping
from quire.sim.run import run_seed

SEEDS = int(os.environ.get("QUIRE_SEEDS", "20"))
CHUNK = 5  # seeds of one test, so that processes can share the work
FEW_SEEDS = range(1, 13)
RARE_SEEDS = range(33, 55)  # for what shows in one of ten


@pytest.mark.parametrize("first", range(1, SEEDS + 1, CHUNK))
@pytest.mark.timeout(300)
def test_a_contract_outlives_its_hosts(first: int) -> None:
    for seed in range(first, first + CHUNK):
        outcome = run_seed(seed, "market")
        assert outcome.error is None, (
            f"seed {seed}: {outcome.error!r}\nrepeat with: {outcome.reproduce}\n"
            + "\n".join(outcome.lines[-20:])
        )


def test_the_same_seed_gives_the_same_market() -> None:
    assert run_seed(3, "market").lines == run_seed(3, "market").lines


def test_hosts_are_marked_and_replaced_in_spite_of_trouble() -> None:
    """Otherwise the seeds would prove less than they seem to."""
    missing = {
        "validator.marked",
        "sale.rebuilding",
        "rebuild.complete",
        "repair.opened",
        "proof.submitted",
        "sale.SaleFinished",
        "kill for",
        "power for",
        "restart for",
        "chain for",
        "reorganisation for",
        "everybody is paid",
    }
    for seed in FEW_SEEDS:
        seen = "\n".join(run_seed(seed, "market").lines)
        missing = {each for each in missing if each not in seen}
        if not missing:
            return
    raise AssertionError(f"{len(FEW_SEEDS)} seeds without {missing}")


def expect_failure(*words: str, seeds: Sequence[int] = FEW_SEEDS) -> None:
    """Some seed fails, with one of these texts in its error."""
    for seed in seeds:
        outcome = run_seed(seed, "market")
        if outcome.error is not None:
            message = str(outcome.error)
            assert any(word in message for word in words), f"seed {seed}: {outcome.error!r}"
            return
    raise AssertionError(f"{len(seeds)} seeds did not notice")


def test_a_prover_that_forgets_what_a_reorganisation_took(monkeypatch) -> None:
    monkeypatch.setattr(PeriodProver, "_send_again_what_is_gone", lambda self: None)
    words = ("lives and has missed", "not repaired", "the contract failed", "not paid")
    expect_failure(*words, seeds=RARE_SEEDS)


def test_a_prover_that_believes_the_period_before(monkeypatch) -> None:
    look_at = PeriodProver._look_at

    def late(self: PeriodProver, duty: ProofDuty, status: ProofStatus, block: int) -> None:
        if duty.status is None or block % 5 == 0:
            look_at(self, duty, status, block)

    monkeypatch.setattr(PeriodProver, "_look_at", late)
    monkeypatch.setattr(PeriodLooks, "_is_to_ask", lambda self, duty: duty.status is None)
    expect_failure("lives and has missed", "not repaired", "the contract failed", "not filled")


def test_a_validator_that_marks_nothing(monkeypatch) -> None:
    async def idle(self: MarkRound, due: list[bytes]) -> None:
        """As if it were sent."""

    monkeypatch.setattr(MarkRound, "_send", idle)
    expect_failure("not repaired")


def test_a_host_that_keeps_no_data(monkeypatch) -> None:
    get = SlotKeeping.get

    async def careless(self, sale, request, on_bytes):  # type: ignore[no-untyped-def]
        await get(self, sale, request, on_bytes)
        await self.drop(sale, [])

    monkeypatch.setattr(SlotKeeping, "get", careless)
    expect_failure("not filled", "lives and has missed", "not repaired", "the contract failed")


def test_a_host_that_forgets_to_be_paid(monkeypatch) -> None:
    async def deaf(self, batch):  # type: ignore[no-untyped-def]
        """It hears nothing of the chain once it has begun."""

    monkeypatch.setattr(Sales, "_on_batch", deaf)
    expect_failure("not paid", "not filled", "not repaired")
