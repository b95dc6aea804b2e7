"""quire fsck and quire scrub: is everything whole, and if not, what is lost?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from quire.base.errors import IntegrityError
from quire.base.units import format_size, format_time
from quire.faces.cli.common import json_option, show_json, with_client
from quire.faces.cli.main import Context
from quire.faces.cli.progress import Report, progress
from quire.faces.client import Client

POLL_SECONDS = 0.5
ENDED = ("done", "failed", "cancelled")


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Check this data directory, which no node uses now.")  # fmt: skip
@json_option
@click.pass_obj
def fsck_command(context: Context, data_dir: Path | None, as_json: bool) -> None:
    """Check index, counters, files and every block; repair what can be repaired."""
    with progress("checking", None, is_quiet=as_json) as report:
        if data_dir is None:
            found = with_client(context, lambda client: _online(client, report))
        else:
            found = asyncio.run(_offline(data_dir, report))
    if as_json:
        show_json(found)
    else:
        for line in found["words"]:
            click.echo(line)
    if not found["good"]:
        raise IntegrityError("not everything is whole; what is listed as lost was not found")


async def _online(client: Client, report: Report) -> dict[str, Any]:
    found: dict[str, Any] = await client.json("POST", "/fsck")
    while found["state"] not in ENDED:
        report(found["readBytes"], found["state"], total=found["totalBytes"])
        await asyncio.sleep(POLL_SECONDS)
        found = await client.json("GET", "/fsck")
    return found


async def _offline(data_dir: Path, report: Report) -> dict[str, Any]:
    from quire.base.clock import SystemClock
    from quire.base.events import EventBus
    from quire.services.fsck import Fsck, in_words
    from quire.store.files import DirectoryDisk
    from quire.store.open import open_store
    from quire.store.slot_files import SlotFiles

    clock = SystemClock()
    events = EventBus(clock)
    store = await open_store(
        data_dir / "store", quota_bytes=0, clock=clock, events=events, default_ttl=None
    )
    try:
        slots = data_dir / "slots"
        slot_files = SlotFiles(DirectoryDisk(slots), events) if slots.is_dir() else None
        fsck = Fsck(store, None, clock, events, slot_files)
        result = fsck.start()
        ending = asyncio.ensure_future(fsck.wait())
        while not ending.done():
            report(result.read_bytes, result.state, total=result.total_bytes)
            await asyncio.wait([ending], timeout=POLL_SECONDS)
    finally:
        await store.close()
    lost = [
        {"cid": each.cid, "filename": each.filename, "byteRanges": list(each.byte_ranges)}
        for each in result.lost
    ]
    return {
        "state": result.state,
        "good": result.is_good,
        "readBytes": result.read_bytes,
        "indexProblems": result.index_problems,
        "indexLeft": result.index_left,
        "damagedBlocks": result.damaged_blocks,
        "repairedBlocks": result.repaired_blocks,
        "droppedSlotTrees": result.dropped_slot_trees,
        "lost": lost,
        "words": in_words(result, format_size),
    }


@click.command()
@click.option("--now", is_flag=True, help="Begin a pass now.")
@json_option
@click.pass_obj
def scrub_command(context: Context, now: bool, as_json: bool) -> None:
    """Show how the slow search for damage goes."""
    method = "POST" if now else "GET"
    found = with_client(context, lambda client: client.json(method, "/scrub"))
    if as_json:
        show_json(found)
        return
    read, total = format_size(found["readBytes"]), format_size(found["totalBytes"])
    click.echo(f"state      {found['state']}")
    click.echo(f"this pass  {read} of {total}")
    click.echo(f"lost       {found['lostBlocks']} blocks since the store was made")
    for label, key in (("last pass", "lastEndedAt"), ("next pass", "nextAt")):
        if found[key] is not None:
            click.echo(f"{label}  {format_time(found[key])}")
