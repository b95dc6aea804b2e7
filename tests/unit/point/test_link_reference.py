"""The page of links says what the code does."""

from __future__ import annotations

from quire.point.link import At
from quire.point.link_machine import CLOSE_SECONDS, SECONDS
from quire.point.link_setup import ATTEMPTS, SETBACKS_MAX
from quire.point.link_upkeep import AUDIT_TRIES
from support.lease_page import CODES
from support.source import ROOT

PAGE = (ROOT / "docs" / "reference" / "link-machine.md").read_text("utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of the first table below a heading, by what stands in the first."""
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return {first: rest for first, *rest in cells[1:]}


def test_attempts_and_seconds_of_every_state_are_those_of_the_code() -> None:
    found = rows("The client's side")
    assert ", ".join(found).split(", ") == [at.value for at in At]
    for at in At:
        _, _, attempts, seconds = next(row for name, row in found.items() if at in name.split(", "))
        expected = AUDIT_TRIES if at is At.SIGNED else ATTEMPTS.get(at, "-")
        assert attempts == str(expected), at
        most = SECONDS.get(at, 0) or (CLOSE_SECONDS if at.value in "FAILED, LOST, EXPIRED" else 0)
        if at is not At.RELEASED:
            assert seconds == (f"{most:.0f}" if most else "-"), at
    assert f"at most {SETBACKS_MAX} times" in " ".join(PAGE.split())


def test_codes_of_every_state_are_those_of_the_code() -> None:
    expected = {name: [code.name for code in codes] for name, codes in CODES.items()}
    assert rows("The provider's side") == expected
