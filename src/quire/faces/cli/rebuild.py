"""quire rebuild: compute lost slots of a protected dataset anew, and hold them."""

from __future__ import annotations

from typing import Any

import click

from quire.base.errors import Refused
from quire.base.units import format_size
from quire.faces.cli.common import (
    Duration,
    dataset_of,
    json_option,
    show_json,
    timeout_option,
    with_client,
)
from quire.faces.cli.jobs import watch
from quire.faces.cli.main import Context
from quire.faces.client import Client, error_of_job


@click.command()
@click.argument("cid")
@click.option(
    "--slot",
    "slots",
    type=click.IntRange(min=0),
    multiple=True,
    required=True,
    help="Number of a slot, from 0; given again for more, which cost no more reading.",
)
@click.option("--for", "seconds", type=Duration(), help="How long they are held. For ever if not.")
@click.option("--no-wait", is_flag=True, help="Return at once; the node goes on.")
@click.option("--cancel", is_flag=True, help="Stop it; what was computed is kept for a day.")
@timeout_option
@json_option
@click.pass_obj
def rebuild_command(
    context: Context,
    cid: str,
    slots: tuple[int, ...],
    seconds: float | None,
    no_wait: bool,
    cancel: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Rebuild lost slots of the protected dataset CID from the others, check them, hold them.
    Asked again, it goes on where it broke off."""
    dataset = dataset_of(context, cid)
    path = f"/datasets/{dataset}/slots/{slots[0]}/rebuild"
    if cancel:
        with_client(context, lambda client: client.json("DELETE", path))
        if as_json:
            show_json({"cid": str(dataset), "slots": list(slots), "state": "cancelled"})
        return
    query = "?with=" + ",".join(str(slot) for slot in slots[1:])
    query += "" if seconds is None else f"&for={seconds:.6f}"

    async def rebuild(client: Client) -> dict[str, Any]:
        job = await client.json("POST", path + query, timeout_seconds=timeout)
        return job if no_wait else await watch(client, path, "rebuild", is_quiet=as_json)

    job = with_client(context, rebuild)
    if job["error"] is not None:
        raise error_of_job(job["error"])
    if job["state"] == "cancelled":
        raise Refused(f"rebuilding ended: {job['reason']}")
    if as_json:
        show_json(job)
        return
    click.echo(
        f"{job['state']}  {format_size(job['verifiedBytes'])} in slots "
        f"{', '.join(str(slot) for slot in job['slots'])}; {job['readBlocks']} blocks read, "
        f"{job['remoteBlocks']} of them from other nodes, {job['writtenBlocks']} written"
    )
