"""Sizes and durations as people write them."""

from __future__ import annotations

import pytest

from quire.base.errors import InputError
from quire.base.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("4096", 4096), ("1k", 1024), ("20G", 20 << 30), ("1.5MiB", 3 << 19), ("2tb", 2 << 40)],
)
def test_a_size_is_binary_in_any_case(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("45", 45), ("1.5h", 5400), ("10m", 600), ("30d", 2_592_000), ("0", 0)]
)
def test_a_duration_is_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1x", "k", "1 2", "nan"])
def test_what_is_neither_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="write for example"):
        parse_size(text)
    with pytest.raises(InputError, match="write for example"):
        parse_duration(text)


def test_figures_are_shown_in_few_places() -> None:
    assert [format_size(n) for n in (5, 1536, 5 << 40)] == ["5 B", "1.5 KiB", "5.0 TiB"]
    shown = [format_duration(s) for s in (0.85, 12.34, 245, 7800)]
    assert shown == ["850 ms", "12.3 s", "4 min 05 s", "2 h 10 min"]
