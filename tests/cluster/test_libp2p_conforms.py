"""The libp2p transport does what every transport must, by TCP and by QUIC."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conform.transport import TransportConformance, until
from quire.net.libp2p import Libp2pTransport
from quire.net.transport import Transport
from support.libp2p import QUIC, TCP, make_node


class _OverSockets(TransportConformance):
    async def _settle(self, *nodes: Transport) -> None:
        await until(lambda: all(info.agent for node in nodes for info in node.connections()))


class TestLibp2pOverTcp(_OverSockets):
    @pytest.fixture
    def make_transport(self) -> Callable[[], Libp2pTransport]:
        return lambda: make_node([TCP])


class TestLibp2pOverQuic(_OverSockets):
    @pytest.fixture
    def make_transport(self) -> Callable[[], Libp2pTransport]:
        return lambda: make_node([QUIC])
