"""The steps of Diagram B while the contract lasts, each of them waited for on the chain."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import Any

from demo.contract_run import CLIENT, HOSTS, SPARE, STRANGER, VALIDATOR, K, M, Run
from demo.market_watch import MarketWatch
from demo.slot_offer import COLLATERAL, DURATION_SECONDS, PRICE, offer_slot
from demo.steps import POLL_SECONDS, pieces, rate_text, sha256_of
from quire.base.errors import DeadlineExceeded, IntegrityError
from quire.base.units import format_size
from quire.chain.abi import id_text, parse_id, slot_id
from quire.chain.values import SlotState
from quire.faces.local_market import call

KILLED_SLOT = 1  # a slot of data
QUIET_PERIODS = 2
EXPIRY_SECONDS = 600
BUY_SECONDS = 60.0
FILL_SECONDS = 150.0
EVICT_PERIODS = 8  # some ask for no proof
REPAIR_SECONDS = 120.0
PAY_SECONDS = 60.0


async def buy(run: Run, watch: MarketWatch) -> None:
    """Steps 4 and 5: the file on the client's node, and paid for."""
    run.suspects = (CLIENT,)
    started = time.perf_counter()
    async with run.api(CLIENT) as client:
        plain = await client.put(
            pieces(run.file, lambda _: None), size=run.size, filename=run.file.name
        )
        took = time.perf_counter() - started
        run.steps.done(CLIENT, "stored the file on its own node", rate_text(run.size, took))
    body = {
        "duration": DURATION_SECONDS,
        "expiry": EXPIRY_SECONDS,
        "proofProbability": "1",
        "pricePerBytePerSecond": str(PRICE),
        "collateralPerByte": str(COLLATERAL),
        "nodes": K + M,
        "tolerance": M,
    }
    told = await call(run.nodes[CLIENT], "POST", f"/storage/request/{plain}", body)
    run.request_id = parse_id(told)
    purchase = await _submitted(run)
    ids = [slot_id(run.request_id, index) for index in range(K + M)]
    watch.watch(ids)
    request = await run.market.observer.request(run.request_id)
    run.ends_at = await run.market.observer.request_end(run.request_id)
    run.cid = purchase["request"]["content"]["cid"]
    run.steps.done(
        CLIENT,
        f"protected it {K} + {M} and asked for {K + M} hosts",
        f"request {id_text(run.request_id)}",
        f"{request.ask.max_price:,} tokens paid into the contract for {DURATION_SECONDS} s",
        f"dataset {run.cid}",
    )


async def _submitted(run: Run) -> dict[str, Any]:
    """The purchase, once it is in a block."""
    path = f"/storage/purchases/{id_text(run.request_id)}"
    deadline = time.monotonic() + BUY_SECONDS
    while (purchase := await call(run.nodes[CLIENT], "GET", path))["state"] == "pending":
        if time.monotonic() > deadline:
            raise DeadlineExceeded(f"the request was in no block in {BUY_SECONDS:.0f} s")
        await asyncio.sleep(POLL_SECONDS)
    return dict(purchase)


async def fill_slots(run: Run, watch: MarketWatch) -> None:
    """Steps 6 and 7: reserved, downloaded, proven, filled, started."""
    run.suspects = (*HOSTS, CLIENT)
    count = K + M
    what = f"{count} slots are reserved"
    await watch.until(lambda: len(watch.reserved) == count, what, FILL_SECONDS)
    run.steps.done("hosts", f"reserved the {count} slots")
    what = f"{count} slots are filled"
    await watch.until(lambda: watch.in_state(SlotState.FILLED) == count, what, FILL_SECONDS)
    await watch.until(lambda: watch.is_started, "the request is started", FILL_SECONDS)
    holders = ", ".join(f"{line.index} {run.name_of(line.host)}" for line in watch.slots)
    run.steps.done(
        "hosts",
        f"downloaded, proved and filled all {count}; the contract has started",
        f"slots: {holders}",
    )


async def client_leaves(run: Run) -> None:
    """Step 8: the client is not needed any more; a host without a slot offers room."""
    node = run.nodes[CLIENT]
    pid = node.pid
    await asyncio.to_thread(node.stop)
    run.suspects = (SPARE,)
    await offer_slot(run.nodes[SPARE], run.slot_size)
    run.steps.done(CLIENT, f"has left (process {pid}); from now on nobody looks after the file")


async def quiet_periods(run: Run, watch: MarketWatch) -> None:
    """Step 9: periods in which every host proves what it has."""
    run.suspects = HOSTS
    first = watch.period + 1

    def passed() -> list[int]:
        return [p for p in range(first, watch.period) if watch.proved_in(p)]

    seconds = run.market.observer.terms.period * (QUIET_PERIODS + 4)
    what = f"{QUIET_PERIODS} periods with proofs pass"
    await watch.until(lambda: len(passed()) >= QUIET_PERIODS, what, seconds)
    _no_proof_was_late(run, watch)
    proofs = [proof for proof in watch.proofs if proof.period >= first]
    latest = max(proof.after for proof in proofs)
    run.steps.done(
        "hosts",
        f"proved every slot that was asked for, {len(passed())} periods long",
        f"{len(proofs)} proofs, the latest {latest} s into its period of"
        f" {run.market.observer.terms.period} s",
    )


async def kill_host(run: Run, watch: MarketWatch) -> None:
    """Step 10: a host ends, and everything it had."""
    run.killed = run.name_of(watch.slots[KILLED_SLOT].host)
    node = run.nodes[run.killed]
    pid = node.pid
    await asyncio.to_thread(node.kill)
    await asyncio.to_thread(shutil.rmtree, node.data_dir)
    run.steps.done(
        run.killed,
        f"killed with SIGKILL (process {pid}) and its data deleted: slot {KILLED_SLOT} is lost",
    )


async def evict(run: Run, watch: MarketWatch) -> None:
    """Step 11: the validator marks what is missing; then the slot is free."""
    run.suspects = (VALIDATOR,)
    terms = run.market.observer.terms
    seconds = float(terms.period * EVICT_PERIODS)
    line = watch.slots[KILLED_SLOT]
    holder = run.market.account(run.killed)
    what = f"slot {KILLED_SLOT} is taken from {run.killed}"
    await watch.until(lambda: line.host != holder, what, seconds)
    run.steps.done(
        VALIDATOR,
        f"marked {terms.max_slashes} missed proofs; {run.killed} lost slot and collateral",
    )


async def repair(run: Run, watch: MarketWatch) -> None:
    """Step 12: another host makes that slot again, from the others."""
    run.suspects = (SPARE,)
    line = watch.slots[KILLED_SLOT]
    run.repairer = SPARE
    spare = run.market.account(SPARE)
    what = f"{SPARE} fills slot {KILLED_SLOT}"
    await watch.until(
        lambda: line.host == spare and line.state == SlotState.FILLED, what, REPAIR_SECONDS
    )
    async with run.api(SPARE) as node:
        space = await node.json("GET", "/space")
        peers = await node.json("GET", "/peers")
    kept = int(space["quotaUsedBytes"])
    received = sum(peer["receivedBytes"] for peer in [*peers["peers"], *peers["past"]])
    if kept > 1.5 * run.slot_size:
        raise IntegrityError(
            f"{SPARE} keeps {format_size(kept)}, more than the one slot of"
            f" {format_size(run.slot_size)} that it repaired"
        )
    run.steps.done(
        SPARE,
        f"rebuilt slot {KILLED_SLOT} and only it, proved it and filled it",
        f"{format_size(received)} read from the other hosts, {format_size(kept)} kept",
    )


async def read_file(run: Run) -> None:
    """Step 13: somebody who knows nothing but the CID."""
    others = [name for name in HOSTS if name != run.killed]
    run.suspects = (STRANGER, *others, SPARE)
    await run.start(STRANGER, [others[0]])
    started = time.perf_counter()
    target = run.directory / "read"
    async with run.api(STRANGER) as stranger, stranger.get(run.cid) as download:
        with target.open("wb") as file:
            async for piece in download.pieces():
                file.write(piece)
    took = time.perf_counter() - started
    digest = await asyncio.to_thread(sha256_of, target)
    if digest != run.expected:
        raise IntegrityError(f"the stranger got sha256 {digest}, not {run.expected}")
    run.steps.done(STRANGER, "downloaded the file: the same bytes", rate_text(run.size, took))


async def run_out(run: Run, watch: MarketWatch) -> None:
    """Step 14: the end of the contract; who kept a slot is paid without asking."""
    run.suspects = (*(name for name in HOSTS if name != run.killed), SPARE)
    _no_proof_was_late(run, watch)
    run.holders = {line.index: line.host for line in watch.slots if line.host}
    left = run.ends_at - watch.now
    await run.market.advance_to(run.ends_at + 1)
    run.steps.done("chain", f"moved on to the end of the contract, {left} s later")
    what = "every host that has a slot is paid"
    await watch.until(lambda: watch.in_state(SlotState.PAID) == K + M, what, PAY_SECONDS)
    run.steps.done("hosts", "took their collateral back and what they earned")


async def come_back(run: Run, watch: MarketWatch) -> None:
    """Step 15: the client comes back for what is left."""
    run.suspects = (CLIENT,)
    before = watch.balances[run.market.account(CLIENT)]
    await run.start(CLIENT, [SPARE])
    what = "the client has its remaining tokens back"
    await watch.until(
        lambda: watch.balances[run.market.account(CLIENT)] > before, what, PAY_SECONDS
    )
    after = watch.balances[run.market.account(CLIENT)]
    run.steps.done(CLIENT, f"came back and withdrew {after - before:,} tokens")


def _no_proof_was_late(run: Run, watch: MarketWatch) -> None:
    killed = run.market.account(run.killed) if run.killed else None
    late = [each for each in watch.overdue.values() if each.host != killed]
    if late:
        first = late[0]
        raise IntegrityError(
            f"{len(late)} proofs were late, the first of slot {first.slot} in period"
            f" {first.period} by {run.name_of(first.host)}"
        )
