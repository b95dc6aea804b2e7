"""Real nodes on loopback, ports chosen by the system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.net.identity import make_identity
from quire.net.libp2p import Libp2pTransport

TCP = "/ip4/127.0.0.1/tcp/0"
QUIC = "/ip4/127.0.0.1/udp/0/quic-v1"


def make_node(listen: Sequence[str] = (TCP,), **options: Any) -> Libp2pTransport:
    clock = SystemClock()
    options = {"agent": "quire-test", "kad_protocol": "/quire-test/kad/1.0.0"} | options
    return Libp2pTransport(make_identity(), listen=list(listen), clock=clock,
                           events=EventBus(clock), **options)
