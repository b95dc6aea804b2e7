"""A file kept by strangers for pay: encrypted, sealed, paid only for what was delivered.

    client ──sealed replicas, vouchers──► good1, good2, mortal (dies, comes back)
       ✝ leaves                           refuser, liar: nothing stored, nothing paid
    24 words ─► reader ◄── the file ──────┘ ✝ one more dies while it is read

Real processes with an account each, a real chain (Anvil) with the hub of payment channels.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from rich.console import Console

from demo.retail_run import CLIENT, LIES, PRICES, PROVIDERS, READER, Run
from demo.retail_sheet import settle
from demo.retail_steps import claim, client_leaves, keep, put, read, restore, scan
from demo.steps import Steps, sha256_of
from quire.base.errors import QuireError
from quire.base.units import MIB, format_duration, format_size
from quire.chain.abi import address_text
from quire.chain.deployment import TOKENS_EACH
from quire.faces.local_market import LocalMarket

STEPS = 13
MOST_BYTES = 32 * MIB  # of the file; of a larger one the beginning is kept


async def run_retail(console: Console, directory: Path, file: Path) -> None:
    """Run the steps; raises when anything is not as it must be. Leaves no process behind."""
    place = directory / "retail"
    place.mkdir()
    file = await asyncio.to_thread(_cut, file, place)
    size = file.stat().st_size
    expected = await asyncio.to_thread(sha256_of, file)
    console.print(f"[bold]Part C[/]: {file.name}, {format_size(size)}, sha256 {expected[:16]}…")
    market = LocalMarket(place, None)
    run = Run(Steps(console, STEPS), place, market, file, size, expected)
    try:
        await _open(run)
        await put(run)
        await keep(run, console)
        await client_leaves(run)
        scanning = asyncio.create_task(scan(run, file))
        await restore(run)
        await read(run)
        await scanning
        await claim(run)
        await settle(run, console)
    except QuireError as error:
        error.hint = run.where_to_look()  # type: ignore[misc]
        raise
    finally:
        await asyncio.gather(*(asyncio.to_thread(node.stop) for node in run.nodes.values()))
        await market.stop()
    took = time.perf_counter() - run.steps.started
    console.print()
    console.print(
        f"[bold green]Proven[/]: {file.name} is kept by strangers who cannot read it, and were paid"
        " for what they delivered."
    )
    console.print(f"  SHA-256  {expected}, put and read", soft_wrap=True)
    console.print(f"  time     {format_duration(took)}")


async def _open(run: Run) -> None:
    """A chain with the hub, nodes with accounts."""
    await run.market.start()
    hub = address_text(run.market.hub.domain.contract)
    run.steps.done("chain", f"Anvil with the hub of payment channels, {hub}")
    for name in (CLIENT, *PROVIDERS, READER):
        run.market.add_account(name)
    await run.start(CLIENT)
    others = [run.start(name, CLIENT, lies=LIES.get(name, "")) for name in PROVIDERS]
    await asyncio.gather(*others, run.start(READER, CLIENT))
    prices = ", ".join(f"{name} {price}" for name, price in PRICES.items())
    run.steps.done(
        "all",
        f"{len(run.nodes)} nodes, each with {TOKENS_EACH:,} tokens of its own",
        f"five keep replicas, for a byte and second: {prices}",
    )


def _cut(file: Path, place: Path) -> Path:
    """The file itself, or its beginning."""
    if file.stat().st_size <= MOST_BYTES:
        return file
    cut = place / file.name
    with file.open("rb") as source:
        cut.write_bytes(source.read(MOST_BYTES))
    return cut
