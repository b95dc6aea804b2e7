"""Requests over libp2p, by TCP."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conform.requests import RequestsConformance
from quire.net.libp2p import Libp2pTransport
from support.libp2p import TCP, make_node


class TestRequestsOverLibp2p(RequestsConformance):
    @pytest.fixture
    def make_transport(self) -> Callable[[], Libp2pTransport]:
        return lambda: make_node([TCP])
