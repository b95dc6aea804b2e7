"""Halmos proves the pure arithmetic of the contracts, and rules of hub and bonds, for all inputs
(contracts/test)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.contract_tools import CONTRACTS, out_directory, python_tool, run, why_not

PROVED = 0  # of the exit codes of a test


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("file", "contract"),
    [("Arithmetic", "ArithmeticTest"), ("Hub", "HubTest"), ("Bonds", "BondsTest")],
)
def test_halmos_proves_what_forge_tries(tmp_path: Path, file: str, contract: str) -> None:
    if why_not():
        pytest.skip(why_not())
    report = tmp_path / "halmos.json"
    done = run(
        python_tool("halmos"),
        *("--root", ".", "--forge-build-out", out_directory(), "--contract", f"{file}Test"),
        *("--function", "testProof_", "--solver", "z3", "--solver-timeout-assertion", "60000"),
        *("--loop", "40", "--no-status", "--json-output", report),
    )
    (found,) = json.loads(report.read_text())["test_results"].values()
    assert {each["name"]: each["exitcode"] for each in found if each["exitcode"] != PROVED} == {}
    assert done.returncode == 0, done.stdout[-4000:]
    source = (CONTRACTS / "test" / f"{file}.t.sol").read_text()
    assert len(found) == source.count("function testProof_")
