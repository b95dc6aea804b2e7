"""Forge tries the contracts with many inputs and many orders of calls (contracts/test)."""

from __future__ import annotations

import json

import pytest

from support.contract_tools import run, why_not

ARITHMETIC = "test/Arithmetic.t.sol:ArithmeticTest"
HUB = "test/Hub.t.sol:HubTest"
BONDS = "test/Bonds.t.sol:BondsTest"
CAMPAIGNS = (
    "test/Invariants.t.sol:OpenMarketTest",
    "test/Invariants.t.sol:SpreadMarketTest",
    "test/Hub.t.sol:HubInvariants",
    "test/Bonds.t.sol:BondsInvariants",
)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_forge_finds_nothing() -> None:
    if why_not():
        pytest.skip(why_not())
    done = run("forge", "test", "--json")
    suites = json.loads(done.stdout)
    results = {
        f"{suite}.{name}": result
        for suite, found in suites.items()
        for name, result in found["test_results"].items()
    }
    wrong = {name: each for name, each in results.items() if each["status"] != "Success"}
    assert not wrong, json.dumps(wrong, indent=1)[:4000]
    assert sum(name.startswith(ARITHMETIC) for name in results) >= 10
    assert sum(name.startswith(HUB) for name in results) >= 6
    assert sum(name.startswith(BONDS) for name in results) >= 5
    for campaign in CAMPAIGNS:
        (kind,) = (each["kind"] for name, each in results.items() if name.startswith(campaign))
        assert kind["Invariant"]["calls"] >= 1000
        assert kind["Invariant"]["reverts"] == 0
