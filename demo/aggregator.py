"""A weak client and weak hosts: their heavy work is done by an aggregator that nobody trusts.

    client (128 MiB, half a core) ──► cheat: wrong parity, caught, unpaid
          └── dataset ──► honest ──coded blocks──► host0 … host2 (no proving key)
          ✝ leaves           ▲  └── proofs made, submitted together ──► contract
                             └── cells that were drawn ──┘

Real processes with an account each, a real chain (Anvil), real Groth16 proofs.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from rich.console import Console

from demo.aggregator_run import AGGREGATORS, CLIENT, HONEST, HOSTS, Run
from demo.aggregator_steps import buy, fill, fund, prove, put, read, settle, settle_coding
from demo.limits import SmallMachine
from demo.market_watch import MarketWatch
from demo.steps import Steps, sha256_of
from quire.base.errors import QuireError
from quire.base.units import MIB, format_duration, format_size
from quire.chain.abi import address_text
from quire.chain.deployment import TOKENS_EACH
from quire.faces.local_market import LocalMarket

STEPS = 11
BYTES = 256 * MIB  # of the file; a smaller one is repeated


async def run_aggregator(console: Console, directory: Path, file: Path) -> None:
    """Run the steps; raises when anything is not as it must be. Leaves no process behind."""
    place = directory / "aggregator"
    place.mkdir()
    file = await asyncio.to_thread(_sized, file, place)
    size = file.stat().st_size
    expected = await asyncio.to_thread(sha256_of, file)
    console.print(f"[bold]Part D[/]: {file.name}, {format_size(size)}, sha256 {expected[:16]}…")
    market = LocalMarket(place)
    machine, hands = SmallMachine.make("client"), SmallMachine.make("commands")
    run = Run(Steps(console, STEPS), place, market, machine, hands, file, size, expected)
    try:
        await _open(run)
        watch = MarketWatch(market.observer, list(market.names))
        following = asyncio.create_task(watch.run())
        try:
            await fund(run)
            await put(run)
            await buy(run, console, watch)
            await fill(run, watch)
            await settle_coding(run)
            await prove(run, watch)
            await read(run)
            await settle(run)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    except QuireError as error:
        error.hint = run.where_to_look()  # type: ignore[misc]
        raise
    finally:
        await machine.let_go()
        await asyncio.gather(*(asyncio.to_thread(node.stop) for node in run.nodes.values()))
        await market.stop()
        machine.remove()
        hands.remove()
    took = time.perf_counter() - run.steps.started
    console.print()
    console.print(
        f"[bold green]Proven[/]: {file.name} was coded, proved and submitted by a node that nobody "
        "had to trust; who cheated got nothing."
    )
    console.print(f"  SHA-256  {expected}, put and read", soft_wrap=True)
    console.print(f"  time     {format_duration(took)}")


async def _open(run: Run) -> None:
    """A chain with the contracts, nodes with accounts."""
    took = await run.market.start(slots=len(HOSTS))
    terms = run.market.observer.terms
    run.steps.done(
        "chain",
        f"Anvil with the contracts, marketplace {address_text(terms.contract)}",
        f"one proof took {format_duration(took)} here: periods of {terms.period} s",
    )
    for name in (CLIENT, *AGGREGATORS, *HOSTS):
        run.market.add_account(name)
    await run.start(HONEST)
    await asyncio.gather(*(run.start(name, HONEST) for name in (CLIENT, *AGGREGATORS[1:], *HOSTS)))
    run.steps.done(
        "all",
        f"{len(run.nodes)} nodes, each with {TOKENS_EACH:,} tokens of its own",
        f"the client's has {run.machine.words}; each of its commands as much",
    )


def _sized(file: Path, place: Path) -> Path:
    """The file, repeated or cut to BYTES."""
    target = place / file.name
    with file.open("rb") as source, target.open("wb") as made:
        while made.tell() < BYTES:
            if not (piece := source.read(min(MIB, BYTES - made.tell()))):
                source.seek(0)
                continue
            made.write(piece)
    return target
