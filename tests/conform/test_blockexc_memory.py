"""The block exchange over the network in memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from conform.blockexc import BlockexcConformance
from quire.net.memory import MemoryTransport
from support.networks import make_network, make_transport


class TestBlockexcInMemory(BlockexcConformance):
    @pytest.fixture
    def make_transport(self) -> Callable[[], MemoryTransport]:
        network, numbers = make_network(), count()
        return lambda: make_transport(network, str(next(numbers)))
