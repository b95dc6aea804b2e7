"""quire protect, quire slots: datasets in slots that prove themselves."""

from __future__ import annotations

from typing import Any

import click

from quire.base.errors import InputError
from quire.base.units import format_size
from quire.faces.cli.common import (
    Duration,
    dataset_and_cap,
    dataset_of,
    json_option,
    show_json,
    with_client,
)
from quire.faces.cli.jobs import watch
from quire.faces.cli.main import Context
from quire.faces.cli.sales import show_sold_slots
from quire.faces.client import Client, error_of_job
from quire.formats.cid import Cid

ENDED = ("complete", "failed", "cancelled", "interrupted")


@click.command()
@click.argument("cid")
@click.option("-k", "k", type=int, help="Data rows: any K of the K + M slots give the data back.")
@click.option("-m", "m", type=int, help="Parity rows: so many slots may be lost.")
@click.option("--for", "seconds", type=Duration(), help="How long the result is kept.")
@click.option("--no-wait", is_flag=True, help="Return at once; the node goes on.")
@click.option("--cancel", is_flag=True, help="Stop it, and leave nothing of it.")
@json_option
@click.pass_obj
def protect_command(
    context: Context,
    cid: str,
    k: int | None,
    m: int | None,
    seconds: float | None,
    no_wait: bool,
    cancel: bool,
    as_json: bool,
) -> None:
    """Protect the dataset CID with K data and M parity rows, each of them a slot that can be
    proved. Asked again, it goes on where it was interrupted. Prints the CID of the result, or for a
    capability the one for the result."""
    dataset, cap = dataset_and_cap(context, cid)
    path = f"/datasets/{dataset}/protect"
    if cancel:
        with_client(context, lambda client: client.json("DELETE", _query(path, k=k, m=m)))
        if as_json:
            show_json({"cid": str(dataset), "state": "cancelled"})
        return
    if k is None or m is None:
        raise InputError("how many rows? -k 4 -m 2 survives the loss of any 2 of 6 slots")
    keep = None if seconds is None else f"{seconds:.6f}"

    async def protect(client: Client) -> dict[str, Any]:
        job: dict[str, Any] = await client.json("POST", _query(path, k=k, m=m, **{"for": keep}))
        if no_wait:
            return job
        return await watch(client, _query(path, k=k, m=m), "protect", ended=ENDED, is_quiet=as_json)

    job = with_client(context, protect)
    if job["error"] is not None:
        raise error_of_job(job["error"])
    if no_wait:
        _show_job(job, as_json)
        return
    if job["result"] is None:
        raise InputError(f"protecting ended: {job['reason']}")
    made = job["result"]
    named = made["cid"] if cap is None else cap.at(Cid.parse(made["cid"])).text
    if as_json:
        show_json(made if cap is None else made | {"cap": named})
    else:
        click.echo(named)


@click.command()
@click.argument("cid", required=False)
@json_option
@click.pass_obj
def slots_command(context: Context, cid: str | None, as_json: bool) -> None:
    """Show the slots of the verifiable dataset CID, and what of each is on this node. Without a
    CID: the slots that this node holds for others and is paid for."""
    if cid is None:
        show_sold_slots(context, as_json)
        return
    path = f"/datasets/{dataset_of(context, cid)}/slots"
    found = with_client(context, lambda client: client.json("GET", path))
    if as_json:
        show_json(found)
        return
    click.echo(
        f"{found['k']} data and {found['m']} parity slots of {format_size(found['slotSize'])}; "
        f"any {found['k']} of them give {format_size(found['originalSize'])} back"
    )
    click.echo(f"tree    {found['treeCid']}")
    click.echo(f"verify  {found['verifyRoot']}")
    for slot in found["slots"]:
        tree = "" if slot["tree"] else "  no slot tree"
        click.echo(
            f"{slot['index']:>3}  {slot['kind']:<6}  {slot['root']}  "
            f"{slot['presentBlocks']}/{slot['blocks']}{tree}"
        )


def _show_job(job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(job)
    else:
        click.echo(f"{job['state']}: {job['reason']}")


def _query(path: str, **values: object) -> str:
    given = "&".join(f"{name}={value}" for name, value in values.items() if value is not None)
    return f"{path}?{given}" if given else path
