"""Diagram A: a file put on one node outlives that node.

    client ──put──► client node ──► host1 ──► host2      three processes, loopback only
                        ✝ SIGKILL after host1 has everything

Ten steps, shown as they happen. Every figure is measured; the last step compares SHA-256.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from demo.steps import Steps, announced, download, fetch, pieces, rate_text, sha256_of
from quire.base.errors import IntegrityError
from quire.base.units import MIB, format_duration, format_size
from quire.faces.client import Client
from quire.faces.local import LocalNode


@dataclass(slots=True)
class Run:
    """One run of the demo: the nodes by name, the file, and what was learnt on the way."""

    steps: Steps
    nodes: dict[str, LocalNode]
    file: Path
    size: int
    expected: str
    cid: str = ""
    blocks: int = 0

    def name_of(self, peer: str) -> str:
        return next((n for n, node in self.nodes.items() if node.peer_id == peer), peer)

    def api(self, name: str) -> Client:
        return Client(self.nodes[name].api)


async def run_diagram_a(console: Console, directory: Path, file: Path) -> None:
    """Run the ten steps; raises when anything is not as it must be. Leaves no process behind."""
    size = await asyncio.to_thread(lambda: file.stat().st_size)
    expected = await asyncio.to_thread(sha256_of, file)
    console.print(f"[bold]Diagram A[/]: {file.name}, {format_size(size)}, sha256 {expected[:16]}…")
    run = Run(Steps(console, 10), {}, file, size, expected)
    try:
        _start(run, directory, "client", [])
        _start(run, directory, "host1", ["client"])
        _start(run, directory, "host2", ["host1"])
        console.print(f"  three nodes on loopback: {', '.join(n.api for n in run.nodes.values())}")
        await _put(run)
        await _spread(run)
        await asyncio.to_thread(_kill, run)
        moved = await _come_back(run, directory / "returned")
        _summary(console, run, moved)
    finally:
        for node in run.nodes.values():
            await asyncio.to_thread(node.stop)


def _start(run: Run, directory: Path, name: str, knows: list[str]) -> None:
    quota = ["--storage-quota", str(2 * run.size + 64 * MIB)]
    bootstrap = [run.nodes[other].address for other in knows]
    run.nodes[name] = LocalNode(directory / name, bootstrap=bootstrap, arguments=quota)
    run.nodes[name].start()


async def _put(run: Run) -> None:
    """Steps 1 to 3: the file becomes a dataset on the client's node."""
    async with run.api("client") as client:
        started = time.perf_counter()
        with run.steps.bar() as bar:
            task = bar.add_task("uploaded", total=run.size)
            body = pieces(run.file, lambda n: bar.advance(task, n))
            run.cid = await client.put(body, size=run.size, filename=run.file.name)
        took = time.perf_counter() - started
        stat = await client.json("GET", f"/datasets/{run.cid}")
        run.blocks = stat["totalBlocks"]
        tree = f"tree {stat['manifest']['treeCid'][:14]}…"
        run.steps.done("client", f"cut into {run.blocks} blocks, hashed, tree built", tree)
        run.steps.done("client", "stored durably, visible all at once", rate_text(run.size, took))
        records = await announced(client)
        run.steps.done("client", "announced", f"{records} provider records", run.cid)


async def _spread(run: Run) -> None:
    """Steps 4 to 7: host1 gets everything, knowing only the CID."""
    async with run.api("host1") as host1:
        started = time.perf_counter()

        def manifest_known() -> None:
            took = format_duration(time.perf_counter() - started)
            run.steps.done("host1", "found a provider by the manifest CID alone")
            run.steps.done("host1", "fetched the manifest, checked against its CID", took)

        state = await fetch(host1, run.steps, run.cid, manifest_known)
        took = time.perf_counter() - started
        what = f"fetched {run.blocks} blocks, each range proven against the tree"
        sources = [f"{format_size(n)} from {run.name_of(p)}" for p, n in state["peers"].items()]
        run.steps.done("host1", what, rate_text(run.size, took), *sources)
        records = await announced(host1)
        run.steps.done("host1", "announced what it holds", f"{records} provider records")


def _kill(run: Run) -> None:
    """Step 8: the node that the file was put on is gone without a word."""
    client = run.nodes["client"]
    pid = client.pid
    client.kill()
    run.steps.done("client", "killed with SIGKILL; only host1 has the file now", f"process {pid}")


async def _come_back(run: Run, target: Path) -> dict[str, dict[str, int]]:
    """Steps 9 and 10: host2 returns the file; what each host received, by the sender's name."""
    async with run.api("host1") as host1, run.api("host2") as host2:
        started = time.perf_counter()
        digest, count = await download(host2, run.steps, run.cid, target)
        took = time.perf_counter() - started
        run.steps.done("host2", "found host1 by the CID, downloaded", rate_text(count, took))
        if digest != run.expected or count != run.size:
            raise IntegrityError(
                f"host2 returned {count} bytes with sha256 {digest},"
                f" not {run.size} with {run.expected}"
            )
        run.steps.done("user", "compared: the same bytes", f"sha256 {digest[:16]}…")
        return {"host1": await _received(run, host1), "host2": await _received(run, host2)}


async def _received(run: Run, node: Client) -> dict[str, int]:
    """Verified bytes by the name of the peer that sent them, peers that left included."""
    body = await node.json("GET", "/peers")
    counts: dict[str, int] = {}
    for peer in [*body["peers"], *body["past"]]:
        if peer["receivedBytes"]:
            counts[run.name_of(peer["peerId"])] = peer["receivedBytes"]
    return counts


def _summary(console: Console, run: Run, moved: dict[str, dict[str, int]]) -> None:
    total = format_duration(time.perf_counter() - run.steps.started)
    console.print()
    console.print(f"[bold green]Proven[/]: {run.file.name} outlived the node it was put on.")
    console.print(f"  CID      {run.cid}", soft_wrap=True)
    console.print(f"  SHA-256  {run.expected}, put and returned", soft_wrap=True)
    for receiver, senders in moved.items():
        for sender, count in senders.items():
            console.print(f"  moved    {sender} → {receiver}: {format_size(count)} of blocks")
    console.print(f"  time     {total}")
