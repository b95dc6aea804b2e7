"""The steps of the part with aggregators, each of them waited for at the nodes and on the chain."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from demo.aggregator_run import (
    AGGREGATORS,
    BOND_DEPOSIT,
    CHEAT,
    CLIENT,
    DEPOSIT,
    HONEST,
    HOSTS,
    READER,
    K,
    M,
    Run,
)
from demo.limits import cpu_seconds, peak_memory
from demo.market_watch import MarketWatch
from demo.slot_offer import COLLATERAL, DURATION_SECONDS, PRICE, offer_slot
from demo.steps import rate_text
from quire.base.errors import DeadlineExceeded, IntegrityError
from quire.base.units import format_duration, format_size
from quire.chain.abi import address_text, parse_id, slot_id
from quire.chain.values import SlotState
from quire.faces.sdk import Client as Sdk

LOOK_SECONDS = 0.3
CODING_MOST = 1_000_000_000  # tokens that the client would pay for the coding
FILL_SECONDS, SETTLE_SECONDS, PERIODS = 300.0, 60.0, 3


async def fund(run: Run) -> None:
    """Deposits at the hub, a bond behind the submissions, space on offer."""
    run.suspects = (CLIENT, HONEST, *HOSTS)
    await asyncio.gather(
        *(run.command(name, "channels", "deposit", str(DEPOSIT)) for name in (CLIENT, *HOSTS)),
        run.command(HONEST, "bond", "deposit", str(BOND_DEPOSIT)),
    )
    for name in HOSTS:
        await offer_slot(run.nodes[name], run.slot_size)
    run.steps.done(
        "all",
        f"client and hosts have deposits at the hub, {HONEST} a bond of {BOND_DEPOSIT:,} tokens",
        f"hosts offer {format_size(run.slot_size)} each; they have no proving key",
    )


async def put(run: Run) -> None:
    run.suspects = (CLIENT,)
    began = time.perf_counter()
    ring = str(run.directory / "keyring")
    await run.command(CLIENT, "keyring", "new", "--keyring", ring)
    [stored] = await run.command(CLIENT, "put", str(run.file), "--keyring", ring)
    run.cap = stored["cap"]
    took = time.perf_counter() - began
    run.steps.done(
        CLIENT, "encrypted the file and put it on its own node", rate_text(run.size, took)
    )


async def buy(run: Run, console: Console, watch: MarketWatch) -> None:
    """Coded by whoever is cheapest, checked, coded by the next one, and asked for on the chain."""
    run.suspects = (CLIENT, *AGGREGATORS)
    node = run.nodes[CLIENT]
    began, cpu = time.perf_counter(), cpu_seconds(node.pid)
    asking = asyncio.create_task(
        run.command(
            CLIENT, "request", run.cap, "--via", "auto", "--max-coding", str(CODING_MOST), "--yes",
            "--for", f"{DURATION_SECONDS}s", "--price", str(PRICE),
            "--collateral", str(COLLATERAL), "--nodes", str(K + M), "--tolerance", str(M),
            "--proof-probability", "1", "--expiry", "900s",
        )
    )  # fmt: skip
    told: dict[str, None] = {}
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while not asking.done():
            await _tell(run, told, live)
            await asyncio.wait([asking], timeout=LOOK_SECONDS)
    [purchase] = asking.result()
    run.bought, run.request_id = purchase["cap"], parse_id(purchase["requestId"])
    watch.watch([slot_id(run.request_id, index) for index in range(K + M)])
    await _tell(run, told, None)
    by_name = {run.names[order["peer"]]: order for order in run.orders}
    cheated, good = by_name[CHEAT], by_name[HONEST]
    if cheated["state"] != "cheated" or int(cheated["paid"]):
        raise IntegrityError(f"the cheat is {cheated['state']} and was paid {cheated['paid']}")
    if not good["checked"]:
        raise IntegrityError("the coding was not checked")
    took, used = time.perf_counter() - began, cpu_seconds(node.pid) - cpu
    run.steps.done(
        CLIENT,
        f"checked the coding of {HONEST}, paid it, and asked for {K + M} hosts",
        good["checked"],
        f"{format_duration(took)}; its node used {used:.1f} CPU-seconds",
    )


async def _tell(run: Run, told: dict[str, None], live: Live | None) -> None:
    async with run.api(CLIENT) as api:
        found = (await api.json("GET", "/jobs"))["orders"]
    run.orders = [order for order in found if order["service"] == "encode"]
    for order in run.orders:
        name = run.names[order["peer"]]
        if order["state"] == "cheated" and order["jobId"] not in told:
            told[order["jobId"]] = None
            run.steps.done(CLIENT, f"caught {name}, which gets nothing", order["why"])
    if live is not None and run.orders:
        last = run.orders[-1]
        name = run.names[last["peer"]]
        live.update(Text(f"        {name}: {last['state']}: {last['words']}", "dim"), refresh=True)


async def fill(run: Run, watch: MarketWatch) -> None:
    """Hosts take the slots from the aggregator, and prove them through it."""
    run.suspects = (*HOSTS, HONEST)
    count = K + M
    what = f"{count} slots are filled"
    await watch.until(lambda: watch.in_state(SlotState.FILLED) == count, what, FILL_SECONDS)
    await watch.until(lambda: watch.is_started, "the request is started", FILL_SECONDS)
    proofs = await _orders_of_hosts(run, "prove")
    run.steps.done(
        "hosts",
        f"took the slots from {HONEST} and filled them; the contract has started",
        f"first proofs: {len(proofs)} made by {HONEST}, verified by who ordered them",
    )


async def settle_coding(run: Run) -> None:
    """Hosts have the blocks: the aggregator gets the rest, and the client may leave."""
    run.suspects = (CLIENT, HONEST)
    deadline = time.perf_counter() + SETTLE_SECONDS
    while True:
        await _tell(run, {order["jobId"]: None for order in run.orders}, None)
        good = next(o for o in run.orders if run.names[o["peer"]] == HONEST)
        if good["state"] == "settled":
            break
        if time.perf_counter() > deadline:
            raise DeadlineExceeded(f"the rest was not paid: {good['words']}")
        await asyncio.sleep(LOOK_SECONDS)
    node = run.nodes[CLIENT]
    memory, used = peak_memory(node.pid), cpu_seconds(node.pid)
    if not run.machine.groups and memory > run.machine.memory:
        raise IntegrityError(f"the client's node had {format_size(memory)} of memory")
    await run.machine.let_go()
    await asyncio.to_thread(node.stop)
    run.steps.done(
        CLIENT,
        f"paid the rest, {int(good['price']):,} tokens in all, and left",
        f"its node used {used:.1f} CPU-seconds in all; {format_size(memory)} were resident at most,"
        " programs and libraries included",
    )


async def prove(run: Run, watch: MarketWatch) -> None:
    """Periods in which proofs are made and submitted by the aggregator."""
    run.suspects = (*HOSTS, HONEST)
    first = watch.period + 1

    def passed() -> list[int]:
        return [p for p in range(first, watch.period) if watch.proved_in(p)]

    period = run.market.observer.terms.period
    what = f"{PERIODS} periods with proofs pass"
    await watch.until(lambda: len(passed()) >= PERIODS, what, period * (PERIODS + 5))
    if watch.overdue:
        raise IntegrityError(f"{len(watch.overdue)} proofs were late")
    submitted = await _orders_of_hosts(run, "submit")
    settled = [order for order in submitted if order["state"] == "settled"]
    if not settled:
        raise IntegrityError(f"{HONEST} has submitted nothing")
    transactions = {order["result"]["transaction"] for order in settled if order["result"]}
    proofs = [proof for proof in watch.proofs if proof.period >= first]
    run.steps.done(
        HONEST,
        f"made and submitted the proofs of {len(passed())} periods, none was late",
        f"{len(settled)} proofs in {len(transactions)} transactions of its own",
        f"{len(proofs)} proofs in the chain, the latest {max(p.after for p in proofs)} s into its"
        f" period of {period} s",
    )


async def _orders_of_hosts(run: Run, service: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in HOSTS:
        async with run.api(name) as api:
            orders = (await api.json("GET", "/jobs"))["orders"]
        found += [order for order in orders if order["service"] == service]
    return found


async def read(run: Run) -> None:
    """By the capability alone, from the hosts."""
    run.suspects = (READER, *HOSTS)
    await run.start(READER, HOSTS[0])
    digest, began = hashlib.sha256(), time.perf_counter()
    async with Sdk(run.nodes[READER].api) as sdk:
        async for piece in sdk.get(run.bought):
            digest.update(piece)
    if digest.hexdigest() != run.expected:
        raise IntegrityError(f"what was read has SHA-256 {digest.hexdigest()}")
    took = time.perf_counter() - began
    run.steps.done(
        READER, "read the file by its capability: the same bytes", rate_text(run.size, took)
    )


async def earned(run: Run) -> dict[str, int]:
    """What vouchers promise each aggregator, by the books of those who pay, and by its own."""
    found = dict.fromkeys(AGGREGATORS, 0)
    for name in AGGREGATORS:
        async with run.api(name) as api:
            earning = (await api.json("GET", "/channels"))["earning"]
        found[name] = sum(int(each["received"]) for each in earning)
    return found


async def settle(run: Run) -> dict[str, int]:
    """Who was paid what. Raises IntegrityError when it is not as it must be."""
    run.suspects = AGGREGATORS
    received = await earned(run)
    promised = 0
    for name in HOSTS:
        async with run.api(name) as api:
            paid = (await api.json("GET", "/channels"))["paid"]
        account = address_text(run.market.account(HONEST)).lower()
        promised += sum(int(e["promised"]) for e in paid if e["payee"].lower() == account)
    coding = sum(int(order["paid"]) for order in run.orders)
    if received[CHEAT]:
        raise IntegrityError(f"the cheat has vouchers for {received[CHEAT]:,} tokens")
    if received[HONEST] > coding + promised:
        raise IntegrityError("the aggregator has more than was promised")
    run.steps.done(
        HONEST,
        f"earned {received[HONEST]:,} tokens; {CHEAT} nothing",
        f"{coding:,} for the coding, {promised:,} promised by hosts for proofs made and submitted",
    )
    return received
