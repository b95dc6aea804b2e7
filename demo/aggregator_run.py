"""One run of the part with aggregators: the market, the nodes, and what was learnt on the way."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.cheat import under_cheating
from demo.limits import SmallMachine
from demo.steps import Steps
from quire.base.errors import QuireError
from quire.base.units import MIB
from quire.chain.values import RequestId
from quire.dataset.geometry import Geometry
from quire.faces.client import Client
from quire.faces.local import LocalNode
from quire.faces.local_market import LocalMarket
from quire.services.circuit_files import NOTE, VERIFYING_KEY
from quire.store.store import BLOCK_BYTES_DEFAULT

K, M = 2, 1
CLIENT, HONEST, CHEAT, READER = "client", "honest", "cheat", "reader"
HOSTS = tuple(f"host{number}" for number in range(K + M))
AGGREGATORS = (HONEST, CHEAT)
# Whoever cheats is cheap, so that it is surely asked first.
ENCODE_PRICES = {HONEST: 2_000_000_000, CHEAT: 1_000_000_000}  # for a GiB
PROOF_PRICE, SUBMIT_PRICE, BOND = 1_000_000, 500_000, 10_000_000
DEPOSIT = 1_000_000_000_000
BOND_DEPOSIT = 1_000_000_000


@dataclass(slots=True)
class Run:
    """`suspects`: whose logs say why the present step failed, if it does. `cap`, `cid`: of the file
    as the client put it; `bought`: the capability of what hosts keep."""

    steps: Steps
    directory: Path
    market: LocalMarket
    machine: SmallMachine  # of the client's node
    hands: SmallMachine  # of the commands beside it
    file: Path
    size: int
    expected: str  # SHA-256
    nodes: dict[str, LocalNode] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # of nodes, by peer id
    suspects: tuple[str, ...] = ()
    cap: str = ""
    bought: str = ""
    request_id: RequestId = b""
    orders: list[dict[str, Any]] = field(default_factory=list)  # of the client
    _starting: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(os.cpu_count() or 1)
    )

    @property
    def slot_size(self) -> int:
        """Bytes of one slot, as they are paid for; of the ciphertext, which is a little longer."""
        blocks = -(-self.size * 9 // (8 * BLOCK_BYTES_DEFAULT))
        return Geometry(blocks, K, M, BLOCK_BYTES_DEFAULT).slot_size

    def api(self, name: str) -> Client:
        return Client(self.nodes[name].api)

    async def start(self, name: str, knows: str = "") -> None:
        """Start a node with an account; the client's in its small machine."""
        arguments = ["--storage-quota", str(6 * self.size + 512 * MIB)]
        under: list[str] = []
        if name in self.market.names.values():
            arguments += self._trading(name)
        if name == CLIENT:
            under = self.machine.under()
        elif name == CHEAT:
            under = under_cheating()
        node = LocalNode(
            self.directory / name,
            bootstrap=[self.nodes[knows].address] if knows else [],
            arguments=arguments,
            under=under,
        )
        self.nodes[name] = node
        async with self._starting:
            try:
                await asyncio.to_thread(node.start)
            except QuireError:
                self.suspects = (name,)
                raise
        self.names[node.peer_id] = name
        if name == CLIENT:
            self.machine.hold(node.pid)

    def _trading(self, name: str) -> list[str]:
        arguments = self.market.arguments(name)
        if name not in AGGREGATORS:  # no proving key: a verifying key has to do
            at = arguments.index("--circuit-dir") + 1
            arguments[at] = str(self._verifying_keys())
        if name in HOSTS:
            arguments += ["--prove-via", "auto", "--submit-via", "auto"]
        if name in AGGREGATORS:
            arguments += ["--aggregator"]
            if name == CHEAT:
                arguments += ["--aggregator-services", "encode"]
            arguments += ["--aggregator-encode-price", str(ENCODE_PRICES[name])]
            arguments += ["--aggregator-prove-price", str(PROOF_PRICE)]
            arguments += ["--aggregator-submit-price", str(SUBMIT_PRICE)]
            arguments += ["--aggregator-bond", str(BOND)]
        return arguments

    def _verifying_keys(self) -> Path:
        """A directory of circuits with the two small files that whoever verifies needs."""
        assert self.market.circuit is not None
        name = self.market.circuit.id
        target = self.directory / "verifying" / name
        if not target.exists():
            target.mkdir(parents=True)
            for file in (VERIFYING_KEY, NOTE):
                shutil.copy(self.market.circuits / name / file, target / file)
        return target.parent

    async def command(self, at: str, *words: str) -> list[Any]:
        """What `quire` on the command line says, each line of its JSON. The client's commands
        have as little as its node. Raises QuireError."""
        under = self.hands.under() if at == CLIENT else []
        name = [*under, sys.executable, "-m", "quire.faces.cli.main", "--api", self.nodes[at].api]
        process = await asyncio.create_subprocess_exec(
            *name, *words, "--json",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await process.communicate()
        if process.returncode:
            raise QuireError(f"quire {words[0]} ended with {process.returncode}: {err.decode()}")
        return [json.loads(line) for line in out.splitlines()]

    def where_to_look(self) -> str:
        """Which logs say why the present step failed."""
        paths = [self.nodes[name].log_path for name in self.suspects if name in self.nodes]
        return "read " + ", ".join(map(str, paths)) if paths else ""
