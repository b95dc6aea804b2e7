"""One run of the part with replicas: the market, the nodes, and what was learnt on the way."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.liar import TOOK, under_lies
from demo.steps import Steps
from quire.base.errors import QuireError
from quire.base.units import MIB
from quire.faces.client import Client
from quire.faces.local import LocalNode
from quire.faces.local_market import LocalMarket

CLIENT, READER = "client", "reader"
GOOD, REFUSER, LIAR, MORTAL = ("good1", "good2"), "refuser", "liar", "mortal"
PROVIDERS = (*GOOD, MORTAL, REFUSER, LIAR)
COPIES = 3
TERM_SECONDS = 86_400
DIES_AFTER = 100  # blocks of one replica
GET_PRICE = 10  # tokens for a byte read
# Whoever will not deliver is cheap, so that it is surely asked.
PRICES = {GOOD[0]: 3, GOOD[1]: 3, MORTAL: 3, REFUSER: 1, LIAR: 1}
LIES = {REFUSER: "no-space", LIAR: "other-expiry", MORTAL: f"dies:{DIES_AFTER}"}


@dataclass(slots=True)
class Run:
    """`promised`, `billed`: of storage, by provider, when the client left; `read_promised`: by the
    reader, and `read_received`: of it, what came to a provider before it died."""

    steps: Steps
    directory: Path
    market: LocalMarket
    file: Path
    size: int
    expected: str  # SHA-256
    nodes: dict[str, LocalNode] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # of nodes, by peer id
    suspects: tuple[str, ...] = ()
    upload: dict[str, Any] = field(default_factory=dict)
    phrase: str = ""
    cap: str = ""
    killed_reading: str = ""
    promised: dict[str, int] = field(default_factory=dict)
    billed: dict[str, int] = field(default_factory=dict)
    claimed: dict[str, int] = field(default_factory=dict)
    read_promised: dict[str, int] = field(default_factory=dict)
    read_received: dict[str, int] = field(default_factory=dict)
    _starting: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1)
    )

    def api(self, name: str) -> Client:
        return Client(self.nodes[name].api)

    async def start(self, name: str, knows: str = "", *, lies: str = "") -> None:
        """Start a node with an account, or the same one again with its data."""
        arguments = [*self.market.arguments(name)]
        arguments += ["--storage-quota", str(6 * self.size + 256 * MIB)]
        if name in PROVIDERS:
            arguments += ["--provider", "--retail-price", str(PRICES[name])]
            arguments += ["--retail-get-price", str(GET_PRICE)]
        node = LocalNode(
            self.directory / name,
            bootstrap=[self.nodes[knows].address] if knows else [],
            arguments=arguments,
            under=under_lies(lies) if lies else (),
        )
        self.nodes[name] = node
        async with self._starting:
            try:
                await asyncio.to_thread(node.start)
            except QuireError:
                self.suspects = (name,)
                raise
        self.names[node.peer_id] = name

    async def command(self, at: str, *words: str) -> list[Any]:
        """What `quire` on the command line says, each line of its JSON. Raises QuireError."""
        name = [sys.executable, "-m", "quire.faces.cli.main", "--api", self.nodes[at].api]
        process = await asyncio.create_subprocess_exec(
            *name, *words, "--json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode:
            raise QuireError(f"quire {words[0]} ended with {process.returncode}: {err.decode()}")
        return [json.loads(line) for line in out.splitlines()]

    def took(self, name: str) -> dict[str, int]:
        """Blocks that a node was sent, by link, as its log counts them."""
        found: dict[str, int] = {}
        for line in self.nodes[name].log_path.read_text(errors="replace").splitlines():
            if line.startswith(f"{TOOK} "):
                _, link, count = line.split()
                found[link] = found.get(link, 0) + int(count)
        return found

    def where_to_look(self) -> str:
        """Which logs say why the present step failed."""
        paths = [self.nodes[name].log_path for name in self.suspects if name in self.nodes]
        return "read " + ", ".join(map(str, paths)) if paths else ""
