"""What no tracked file may contain."""

from __future__ import annotations

import re

from support.source import tracked_texts

MARKERS = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
MACHINE_PATH = re.compile(
    r"(?<![\w.~$}:/-])/(?:home|root|Users|work|mnt|media)/[\w.-]+|\b[A-Z]:\\\\?Users\b"
)
REGISTRY = re.compile(
    r"https?://[\w.-]*(?:pypi|pythonhosted|npmjs|artifactory|jfrog|nexus|mirror|registry)[\w.-]*",
    re.IGNORECASE,
)
THIS = "tests/tidy/test_text.py"


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number} {match[0]}"
        for path, text in tracked_texts()
        if path != THIS
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]


def test_no_marker_of_unfinished_work_is_left() -> None:
    found = lines_with(MARKERS)
    assert not found, "\n".join(["", *found])


def test_no_path_of_one_machine_is_written_down() -> None:
    found = lines_with(MACHINE_PATH)
    assert not found, "\n".join(["", *found])


def test_no_address_of_a_package_registry_is_written_down() -> None:
    found = lines_with(REGISTRY)
    assert not found, "\n".join(["", *found])


def test_the_patterns_find_what_they_are_for() -> None:
    assert MARKERS.search("x = 1  # TO" + "DO later")
    assert MACHINE_PATH.search("open('/home/ann/data')")
    assert not MACHINE_PATH.search("GET /api/codex/v1/work/x")
    assert REGISTRY.search("https://pypi.example/simple")
    assert not REGISTRY.search("https://github.com/rust-lang/crates.io-index")
