"""Diagram A: a file put on one node outlives that node.

    client ──put──► client node ──► host1 ──► host2      three processes, loopback only
                        ✝ SIGKILL after host1 has everything

Ten steps, shown as they happen. Every figure is measured; the last step compares SHA-256.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from quire.base.errors import DeadlineExceeded, IntegrityError, QuireError
from quire.base.units import MIB, format_duration, format_rate, format_size
from quire.faces.client import Client, error_of
from quire.faces.local import LocalNode

STEP_SECONDS = 600.0  # no step may take longer
POLL_SECONDS = 0.1


class Steps:
    """The ten lines on the screen, each with what was measured."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0
        self.started = time.perf_counter()

    def done(self, who: str, what: str, *figures: str) -> None:
        self._number += 1
        at = format_duration(time.perf_counter() - self.started)
        detail = f"  [dim]{' · '.join(figures)}[/]" if figures else ""
        self._console.print(f"[green]✔[/] {self._number:2d}/10 [bold]{who:<7}[/] {what}{detail}  [dim]@ {at}[/]")

    def bar(self) -> Progress:
        return Progress(
            TextColumn("        {task.description:<14}"), BarColumn(), DownloadColumn(True),
            TransferSpeedColumn(), TimeRemainingColumn(),
            console=self._console, transient=True,
        )


def rate_text(size_bytes: int, seconds: float) -> str:
    return f"{format_size(size_bytes)} in {format_duration(seconds)}, {format_rate(size_bytes / seconds)}"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _pieces(path: Path, sent: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, MIB):
            yield piece
            sent(len(piece))


async def _until(node: Client, path: str, is_met: Callable[[Any], bool], what: str) -> Any:
    """Ask the node until the answer is as wanted; the answer."""
    deadline = time.monotonic() + STEP_SECONDS
    while not is_met(state := await node.json("GET", path)):
        if time.monotonic() > deadline:
            raise DeadlineExceeded(f"{what} did not happen in {STEP_SECONDS:.0f} s; last: {state}")
        await asyncio.sleep(POLL_SECONDS)
    return state


async def _announced(node: Client) -> int:
    """How many records are published, once none waits."""
    status = await _until(node, "/status", lambda s: s["announce"]["queued"] == 0, "announcing")
    return int(status["announce"]["published"])


async def _fetch(node: Client, steps: Steps, cid: str, manifest_known: Callable[[Any], None]) -> Any:
    """Run a fetch job with a progress bar; its last state."""
    path = f"/datasets/{cid}/fetch"
    state = await node.json("POST", path)
    told = False
    with steps.bar() as bar:
        task = bar.add_task("verified")
        while state["state"] in ("searching", "fetching"):
            if state["totalBytes"] is not None:
                if not told:
                    manifest_known(state)
                    told = True
                bar.update(task, total=state["totalBytes"], completed=state["verifiedBytes"])
            await asyncio.sleep(0.02)
            state = await node.json("GET", path)
    if state["state"] != "complete":
        raise error_of(500, str(state["error"]).encode()) if state["error"] else QuireError(str(state))
    if not told:
        manifest_known(state)
    return state


async def _download(node: Client, steps: Steps, cid: str, target: Path) -> tuple[str, int]:
    """Download to a file; the SHA-256 of what arrived, and its length."""
    digest = hashlib.sha256()
    count = 0
    async with node.get(cid, timeout_seconds=STEP_SECONDS) as download:
        with steps.bar() as bar, target.open("wb") as file:
            task = bar.add_task("downloaded", total=download.size)
            async for piece in download.pieces():
                digest.update(piece)
                file.write(piece)
                count += len(piece)
                bar.update(task, completed=count)
    return digest.hexdigest(), count


def _from_peers(state: Any, names: dict[str, str]) -> str:
    parts = [f"{format_size(count)} from {names.get(peer, peer)}" for peer, count in state["peers"].items()]
    return ", ".join(parts)


async def run_diagram_a(console: Console, directory: Path, file: Path) -> None:
    """Run the ten steps; raises when anything is not as it must be. Leaves no process behind."""
    size = file.stat().st_size
    expected = await asyncio.to_thread(sha256_of, file)
    console.print(f"[bold]Diagram A[/]: {file.name}, {format_size(size)}, sha256 {expected[:16]}…")
    quota = ["--storage-quota", str(2 * size + 64 * MIB)]
    nodes: list[LocalNode] = []
    try:
        client = _start(nodes, directory / "client", [], quota)
        host1 = _start(nodes, directory / "host1", [client.address], quota)
        host2 = _start(nodes, directory / "host2", [host1.address], quota)
        names = {client.peer_id: "client", host1.peer_id: "host1", host2.peer_id: "host2"}
        console.print(f"        three nodes on loopback: {', '.join(n.api for n in nodes)}")
        await _ten_steps(Steps(console), console, nodes, names, file, expected)
    finally:
        for node in nodes:
            await asyncio.to_thread(node.stop)


def _start(nodes: list[LocalNode], place: Path, bootstrap: list[str], arguments: list[str]) -> LocalNode:
    node = LocalNode(place, bootstrap=bootstrap, arguments=arguments)
    nodes.append(node)
    return node.start()


async def _ten_steps(
    steps: Steps, console: Console, nodes: list[LocalNode], names: dict[str, str], file: Path, expected: str
) -> None:
    client, host1, host2 = nodes
    size = file.stat().st_size
    async with Client(client.api) as c, Client(host1.api) as h1, Client(host2.api) as h2:
        started = time.perf_counter()
        with steps.bar() as bar:
            task = bar.add_task("uploaded", total=size)
            cid = await c.put(_pieces(file, lambda n: bar.advance(task, n)), size=size, filename=file.name)
        took = time.perf_counter() - started
        stat = await c.json("GET", f"/datasets/{cid}")
        blocks = stat["totalBlocks"]
        steps.done("client", f"cut into {blocks} blocks, hashed, Merkle tree built", f"tree {stat['manifest']['treeCid'][:14]}…")
        steps.done("client", "stored durably, all visible at once", rate_text(size, took))
        records = await _announced(c)
        steps.done("client", f"announced; manifest CID [cyan]{cid}[/]", f"{records} provider records")

        found: list[float] = []
        started = time.perf_counter()

        def manifest_known(state: Any) -> None:
            found.append(time.perf_counter() - started)
            steps.done("host1", "found a provider by the manifest CID", "asked with nothing but the CID")
            steps.done("host1", "fetched the manifest, checked it against its CID", format_duration(found[0]))

        state = await _fetch(h1, steps, cid, manifest_known)
        took = time.perf_counter() - started
        steps.done("host1", f"fetched {blocks} blocks, each range verified against the tree", rate_text(size, took), _from_peers(state, names))
        records = await _announced(h1)
        steps.done("host1", "announced what it holds", f"{records} provider records")

        pid = client.pid
        await asyncio.to_thread(client.kill)
        steps.done("client", f"killed with SIGKILL (process {pid}); only host1 has the file now")

        started = time.perf_counter()
        target = nodes[2].data_dir.with_name("returned")
        digest, count = await _download(h2, steps, cid, target)
        took = time.perf_counter() - started
        state = await h2.json("GET", f"/datasets/{cid}")
        steps.done("host2", "found host1 by the CID and downloaded the file", rate_text(count, took))
        if digest != expected or count != size:
            raise IntegrityError(f"host2 returned {count} bytes with sha256 {digest}, not {size} with {expected}")
        steps.done("user", "compared: the same bytes", f"sha256 {digest}")
        moved = await h2.json("GET", "/peers")
    console.print()
    console.print(f"[bold green]Proven:[/] {file.name} outlived the node it was put on.")
    console.print(f"  CID      {cid}")
    console.print(f"  SHA-256  {digest} (equal)")
    console.print(f"  total    {format_duration(time.perf_counter() - steps.started)}")
