"""The file in slots: six hosts hold a slot each, three nodes die, nothing is lost, all is proven.

    owner ──protect 4 + 2──► host0 … host5      a slot each, then the owner dies
                              ✝     ✝           two hosts of data die too
    reader ◄── any four rows ──┘                the same bytes
    newcomer ◄── rebuilds one lost slot         exactly four rows read, one written
    every slot that is left proves itself       Groth16, verified in one batch

Nine processes on loopback. The key of the proofs is a development key: it is made here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from demo.steps import (
    POLL_SECONDS,
    STEP_SECONDS,
    Steps,
    announced,
    download,
    job,
    pieces,
    rate_text,
    sha256_of,
)
from quire.base.errors import DeadlineExceeded, IntegrityError
from quire.base.units import MIB, format_duration, format_size
from quire.dataset.circuit import OWN, CircuitParameters
from quire.faces.client import Client, error_of_job
from quire.faces.local import LocalNode
from quire.services.circuit_setup import DEFAULT_SEED, set_up_circuit

K, M = 4, 2
KILLED = (1, 3)  # data slots, the worst to lose
REBUILT = 1
STEPS = 10
CIRCUIT = CircuitParameters(OWN, samples=5)


@dataclass(slots=True)
class Run:
    """One run: the nodes by name, the file, and what was learnt on the way."""

    steps: Steps
    directory: Path
    file: Path
    size: int
    expected: str
    nodes: dict[str, LocalNode] = field(default_factory=dict)
    cid: str = ""  # of the verifiable manifest
    holders: dict[int, str] = field(default_factory=dict)  # slot -> the node that has it
    challenge: str = ""

    def api(self, name: str) -> Client:
        return Client(self.nodes[name].api)

    def start(self, name: str, knows: list[str]) -> None:
        quota = 3 * self.size + 128 * MIB
        arguments = ["--storage-quota", str(quota), "--circuit-dir", str(self.circuits)]
        bootstrap = [self.nodes[other].address for other in knows]
        self.nodes[name] = LocalNode(
            self.directory / "slots" / name, bootstrap=bootstrap, arguments=arguments
        )
        self.nodes[name].start()

    @property
    def circuits(self) -> Path:
        return self.directory / "circuits"


async def run_slots(console: Console, directory: Path, file: Path) -> None:
    """Run the steps; raises when anything is not as it must be. Leaves no process behind."""
    size = await asyncio.to_thread(lambda: file.stat().st_size)
    expected = await asyncio.to_thread(sha256_of, file)
    console.print(f"[bold]Slots[/]: {file.name}, {format_size(size)}, sha256 {expected[:16]}…")
    run = Run(Steps(console, STEPS), directory, file, size, expected)
    try:
        await asyncio.to_thread(run.start, "owner", [])
        for slot in range(K + M):
            await asyncio.to_thread(run.start, f"host{slot}", ["owner"])
        await asyncio.to_thread(run.start, "reader", ["host0"])
        await asyncio.to_thread(run.start, "new", ["host2"])
        console.print(f"  {len(run.nodes)} nodes on loopback")
        await _protect(run)
        await _spread(run)
        await asyncio.to_thread(_kill, run)
        await _read(run)
        await _rebuild(run)
        await asyncio.to_thread(_make_key, run)
        proofs = await _prove(run)
        await _verify(run, proofs)
        _summary(console, run)
    finally:
        for node in run.nodes.values():
            await asyncio.to_thread(node.stop)


async def _protect(run: Run) -> None:
    """Steps 1 and 2: the file becomes a dataset, and then a protected one."""
    async with run.api("owner") as owner:
        started = time.perf_counter()
        with run.steps.bar() as bar:
            task = bar.add_task("uploaded", total=run.size)
            body = pieces(run.file, lambda n: bar.advance(task, n))
            plain = await owner.put(body, size=run.size, filename=run.file.name)
        took = time.perf_counter() - started
        run.steps.done("owner", "stored the file", rate_text(run.size, took))
        started = time.perf_counter()
        path = f"/datasets/{plain}/protect"
        state = await job(owner, run.steps, path, f"?k={K}&m={M}", "protected", ["complete"])
        took = time.perf_counter() - started
        result = state["result"]
        run.cid = result["cid"]
        run.steps.done(
            "owner",
            f"protected {K} + {M}: parity coded, every block hashed into a slot tree",
            rate_text(run.size, took),
            f"verify root {result['verifyRoot']}",
        )
        await announced(owner)


async def _spread(run: Run) -> None:
    """Step 3: each host takes one slot, all at once."""
    started = time.perf_counter()

    async def take(slot: int) -> int:
        name = f"host{slot}"
        async with run.api(name) as host:
            path = f"/datasets/{run.cid}/slots/{slot}"
            state = await _until_held(host, path)
            await announced(host)
        run.holders[slot] = name
        return int(state["verifiedBytes"])

    sizes = await asyncio.gather(*(take(slot) for slot in range(K + M)))
    took = time.perf_counter() - started
    run.steps.done(
        "hosts",
        f"took a slot each; blocks, tree and slot root checked by each of the {K + M}",
        rate_text(sum(sizes), took),
    )


async def _until_held(host: Client, path: str) -> Any:
    state = await host.json("POST", path)
    deadline = time.monotonic() + STEP_SECONDS
    while state["state"] != "held":
        if state["error"] is not None:
            raise error_of_job(state["error"])
        if time.monotonic() > deadline:
            raise DeadlineExceeded(f"a slot was not taken in {STEP_SECONDS:.0f} s: {state}")
        await asyncio.sleep(POLL_SECONDS)
        state = await host.json("GET", path)
    return state


def _kill(run: Run) -> None:
    """Step 4: the owner and two hosts of data are gone without a word."""
    for name in ("owner", *(run.holders.pop(slot) for slot in KILLED)):
        run.nodes[name].kill()
    lost = " and ".join(str(slot) for slot in KILLED)
    run.steps.done("owner", f"killed with SIGKILL, and the hosts of data slots {lost} too")


async def _read(run: Run) -> None:
    """Step 5: somebody who has nothing reads the file from what is left."""
    async with run.api("reader") as reader:
        started = time.perf_counter()
        digest, count = await download(reader, run.steps, run.cid, run.directory / "read")
        took = time.perf_counter() - started
        if digest != run.expected or count != run.size:
            raise IntegrityError(
                f"the reader got {count} bytes with sha256 {digest},"
                f" not {run.size} with {run.expected}"
            )
        peers = await reader.json("GET", "/peers")
        received = sum(peer["receivedBytes"] for peer in [*peers["peers"], *peers["past"]])
        run.steps.done(
            "reader",
            f"read the file from {len(run.holders)} slots; the same bytes",
            rate_text(count, took),
            f"{format_size(received)} received for {format_size(count)} of file, two rows decoded",
        )


async def _rebuild(run: Run) -> None:
    """Step 6: a newcomer makes one of the lost slots again."""
    async with run.api("new") as new:
        started = time.perf_counter()
        path = f"/datasets/{run.cid}/slots/{REBUILT}/rebuild"
        state = await job(new, run.steps, path, "", "rebuilt", ["complete"])
        took = time.perf_counter() - started
        run.holders[REBUILT] = "new"
        run.steps.done(
            "new",
            f"rebuilt slot {REBUILT}; every block and the slot root are right",
            rate_text(state["verifiedBytes"], took),
            f"{state['readBlocks']} blocks read, {state['writtenBlocks']} written",
        )


def _make_key(run: Run) -> None:
    """Step 7: a development key, which only a demo may use."""
    started = time.perf_counter()
    with run.steps.bar() as bar:
        task = bar.add_task("key", total=None)
        set_up_circuit(
            run.circuits,
            CIRCUIT,
            DEFAULT_SEED,
            lambda what, done, total: bar.update(task, total=total, completed=done),
        )
    took = format_duration(time.perf_counter() - started)
    run.steps.done("all", f"circuit {CIRCUIT.id}: an UNSAFE development key, made in {took}")


async def _prove(run: Run) -> list[dict[str, Any]]:
    """Steps 8 and 9: nobody knew what would be asked; every slot that is left answers."""
    run.challenge = secrets.token_hex(32)
    run.steps.done("chance", f"drew a challenge: {run.challenge[:16]}…")
    proofs, times = [], []
    for slot, name in sorted(run.holders.items()):
        async with run.api(name) as host:
            path = f"/datasets/{run.cid}/slots/{slot}/proofs"
            query = f"?challenge={run.challenge}&host=0x{slot + 1:040x}"
            state = await host.json("POST", path + query, timeout_seconds=STEP_SECONDS)
            while state["state"] != "complete":
                if state["error"] is not None:
                    raise error_of_job(state["error"])
                await asyncio.sleep(POLL_SECONDS)
                state = await host.json("GET", f"{path}/{state['id']}")
            proofs.append(state["proof"])
            times.append(f"slot {slot} by {name}: {format_duration(state['seconds'])}")
    run.steps.done("hosts", "proved every slot that is left, zero knowledge", *times)
    return proofs


async def _verify(run: Run, proofs: list[dict[str, Any]]) -> None:
    """Step 10: the reader, who holds no slot, verifies all of them at once."""
    async with run.api("reader") as reader:
        started = time.perf_counter()
        query = f"?cid={run.cid}&challenge={run.challenge}"
        told = await reader.json("POST", f"/proofs/verify{query}", body=proofs)
        took = format_duration(time.perf_counter() - started)
        if not told["good"]:
            raise IntegrityError(f"a proof does not hold: {told['proofs']}")
        run.steps.done("reader", f"verified {len(proofs)} proofs in one batch", took)


def _summary(console: Console, run: Run) -> None:
    total = format_duration(time.perf_counter() - run.steps.started)
    slots = ", ".join(f"{slot} on {name}" for slot, name in sorted(run.holders.items()))
    console.print()
    console.print(f"[bold green]Proven[/]: {run.file.name} outlived three of nine nodes.")
    console.print(f"  CID      {run.cid}", soft_wrap=True)
    console.print(f"  SHA-256  {run.expected}, put and read", soft_wrap=True)
    console.print(f"  slots    {slots}")
    console.print(f"  time     {total}")
