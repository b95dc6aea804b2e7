"""quire plan, as a user types it."""

from __future__ import annotations

import json

import pytest

from quire.faces.cli.main import main


def test_a_wish_becomes_a_code_with_its_price(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--size", "10GB", "--nines", "9", "--for", "1y", "--host-mttf", "1y"]) == 0
    shown = capsys.readouterr().out
    assert "10.0 GiB for 365 days with 9 nines: kept" in shown
    assert "20 + 10: 30 hosts, any 20 are enough" in shown
    for part in ("proofs", "disk", "traffic", "CPU", "repairs"):
        assert part in shown


def test_three_plus_two_is_shown_beside_it_as_too_few(capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", "--size", "10GB"])
    [line] = [line for line in capsys.readouterr().out.splitlines() if "3 + 2" in line]
    assert "2.9" in line
    assert "too few nines" in line


def test_the_json_has_every_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--size", "1GB", "--nines", "6", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = told["plan"]
    assert found["keepsWish"]
    assert found["nines"] >= 6
    assert found["lossProbability"] <= 1e-6
    assert found["storedBytes"] <= found["paidBytes"]
    assert {"k", "m", "samples", "proofs", "repairBytes", "uploadBytes"} <= set(found)
    assert [(p["k"], p["m"]) for p in told["alternatives"]][-1] == (3, 2)


def test_a_code_of_ones_own_that_is_too_weak_ends_with_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["plan", "--size", "10GB", "-k", "3", "-m", "2"]) == 2
    assert "NOT KEPT" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "told"), [
    ("--size 100k", "9 nines cannot be had"),
    ("--size 1k", "cannot be spread"),
    ("--size 0", "it is empty"),
    ("--size much", "is not a size"),
    ("--size 1g --for 1x", "is not a duration"),
    ("--size 1g -k 3", "belong together"),
    ("--size 1g -k 200 -m 100", "is no code"),
    ("--size 1g --expansion 3", "above 1 and at most 2"),
    ("--size 1g --host-mttf 0", "above zero"),
])  # fmt: skip
def test_bad_wishes_are_refused_in_words(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *arguments.split()]) == 2
    assert told in capsys.readouterr().err
