"""The steps of the part with replicas, each of them waited for at the nodes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.retail_run import (
    CLIENT,
    COPIES,
    DIES_AFTER,
    GOOD,
    LIAR,
    MORTAL,
    PROVIDERS,
    READER,
    REFUSER,
    TERM_SECONDS,
    Run,
)
from demo.steps import rate_text
from quire.base.errors import DeadlineExceeded, IntegrityError
from quire.base.units import format_size
from quire.chain.abi import address_text
from quire.faces.replicas import Replicas
from quire.faces.sdk import Client as Sdk

LOOK_SECONDS = 0.2
UPLOAD_SECONDS = 180.0
AWAY_SECONDS = 5.0
STEADY_SECONDS = 2.0
COLOURS = {"SIGNED": "green", "FAILED": "red", "SENDING_DATA": "yellow"}


async def put(run: Run) -> None:
    """The file encrypted by the command line, and replicas ordered."""
    run.suspects = (CLIENT,)
    ring = str(run.directory / "keyring")
    await run.command(CLIENT, "keyring", "new", "--keyring", ring)
    [told] = await run.command(CLIENT, "keyring", "phrase", "--keyring", ring)
    run.phrase = told["phrase"]
    terms = ("--retail", "--copies", str(COPIES), "--for", f"{TERM_SECONDS}s")
    began = time.perf_counter()
    [stored] = await run.command(CLIENT, "put", str(run.file), *terms, "--keyring", ring)
    run.cap, run.upload = stored["cap"], stored["upload"]
    took = time.perf_counter() - began
    run.steps.done(
        CLIENT,
        f"encrypted the file, and ordered {COPIES} replicas for a day",
        rate_text(run.size, took),
        f"it becomes {format_size(run.upload['size'])} of ciphertext; the capability stays here",
    )


async def keep(run: Run, console: Console) -> None:
    """Until every replica is signed and paid, through a refusal, a lie and a death."""
    run.suspects = (CLIENT, *PROVIDERS)
    began = time.perf_counter()
    with Live(console=console, transient=True, auto_refresh=False) as live:
        returning = asyncio.create_task(_comes_back(run))
        try:
            async with run.api(CLIENT) as api:
                while True:
                    run.upload = await Replicas(api).status(run.upload["id"])
                    live.update(_table(run), refresh=True)
                    if run.upload["state"] == "UPLOADED":
                        break
                    if time.perf_counter() - began > UPLOAD_SECONDS:
                        raise DeadlineExceeded(f"the upload hangs: {run.upload['words']}")
                    await asyncio.sleep(LOOK_SECONDS)
            await returning
        finally:
            returning.cancel()
            await asyncio.gather(returning, return_exceptions=True)
    took = time.perf_counter() - began
    signed = [link for link in run.upload["links"] if link["state"] == "SIGNED"]
    chunks = {link["chunk"] for link in signed}
    if len(signed) != COPIES * len(chunks):
        raise IntegrityError(f"{len(signed)} replicas are signed for {len(chunks)} chunks")
    for name in (REFUSER, LIAR):
        _tell_failed(run, name)
    run.steps.done(
        CLIENT,
        f"all {len(signed)} replicas of {len(chunks)} chunks are signed for and paid",
        f"{rate_text(run.upload['sentBytes'], took)} of sealed blocks",
        f"{int(run.upload['paid']):,} tokens by vouchers, none of them to who failed",
    )


async def _comes_back(run: Run) -> None:
    """The provider that dies while it is sent to is started again with its disk."""
    node = run.nodes[MORTAL]
    await asyncio.to_thread(node.until_ended)
    before = run.took(MORTAL)
    run.steps.done(MORTAL, f"died when it had {DIES_AFTER} blocks of a replica")
    await asyncio.sleep(AWAY_SECONDS)
    await run.start(MORTAL, CLIENT, lies="counts")
    async with run.api(CLIENT) as api:
        while True:
            links = (await Replicas(api).status(run.upload["id"]))["links"]
            ours = [link for link in links if link["peer"] == node.peer_id]
            if ours and all(link["state"] == "SIGNED" for link in ours):
                break
            await asyncio.sleep(LOOK_SECONDS)
    after, blocks = run.took(MORTAL), sum(link["blocks"] for link in ours)
    had, sent = sum(before.values()), sum(after.values())
    run.steps.done(
        MORTAL,
        f"came back {AWAY_SECONDS:.0f} s later and was sent what it lacked",
        f"{had} blocks before, {sent - had} after: {sent - blocks} of {blocks} twice",
    )


def _tell_failed(run: Run, name: str) -> None:
    peer = run.nodes[name].peer_id
    words = [link["words"] for link in run.upload["links"] if link["peer"] == peer]
    if words:
        run.steps.done(name, f"{len(words)} links failed, others took over", words[0])


def _table(run: Run) -> Table:
    table = Table("chunk", "provider", "state", "blocks", box=None, padding=(0, 1))
    table.title = f"        {run.upload['words']}"
    table.title_justify = "left"
    for link in sorted(run.upload["links"], key=lambda each: each["chunk"]):
        state = Text(link["state"].lower().replace("_", " "), COLOURS.get(link["state"], "dim"))
        blocks = f"{link['ackedBlocks']}/{link['blocks']}"
        table.add_row(str(link["chunk"]), run.names[link["peer"]], state, blocks)
    return table


async def client_leaves(run: Run) -> None:
    """Its catalogue is backed up; then process and data are gone."""
    run.suspects = (CLIENT,)
    ring = str(run.directory / "keyring")
    [backup] = await run.command(CLIENT, "backup", "--keyring", ring)
    run.promised = await promised(run, CLIENT)
    for name in PROVIDERS:
        run.billed[name] = await _earning(run, name, CLIENT, "billed")
    await asyncio.to_thread(run.nodes[CLIENT].stop)
    await asyncio.to_thread(shutil.rmtree, run.nodes[CLIENT].data_dir)
    for path in (Path(ring), Path(f"{ring}.catalogue")):
        path.unlink()
    run.steps.done(
        CLIENT,
        "left: process, data and key ring are gone; 24 words are kept on paper",
        f"{backup['peersKeeping']} peers keep its encrypted catalogue",
    )


async def promised(run: Run, payer: str) -> dict[str, int]:
    """What vouchers of a node promise each provider."""
    async with run.api(payer) as api:
        paid = {
            each["payee"].lower(): each for each in (await api.json("GET", "/channels"))["paid"]
        }
    accounts = {name: address_text(run.market.account(name)).lower() for name in PROVIDERS}
    return {
        name: int(paid[account]["promised"]) if account in paid else 0
        for name, account in accounts.items()
    }


async def _earning(run: Run, name: str, payer: str, what: str) -> int:
    """What a provider's books say of a payer."""
    account = address_text(run.market.account(payer)).lower()
    async with run.api(name) as api:
        earning = (await api.json("GET", "/channels"))["earning"]
    return sum(int(each[what]) for each in earning if each["payer"].lower() == account)


async def restore(run: Run) -> None:
    """On a machine that knows nothing: the catalogue from the words, and so the capability."""
    run.suspects = (READER,)
    words = run.directory / "words"
    words.touch(0o600)
    words.write_text(run.phrase)
    ring = str(run.directory / "restored")
    await run.command(READER, "restore", "--phrase-file", str(words), "--keyring", ring)
    [listed] = await run.command(READER, "keyring", "list", "--caps", "--keyring", ring)
    [entry] = listed["entries"]
    if entry["cap"] != run.cap:
        raise IntegrityError("the restored catalogue has another capability")
    run.steps.done(READER, f"found the capability of {entry['name']} by the 24 words alone")


async def read(run: Run) -> None:
    """By the capability alone, while one of the providers that it is read from dies."""
    run.suspects = (READER,)
    digest, count, began = hashlib.sha256(), 0, time.perf_counter()
    async with Sdk(run.nodes[READER].api) as sdk:
        with run.steps.bar() as bar:
            task = bar.add_task("read", total=run.size)
            async for piece in sdk.get(run.cap):
                digest.update(piece)
                count += len(piece)
                bar.update(task, completed=count)
                if not run.killed_reading and count > run.size // 4:
                    run.killed_reading = await _busiest(run)
                    await asyncio.to_thread(run.nodes[run.killed_reading].kill)
    took = time.perf_counter() - began
    if digest.hexdigest() != run.expected:
        raise IntegrityError(f"what was read has SHA-256 {digest.hexdigest()}")
    run.steps.done(
        READER,
        f"read the file; {run.killed_reading} was killed when a quarter was there",
        rate_text(count, took),
        f"SHA-256 {run.expected}",
    )


async def _busiest(run: Run) -> str:
    """Of the good providers, who has served most."""
    served = {}
    for name in GOOD:
        async with run.api(name) as api:
            served[name] = int((await api.json("GET", "/leases"))["readBytes"])
    return max(served, key=lambda name: served[name])


async def scan(run: Run, file: Path) -> None:
    """No 32 bytes of the file are on any provider's disk."""
    run.suspects = PROVIDERS
    disks = [str(run.nodes[name].data_dir) for name in PROVIDERS]
    cores = os.cpu_count() or 1
    parts = [disks[first::cores] for first in range(min(cores, len(disks)))]
    size = sum(await asyncio.gather(*(_scan(file, part) for part in parts)))
    run.steps.done("disks", f"{format_size(size)} at five providers hold no 32 bytes of the file")


async def _scan(file: Path, disks: list[str]) -> int:
    """Bytes that were looked at. Raises IntegrityError when any are the file's."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo.scan", str(file), *disks, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise IntegrityError(f"plaintext is on a disk: {out.decode()[:500]}")
    return int(out.split()[-1])


async def claim(run: Run) -> None:
    """The one that was killed is back; everybody claims what was promised."""
    run.suspects = PROVIDERS
    await run.start(run.killed_reading, MORTAL)
    run.read_promised = await _until_steady(run)
    for name in PROVIDERS:
        run.read_received[name] = await _earning(run, name, READER, "received")
        async with run.api(name) as api:
            run.claimed[name] = int((await api.json("POST", "/channels/claim"))["claimed"])
    claims = Counter({name: tokens for name, tokens in run.claimed.items() if tokens})
    run.steps.done("chain", f"{len(claims)} providers claimed {sum(claims.values()):,} tokens")


async def _until_steady(run: Run) -> dict[str, int]:
    """What the reader promised, once it promises no more."""
    found: dict[str, Any] = {}
    while found != (now := await promised(run, READER)):
        found = now
        await asyncio.sleep(STEADY_SECONDS)
    return found
