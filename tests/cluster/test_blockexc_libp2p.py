"""The block exchange over the real network."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conform.blockexc import BlockexcConformance
from quire.net.libp2p import Libp2pTransport
from support.libp2p import make_node


class TestBlockexcOverLibp2p(BlockexcConformance):
    @pytest.fixture
    def make_transport(self) -> Callable[[], Libp2pTransport]:
        return make_node
