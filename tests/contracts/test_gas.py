"""Calls cost what the committed figures say, and no more than the reference's do."""

from __future__ import annotations

import json

import pytest

from support.gas_kit import PAGE, REFERENCE, SNAPSHOT, measure, page

GAS: dict[str, int] = json.loads(SNAPSHOT.read_text())
REAL = ("submitProof, real proof", "fillSlot, real proof", "verify")


@pytest.mark.slow
async def test_the_figures_are_those_of_the_artefacts() -> None:
    """Proofs and addresses have a few more or fewer zero bytes from run to run."""
    measured = await measure()
    assert sorted(measured) == sorted(GAS)
    changed = {
        name: (GAS[name], gas)
        for name, gas in measured.items()
        if gas != pytest.approx(GAS[name], rel=0.003)
    }
    assert not changed, "run python -m support.gas_kit"


@pytest.mark.parametrize("name", REFERENCE)
def test_no_call_is_dearer_than_the_reference_s(name: str) -> None:
    assert GAS[name] <= REFERENCE[name]


@pytest.mark.parametrize("name", REAL)
def test_checking_a_proof_is_cheaper_by_thirty_thousand(name: str) -> None:
    assert REFERENCE[name] - GAS[name] >= 30_000


def test_a_proof_in_a_batch_of_32_costs_less_than_70_thousand() -> None:
    assert GAS["submitProofs, 32"] / 32 <= 70_000


def test_the_page_shows_the_figures() -> None:
    assert PAGE.read_text() == page(GAS)
