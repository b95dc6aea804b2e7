"""quire fetch: have the node get a dataset, and watch."""

from __future__ import annotations

from typing import Any

import click

from quire.base.units import format_size
from quire.faces.cli.common import dataset_of, json_option, show_json, timeout_option, with_client
from quire.faces.cli.jobs import Job, watch
from quire.faces.cli.main import Context
from quire.faces.client import Client, error_of_job


@click.command()
@click.argument("cid")
@click.option("--no-wait", is_flag=True, help="Return at once; the node goes on.")
@click.option("--cancel", is_flag=True, help="Stop the fetch that runs.")
@timeout_option
@json_option
@click.pass_obj
def fetch_command(
    context: Context, cid: str, no_wait: bool, cancel: bool, timeout: float | None, as_json: bool
) -> None:
    """Fetch the dataset CID into the node."""
    dataset = dataset_of(context, cid)
    path = f"/datasets/{dataset}/fetch"
    if cancel:
        with_client(context, lambda client: client.json("DELETE", path))
        if as_json:
            show_json({"cid": str(dataset), "state": "cancelled"})
        return

    async def fetch(client: Client) -> dict[str, Any]:
        status = await client.json("POST", path, timeout_seconds=timeout)
        return (
            status if no_wait else await watch(client, path, "fetch", note=_note, is_quiet=as_json)
        )

    status = with_client(context, fetch)
    if status["error"] is not None:
        raise error_of_job(status["error"])
    if as_json:
        show_json(status)
    elif not no_wait:
        peers = ", ".join(f"{p[-8:]} {format_size(n)}" for p, n in status["peers"].items())
        click.echo(f"{status['state']}; {peers or 'it was here already'}", err=True)


def _note(status: Job) -> str:
    count = len(status["peers"])
    is_moving = status["rateBytesPerSecond"] > 0
    return f"{count} peer{'s' * (count != 1)}" if is_moving else status["reason"]
