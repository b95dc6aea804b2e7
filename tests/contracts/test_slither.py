"""Slither finds nothing in the contracts but what contracts/slither.json accepts and says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.contract_tools import CONTRACTS, out_directory, python_tool, run, why_not

ACCEPTED = json.loads((CONTRACTS / "slither.json").read_text())
NAMED = ("function", "variable", "contract", "event")


def places_of(finding: dict[str, Any]) -> str:
    """What it is about: the first thing with a name, as Contract.name."""
    first = next(each for each in finding["elements"] if each["type"] in NAMED)
    if first["type"] == "contract":
        return str(first["name"])
    parent = first["type_specific_fields"]["parent"]
    return f"{parent['name']}.{first['name']}"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_slither_finds_nothing_new(tmp_path: Path) -> None:
    if why_not():
        pytest.skip(why_not())
    report = tmp_path / "slither.json"
    run(
        python_tool("slither"),
        *(".", "--foundry-out-directory", out_directory(), "--ignore-compile"),
        *("--filter-paths", "test/", "--exclude-informational", "--exclude-optimization"),
        *("--json", report),
    )
    findings = json.loads(report.read_text())["results"]["detectors"]
    found = {(each["check"], places_of(each)) for each in findings}
    accepted = {(row["check"], place) for row in ACCEPTED for place in row["in"]}
    everywhere = {check for check, place in accepted if place == "*"}
    assert {each for each in found - accepted if each[0] not in everywhere} == set()
    assert accepted - found - {(check, "*") for check, _ in found} == set()


def test_every_accepted_finding_has_its_reason() -> None:
    assert all(len(row["why"]) > 20 for row in ACCEPTED)
