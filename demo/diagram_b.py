"""Diagram B: a paid contract keeps a file alive, with nobody's good will and without its owner.

    client ──request, price──► contract ◄──collateral, proofs── host0 … host5
       ✝ gone                     │  ▲                             ✝ one is killed
                                  │  └── misses marked ── validator
    stranger ◄── the file ────────┼── spare: rebuilds that one slot, paid for it
                                  └── at the end: hosts paid, client takes what is left

Real processes, each with an account of its own; a real chain (Anvil) whose time runs faster only
at the very end; real Groth16 proofs. Nobody is told what to do after the client has left.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from quire.faces.local_market import LocalMarket
from rich.console import Console

from demo.market_view import MarketView
from demo.market_watch import MarketWatch
from demo.steps import Steps, sha256_of
from quire.base.errors import QuireError
from quire.base.units import format_size
from quire.chain.values import Address, RequestId
from quire.faces.client import Client
from quire.faces.local import LocalNode

K, M = 4, 2
HOSTS = K + M
STEPS = 15
KILLED_SLOT = 1  # a slot of data
QUIET_PERIODS = 2  # in which everything is well
DURATION_SECONDS = 3600  # of the contract, on the chain's clock
EXPIRY_SECONDS = 600
PRICE = 2  # for each byte and second
COLLATERAL = 1000  # for each byte
WAIT_SECONDS = 180.0  # no step may take longer
NAMES = ("client", *(f"host{n}" for n in range(HOSTS)), "spare", "validator")


@dataclass(slots=True)
class Run:
    """One run: the market, the nodes by name, the file, and what was learnt on the way."""

    steps: Steps
    console: Console
    market: LocalMarket
    file: Path
    size: int
    expected: str
    nodes: dict[str, LocalNode] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    cid: str = ""  # of the verifiable manifest
    request_id: RequestId = b""
    slot_size: int = 0
    killed: str = ""
    killed_at: int = 0  # chain's seconds

    def api(self, name: str) -> Client:
        return Client(self.nodes[name].api)

    def name_of(self, account: Address | None) -> str:
        return self.market.names.get(account, "nobody") if account else "nobody"


async def run_diagram_b(console: Console, directory: Path, file: Path) -> None:
    """Run the steps; raises when anything is not as it must be. Leaves no process behind."""
    size = await asyncio.to_thread(lambda: file.stat().st_size)
    expected = await asyncio.to_thread(sha256_of, file)
    console.print(f"[bold]Diagram B[/]: {file.name}, {format_size(size)}, sha256 {expected[:16]}…")
    market = LocalMarket(directory / "market")
    run = Run(Steps(console, STEPS), console, market, file, size, expected)
    try:
        await _open(run)
        watch = MarketWatch(market.observer, [*market.names])
        following = asyncio.create_task(watch.run())
        try:
            with MarketView(console, watch, market.names):
                await _story(run, watch, directory)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        _summary(run, watch)
    except QuireError as error:
        raise _with_logs(error, run) from error
    finally:
        for node in run.nodes.values():
            await asyncio.to_thread(node.stop)
        await market.stop()


async def _story(run: Run, watch: MarketWatch, directory: Path) -> None:
    await _offer(run)
    await _request(run)
    await _filled(run, watch)
    await _client_leaves(run)
    await _quiet_periods(run, watch)
    await _kill(run, watch)
    await _evicted(run, watch)
    await _repaired(run, watch)
    await _stranger(run, directory)
    await _end(run, watch)
    await _client_returns(run, watch)
    await _sheet(run)
    _no_proof_was_late(run, watch)
