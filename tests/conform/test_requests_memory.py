"""Requests over the in-memory transport."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from conform.requests import RequestsConformance
from quire.net.memory import MemoryTransport
from support.networks import make_network, make_transport


class TestRequestsOverMemory(RequestsConformance):
    @pytest.fixture
    def make_transport(self) -> Callable[[], MemoryTransport]:
        network, numbers = make_network(), count()
        return lambda: make_transport(network, str(next(numbers)))
