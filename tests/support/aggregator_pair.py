"""An aggregator and its customer as real processes, on a real chain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quire.faces.local import LocalNode
from quire.faces.local_market import LocalMarket
from support.cluster import ask
from support.command import Outcome, quire

AGGREGATOR, CLIENT = "aggregator", "client"
PRICES = ("--aggregator-encode-price", "1024000", "--aggregator-first-share", "60")


@dataclass
class Pair:
    """No circuit is there, so the aggregator offers coding only."""

    directory: Path
    market: LocalMarket
    nodes: dict[str, LocalNode] = field(default_factory=dict)

    @property
    def aggregator(self) -> LocalNode:
        return self.nodes[AGGREGATOR]

    @property
    def client(self) -> LocalNode:
        return self.nodes[CLIENT]

    async def start(self, name: str) -> None:
        """For the first time, or again with its data; it knows the other one's address of now."""
        arguments = self.market.arguments(name)
        if name == AGGREGATOR:
            arguments = [*arguments, "--aggregator", *PRICES]
        others = [node.address for other, node in self.nodes.items() if other != name]
        node = LocalNode(self.directory / name, bootstrap=others, arguments=arguments)
        self.nodes[name] = await asyncio.to_thread(node.start)

    async def run(self, *arguments: str) -> Outcome:
        """A command at the client's node."""
        return await asyncio.to_thread(quire, *arguments, api=self.client.api)

    async def ask(self, name: str, path: str) -> Any:
        return await asyncio.to_thread(ask, self.nodes[name], path)


@asynccontextmanager
async def a_pair(directory: Path) -> AsyncIterator[Pair]:
    directory.mkdir(exist_ok=True)
    pair = Pair(directory, LocalMarket(directory, None))
    await pair.market.start()
    try:
        for name in (AGGREGATOR, CLIENT):
            pair.market.add_account(name)
            await pair.start(name)
        yield pair
    finally:
        for node in reversed(pair.nodes.values()):
            await asyncio.to_thread(node.stop)
        await pair.market.stop()
