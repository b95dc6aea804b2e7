"""quire jobs: what this node has ordered of aggregators, and what it does for others."""

from __future__ import annotations

from typing import Any

import click

from quire.base.errors import InputError
from quire.base.units import format_time
from quire.faces.cli.common import json_option, show_json, with_client
from quire.faces.cli.following import follow, show_rows, waits_of
from quire.faces.cli.main import Context

EXIT_NOT_DONE = 1  # watched until it ended, and it did not end done and paid
DONE = "settled"


@click.command()
@click.argument("words", nargs=-1, metavar="[ID | cancel ID | settle ID]")
@click.option("--watch", is_flag=True, help="Follow the one with this ID until its end.")
@json_option
@click.pass_obj
def jobs_command(context: Context, words: tuple[str, ...], watch: bool, as_json: bool) -> None:
    """List what this node has ordered of aggregators and the jobs that it does for others, or show
    the one with this ID: its price, what was checked, what was paid, what happened. `cancel ID`
    ends an order whose result was not accepted yet: nothing is paid for it. `settle ID` says that
    coded blocks need not be served any more, and pays the rest if they still are. With --watch the
    exit code tells how it ended: 0 done and paid, 1 anything else."""
    match words:
        case ():
            _list(context, as_json)
        case ("cancel", job_id):
            with_client(context, lambda client: client.json("DELETE", f"/jobs/{job_id}"))
            if as_json:
                show_json({"jobId": job_id, "state": "cancelled"})
            else:
                click.echo(f"cancelled {job_id}", err=True)
        case ("settle", job_id):
            with_client(context, lambda client: client.json("POST", f"/jobs/{job_id}/settle"))
            _one(context, job_id, True, as_json)
        case (job_id,):
            _one(context, job_id, watch, as_json)
        case _:
            raise InputError("say nothing, or an ID, or: cancel ID, settle ID")


def watch_job(
    context: Context, job_id: str, *, until: tuple[str, ...] = (), is_quiet: bool
) -> dict[str, Any]:
    """Tell each change on standard error, until it is in one of the states or ended."""
    path = f"/jobs/{job_id}"
    return follow(context, lambda client: client.json("GET", path), until=until, is_quiet=is_quiet)


def show_job(found: dict[str, Any]) -> None:
    """One order or job, whole."""
    other = "aggregator" if found["side"] == "order" else "customer"
    rows = [
        (found["side"], found["jobId"]),
        ("work", found["work"]),
        ("state", found["state"]),
        ("", found["words"]),
        (other[:8], found["peer"]),
        ("account", found["account"]),
        ("price", _price(found)),
    ]
    if found["checked"]:
        rows.append(("checked", found["checked"]))
    if found["result"] is not None:
        rows += [("result", text) for text in found["result"].values() if text]
    if not found["ended"]:
        rows.append(("due", format_time(found["deadline"])))
    show_rows(rows + waits_of(found), found["history"])


def _one(context: Context, job_id: str, is_watched: bool, as_json: bool) -> None:
    if is_watched:
        found = watch_job(context, job_id, is_quiet=as_json)
    else:
        found = with_client(context, lambda client: client.json("GET", f"/jobs/{job_id}"))
    if as_json:
        show_json(found)
    else:
        show_job(found)
    if is_watched and found["state"] != DONE:
        raise click.exceptions.Exit(EXIT_NOT_DONE)


def _list(context: Context, as_json: bool) -> None:
    found = with_client(context, lambda client: client.json("GET", "/jobs"))
    if as_json:
        show_json(found)
        return
    for name, title in (("orders", "ordered of aggregators:"), ("jobs", "done for others:")):
        if found[name]:
            click.echo(title)
        for each in found[name]:
            told = f"{each['state']:<10} {_price(each)}  {each['words']}"
            click.echo(f"{each['jobId']}  {each['service']:<7} {told}")
    if not found["orders"] and not found["jobs"]:
        click.echo("nothing is ordered, and nothing done for others", err=True)


def _price(found: dict[str, Any]) -> str:
    return f"{int(found['paid']):,} of {int(found['price']):,} tokens paid"
