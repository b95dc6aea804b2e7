"""quire slot: take one slot of a protected dataset, look at it, give it up."""

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
from quire.formats.cid import Cid

ENDED = ("held", "failed", "cancelled", "damaged", "absent", "stored")

slot_option = click.option(
    "--slot", type=click.IntRange(min=0), required=True, help="Number of the slot, from 0."
)


@click.group()
def slot_command() -> None:
    """Take, show or drop one slot of a protected dataset."""


@slot_command.command("take")
@click.argument("cid")
@slot_option
@click.option("--for", "seconds", type=Duration(), help="How long it is held. For ever if not.")
@click.option("--no-wait", is_flag=True, help="Return at once; the node goes on.")
@timeout_option
@json_option
@click.pass_obj
def take_command(
    context: Context,
    cid: str,
    slot: int,
    seconds: float | None,
    no_wait: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Fetch a slot of CID, check it, and hold it. Asked again, it goes on where it broke off."""
    path = _path(dataset_of(context, cid), slot)
    query = "" if seconds is None else f"?for={seconds:.6f}"

    async def take(client: Client) -> dict[str, Any]:
        found = await client.json("POST", path + query, timeout_seconds=timeout)
        return (
            found if no_wait else await watch(client, path, "slot", ended=ENDED, is_quiet=as_json)
        )

    found = with_client(context, take)
    if found["error"] is not None:
        raise error_of_job(found["error"])
    if not no_wait and not found["held"]:
        raise Refused(f"slot {slot} is not held: {found['reason']}")
    _show(found, as_json)


@slot_command.command("show")
@click.argument("cid")
@slot_option
@json_option
@click.pass_obj
def show_command(context: Context, cid: str, slot: int, as_json: bool) -> None:
    """Show what the node has of a slot of CID."""
    path = _path(dataset_of(context, cid), slot)
    _show(with_client(context, lambda client: client.json("GET", path)), as_json)


@slot_command.command("drop")
@click.argument("cid")
@slot_option
@json_option
@click.pass_obj
def drop_command(context: Context, cid: str, slot: int, as_json: bool) -> None:
    """Hold a slot of CID no more; its blocks go unless something else keeps them."""
    dataset = dataset_of(context, cid)
    path = _path(dataset, slot)
    with_client(context, lambda client: client.json("DELETE", path))
    if as_json:
        show_json({"cid": str(dataset), "slot": slot, "held": False})


def _path(dataset: Cid, slot: int) -> str:
    return f"/datasets/{dataset}/slots/{slot}"


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    total = found["totalBytes"]
    size = "" if total is None else f"{format_size(found['verifiedBytes'])} of "
    size += "its size is not known yet" if total is None else format_size(total)
    click.echo(f"slot {found['slot']}  {found['state']}  {size}  {found['reason']}")
