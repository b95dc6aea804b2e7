"""One run of Diagram B: the market, the nodes by name, and what was learnt on the way."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

from demo.steps import Steps
from quire.base.errors import QuireError
from quire.base.units import MIB
from quire.chain.values import Address, RequestId
from quire.dataset.geometry import Geometry
from quire.faces.client import Client
from quire.faces.local import LocalNode
from quire.faces.local_market import LocalMarket
from quire.store.store import BLOCK_BYTES_DEFAULT

K, M = 4, 2
CLIENT, SPARE, VALIDATOR, STRANGER = "client", "spare", "validator", "stranger"
HOSTS = tuple(f"host{number}" for number in range(K + M))


@dataclass(slots=True)
class Run:
    """`suspects`: whose logs say why the present step failed, if it does."""

    steps: Steps
    directory: Path
    market: LocalMarket
    file: Path
    size: int
    expected: str  # SHA-256
    nodes: dict[str, LocalNode] = field(default_factory=dict)
    suspects: tuple[str, ...] = ()
    before: dict[str, int] = field(default_factory=dict)  # tokens of each account
    cid: str = ""  # of the verifiable manifest
    request_id: RequestId = b""
    killed: str = ""
    repairer: str = ""
    ends_at: int = 0  # chain's seconds
    holders: dict[int, Address] = field(default_factory=dict)  # slot -> who has it at the end
    _starting: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1)
    )

    @property
    def slot_size(self) -> int:
        """Bytes of one slot, as they are paid for."""
        blocks = -(-self.size // BLOCK_BYTES_DEFAULT)
        return Geometry(blocks, K, M, BLOCK_BYTES_DEFAULT).slot_size

    def api(self, name: str) -> Client:
        return Client(self.nodes[name].api)

    def name_of(self, account: Address | None) -> str:
        return self.market.names.get(account, "somebody") if account else "nobody"

    async def start(self, name: str, knows: list[str], *, is_validator: bool = False) -> None:
        """Start a node; one that has an account at the market trades there."""
        arguments = ["--storage-quota", str(3 * self.size + 256 * MIB)]
        if name in self.market.names.values():
            arguments += self.market.arguments(name, is_validator=is_validator)
        bootstrap = [self.nodes[other].address for other in knows]
        node = LocalNode(self.directory / name, bootstrap=bootstrap, arguments=arguments)
        self.nodes[name] = node
        async with self._starting:
            try:
                await asyncio.to_thread(node.start)
            except QuireError:
                self.suspects = (name,)
                raise

    def where_to_look(self) -> str:
        """Which logs say why the present step failed."""
        paths = [self.nodes[name].log_path for name in self.suspects if name in self.nodes]
        return "read " + ", ".join(map(str, paths))
