"""What the parts of the demo share: numbered steps on the screen, waiting, moving bytes."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Sequence
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

from quire.base.errors import DeadlineExceeded, QuireError
from quire.base.units import MIB, format_duration, format_rate, format_size
from quire.faces.client import Client, error_of_job

STEP_SECONDS = 600.0  # no step may take longer
POLL_SECONDS = 0.1


class Steps:
    """The lines on the screen, each with what was measured."""

    def __init__(self, console: Console, count: int) -> None:
        self._console = console
        self._count = count
        self._number = 0
        self.started = time.perf_counter()

    def done(self, who: str, what: str, *figures: str) -> None:
        self._number += 1
        at = time.perf_counter() - self.started
        self._console.print(
            f"[dim]{at:5.1f} s[/] [green]✔[/] {self._number:2d}/{self._count} "
            f"[bold]{who:<6}[/] {what}",
            soft_wrap=True,
        )
        for figure in figures:
            self._console.print(f"{'':22}[dim]{figure}[/]", soft_wrap=True)

    def bar(self) -> Progress:
        return Progress(
            TextColumn("        {task.description:<14}"),
            BarColumn(),
            DownloadColumn(True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )


def rate_text(size_bytes: int, seconds: float) -> str:
    rate = format_rate(size_bytes / seconds)
    return f"{format_size(size_bytes)} in {format_duration(seconds)}, {rate}"


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def pieces(path: Path, sent: Callable[[int], None]) -> AsyncGenerator[bytes, None]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, MIB):
            yield piece
            sent(len(piece))


async def until(node: Client, path: str, is_met: Callable[[Any], bool], what: str) -> Any:
    """Ask the node until the answer is as wanted; the answer."""
    deadline = time.monotonic() + STEP_SECONDS
    while not is_met(state := await node.json("GET", path)):
        if time.monotonic() > deadline:
            raise DeadlineExceeded(f"{what} did not happen in {STEP_SECONDS:.0f} s; last: {state}")
        await asyncio.sleep(POLL_SECONDS)
    return state


async def announced(node: Client) -> int:
    """How many records are published, once none waits."""
    status = await until(node, "/status", lambda s: s["announce"]["queued"] == 0, "announcing")
    return int(status["announce"]["published"])


async def fetch(node: Client, steps: Steps, cid: str, manifest_known: Callable[[], None]) -> Any:
    """Run a fetch job with a progress bar; its last state."""
    path = f"/datasets/{cid}/fetch"
    state = await node.json("POST", path)
    is_told = False
    with steps.bar() as bar:
        task = bar.add_task("verified")
        while state["state"] in ("searching", "fetching"):
            if state["totalBytes"] is not None:
                if not is_told:
                    manifest_known()
                    is_told = True
                bar.update(task, total=state["totalBytes"], completed=state["verifiedBytes"])
            await asyncio.sleep(0.02)
            state = await node.json("GET", path)
    if state["state"] != "complete":
        raise QuireError(
            f"the fetch ended as {state['state']}: {state['error'] or state['reason']}"
        )
    if not is_told:
        manifest_known()
    return state


async def download(node: Client, steps: Steps, cid: str, target: Path) -> tuple[str, int]:
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


async def job(
    node: Client, steps: Steps, path: str, query: str, name: str, ended: Sequence[str]
) -> Any:
    """Start a job with POST and follow it with a bar of verified bytes until its state is one of
    `ended`; its last state. Raises what it failed with."""
    state = await node.json("POST", path + query)
    deadline = time.monotonic() + STEP_SECONDS
    with steps.bar() as bar:
        task = bar.add_task(name, total=state["totalBytes"])
        while state["state"] not in ended:
            if state["error"] is not None:
                raise error_of_job(state["error"])
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"{name}: not done in {STEP_SECONDS:.0f} s; {state}")
            await asyncio.sleep(POLL_SECONDS)
            state = await node.json("GET", path + query)
            state = state["jobs"][-1] if "jobs" in state else state
            bar.update(task, total=state["totalBytes"], completed=state["verifiedBytes"])
    return state
