"""A whole node in this process, with its REST face on a free port of loopback.

Everything is real but the network, which is in memory; `network` lets several nodes share one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from quire.base.clock import SystemClock
from quire.faces.rest.server import RestFace
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.node.build import build_node
from quire.node.config_load import load_config
from quire.node.lifecycle import Lifecycle
from quire.node.logs import LogLevels
from quire.node.node import Node


def memory_network() -> MemoryNetwork:
    return MemoryNetwork(SystemClock())


_ports = iter(range(20_000, 60_000))  # of addresses in memory, where nothing listens


async def make_node(directory: Path, network: MemoryNetwork | None = None, **flags: Any) -> Node:
    """A node that is not started. `flags` are settings with underscores."""
    settings = {"data-dir": str(directory), "api-port": 0, "request-timeout": "2s"}
    settings |= {name.replace("_", "-"): value for name, value in flags.items()}
    network = network or memory_network()
    address = f"/ip4/127.0.0.1/tcp/{next(_ports)}"

    def in_memory(_config, _profile, identity, _ground):
        return MemoryTransport(network, identity.peer_id, address)

    return await build_node(
        load_config(settings, {}, None), make_transport=in_memory, levels=LogLevels()
    )


@asynccontextmanager
async def serving(node: Node) -> AsyncGenerator[str, None]:
    """Start the node with its REST face; gives the URL."""
    try:
        face = RestFace(node)
    except BaseException:
        await node.store.close()
        raise
    lifecycle = Lifecycle(node, [face])
    await lifecycle.start()
    try:
        yield node.api_urls[0]
    finally:
        await lifecycle.stop()


@asynccontextmanager
async def live_node(
    directory: Path, network: MemoryNetwork | None = None, **flags: Any
) -> AsyncGenerator[tuple[Node, str], None]:
    """A started node and its URL."""
    node = await make_node(directory, network, **flags)
    async with serving(node) as url:
        yield node, url
