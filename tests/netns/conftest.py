"""Every test here runs in namespaces of its own, or says why it does not."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from support.netns import Internet, why_not

_why_not = functools.cache(why_not)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/netns" in str(item.path):
            item.add_marker(pytest.mark.netns)


@pytest.fixture
def net() -> Iterator[Internet]:
    if reason := _why_not():
        pytest.skip(reason)
    with Internet() as internet:
        yield internet
