"""The vectors themselves: every file has as many reject rows as accept rows, or nearly."""

import pytest

from support.vectors import DIRECTORY, load

FILES = sorted(path.name for path in DIRECTORY.glob("*.json"))


@pytest.mark.parametrize("file", FILES)
def test_names_are_unique_and_the_source_is_stated(file):
    vectors = load(file)
    names = [row["name"] for kind in ("accept", "reject") for row in vectors[kind]]
    assert len(set(names)) == len(names)
    assert vectors["source"]


def test_there_are_as_many_reject_rows_as_accept_rows():
    accepted = sum(len(load(file)["accept"]) for file in FILES)
    rejected = sum(len(load(file)["reject"]) for file in FILES)
    assert rejected >= accepted
    assert all(len(load(file)["reject"]) >= 10 for file in FILES)
