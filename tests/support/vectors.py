"""The rows of `vectors/*.json` as pytest parameters, named as the rows are."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DIRECTORY = Path(__file__).parents[2] / "vectors"


@cache
def load(file: str) -> dict[str, Any]:
    return json.loads((DIRECTORY / file).read_text())


def accepted(file: str):
    """Decorator: the test runs once for each accept row, as argument `row`."""
    return _each(load(file)["accept"])


def rejected(file: str):
    """Decorator: the test runs once for each reject row, as argument `row`."""
    return _each(load(file)["reject"])


def _each(rows: list[dict[str, Any]]):
    return pytest.mark.parametrize("row", rows, ids=[row["name"] for row in rows])
