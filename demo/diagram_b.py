"""Diagram B: a paid contract keeps a file alive, with nobody's good will and without its owner.

    client ──request, price──► contract ◄──collateral, proofs── host0 … host5
       ✝ gone                     ▲  │                             ✝ one is killed
                        validator ┘  │ marks what is missing; the slot opens again
    stranger ◄── the file ───────────┤
                                     └──► spare: rebuilds that one slot and is paid for it

Real processes with an account each, a real chain (Anvil), real Groth16 proofs. Nobody is told what
to do after the client has left; the chain's time is moved on only at the very end.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from rich.console import Console

from demo.balance_sheet import settle
from demo.contract_run import CLIENT, HOSTS, SPARE, VALIDATOR, Run
from demo.contract_steps import (
    buy,
    client_leaves,
    come_back,
    evict,
    fill_slots,
    kill_host,
    quiet_periods,
    read_file,
    repair,
    run_out,
)
from demo.market_view import MarketView
from demo.market_watch import MarketWatch
from demo.slot_offer import offer_slot
from demo.steps import Steps, sha256_of
from quire.base.errors import QuireError
from quire.base.units import format_duration, format_size
from quire.chain.abi import address_text
from quire.chain.deployment import TOKENS_EACH
from quire.faces.local_market import LocalMarket

STEPS = 16


async def run_diagram_b(console: Console, directory: Path, file: Path) -> None:
    """Run the steps; raises when anything is not as it must be. Leaves no process behind."""
    size = await asyncio.to_thread(lambda: file.stat().st_size)
    expected = await asyncio.to_thread(sha256_of, file)
    console.print(f"[bold]Diagram B[/]: {file.name}, {format_size(size)}, sha256 {expected[:16]}…")
    place = directory / "contract"
    market = LocalMarket(place)
    run = Run(Steps(console, STEPS), place, market, file, size, expected)
    try:
        await _open(run)
        watch = MarketWatch(market.observer, list(market.names))
        following = asyncio.create_task(watch.run())
        try:
            with MarketView(console, watch, market.names):
                await _live(run, watch)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        await _close(run, watch, console)
    except QuireError as error:
        error.hint = run.where_to_look()  # type: ignore[misc]
        raise
    finally:
        for node in run.nodes.values():
            await asyncio.to_thread(node.stop)
        await market.stop()


async def _open(run: Run) -> None:
    """Steps 1 to 3: a chain with the contracts, nodes with accounts, space on offer."""
    market = run.market
    took = await market.start()
    terms = market.observer.terms
    run.steps.done(
        "chain",
        f"Anvil with the contracts, marketplace {address_text(terms.contract)}",
        f"one proof took {format_duration(took)} here: periods of {terms.period} s",
        f"{terms.max_slashes} missed proofs cost a host its slot,"
        f" each {terms.slash_percentage} % of its collateral",
    )
    for name in (CLIENT, *HOSTS, SPARE, VALIDATOR):
        market.add_account(name)
        run.before[name] = TOKENS_EACH
    await run.start(CLIENT, [])
    await asyncio.gather(*(run.start(name, [CLIENT]) for name in HOSTS))
    run.suspects = (SPARE, VALIDATOR)
    await asyncio.gather(
        run.start(SPARE, [HOSTS[0]]), run.start(VALIDATOR, [HOSTS[0]], is_validator=True)
    )
    run.steps.done("all", f"{len(run.nodes)} nodes, each with {TOKENS_EACH:,} tokens of its own")
    for name in HOSTS:
        run.suspects = (name,)
        await offer_slot(run.nodes[name], run.slot_size)
    run.steps.done("hosts", f"offer {format_size(run.slot_size)} each, room for one slot")


async def _live(run: Run, watch: MarketWatch) -> None:
    """Everything that happens while the contract lasts."""
    await buy(run, watch)
    await fill_slots(run, watch)
    await client_leaves(run)
    await quiet_periods(run, watch)
    await kill_host(run, watch)
    await evict(run, watch)
    await repair(run, watch)
    await read_file(run)
    await run_out(run, watch)
    await come_back(run, watch)


async def _close(run: Run, watch: MarketWatch, console: Console) -> None:
    """The sheet, which has to add up, and the verdict."""
    await settle(run, console)
    took = time.perf_counter() - run.steps.started
    proofs = len(watch.proofs)
    latest = max(proof.after for proof in watch.proofs)
    console.print()
    console.print(
        f"[bold green]Proven[/]: {run.file.name} outlived its owner and one of its hosts."
    )
    console.print(f"  dataset  {run.cid}", soft_wrap=True)
    console.print(f"  SHA-256  {run.expected}, put and read", soft_wrap=True)
    console.print(f"  proofs   {proofs}, none late; the latest came {latest} s into its period")
    console.print(f"  time     {format_duration(took)}")
