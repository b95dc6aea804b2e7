"""Real nodes on loopback, ports chosen by the system."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from quire.base.clock import SystemClock
from quire.base.errors import PeerGone
from quire.base.events import EventBus
from quire.net.identity import make_identity
from quire.net.libp2p import Libp2pTransport
from quire.net.transport import Channel

TCP = "/ip4/127.0.0.1/tcp/0"
QUIC = "/ip4/127.0.0.1/udp/0/quic-v1"


async def send_until_gone(channel: Channel) -> None:
    """Send until the channel raises; returns only then."""
    try:
        while True:
            await channel.send(b"more")
            await asyncio.sleep(0.001)
    except PeerGone:
        return


def make_node(listen: Sequence[str] = (TCP,), **options: Any) -> Libp2pTransport:
    clock = SystemClock()
    options = {"agent": "quire-test", "kad_protocol": "/quire-test/kad/1.0.0"} | options
    return Libp2pTransport(
        make_identity(), listen=list(listen), clock=clock, events=EventBus(clock), **options
    )
