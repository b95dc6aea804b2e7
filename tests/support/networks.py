"""In-memory networks for tests."""

from __future__ import annotations

from collections.abc import Callable

from quire.base.clock import SystemClock
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.net.memory_channel import Link


class LoopClock(SystemClock):
    """The system's clock; its monotonic time is the event loop's."""


def make_network(link_between: Callable[[str, str], Link] | None = None) -> MemoryNetwork:
    return MemoryNetwork(LoopClock(), link_between)


def make_transport(network: MemoryNetwork, name: str) -> MemoryTransport:
    return MemoryTransport(network, f"peer-{name}", f"/memory/{name}")
