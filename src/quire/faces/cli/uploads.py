"""quire uploads: files kept as sealed replicas at providers, how they go, and until when."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import click

from quire.base.units import format_size, format_time
from quire.faces.cli.common import Duration, json_option, show_json, with_client
from quire.faces.cli.following import POLL_SECONDS, show_rows
from quire.faces.cli.main import Context
from quire.faces.client import Client
from quire.faces.replicas import Replicas

EXIT_NOT_KEPT = 1  # watched until it came to an end that is not UPLOADED
_RESTS = ("UPLOADED", "RELEASED")


@click.command()
@click.argument("upload_id", metavar="[ID]", required=False)
@click.option("--watch", is_flag=True, help="Follow until every replica is signed for.")
@json_option
@click.pass_obj
def uploads_command(context: Context, upload_id: str | None, watch: bool, as_json: bool) -> None:
    """List the files that this node keeps as sealed replicas, or show the one with this ID, link by
    link. With --watch each step is told, of the newest one if no ID is given."""
    found = with_client(context, lambda client: Replicas(client).every())
    if upload_id is None and watch and found:
        upload_id = str(found[-1]["id"])
    if upload_id is None:
        if as_json:
            show_json(found)
        else:
            _show_list(found)
        return
    wanted = upload_id
    if watch:
        upload = watch_upload(context, wanted, is_quiet=as_json)
    else:
        upload = with_client(context, lambda client: Replicas(client).status(wanted))
    if as_json:
        show_json(upload)
    else:
        show_upload(upload)
    if watch and upload["state"] != "UPLOADED":
        raise click.exceptions.Exit(EXIT_NOT_KEPT)


@click.command()
@click.argument("upload_id", metavar="ID")
@click.option("--for", "more", type=Duration(), help="How much longer; by default another term.")
@json_option
@click.pass_obj
def renew_command(context: Context, upload_id: str, more: float | None, as_json: bool) -> None:
    """Keep the replicas of the upload with this ID for longer."""
    seconds = None if more is None else int(more)
    upload = with_client(context, lambda client: Replicas(client).renew(upload_id, seconds))
    if as_json:
        show_json(upload)
    else:
        click.echo(
            f"kept until {format_time(upload['expiresAt'])} and renewed from now on", err=True
        )


@click.command()
@click.argument("upload_id", metavar="ID")
@json_option
@click.pass_obj
def release_command(context: Context, upload_id: str, as_json: bool) -> None:
    """Let providers drop the replicas of the upload with this ID; they are paid no more."""
    with_client(context, lambda client: Replicas(client).release(upload_id))
    if as_json:
        show_json({"id": upload_id, "state": "RELEASED"})
    else:
        click.echo(f"released {upload_id}", err=True)


def watch_upload(context: Context, upload_id: str, *, is_quiet: bool) -> dict[str, Any]:
    """Tell each change of the file and of each link on standard error, until it is safe."""

    async def told_from(client: Client) -> dict[str, Any]:
        told: dict[str, str] = {}
        while True:
            upload = await Replicas(client).status(upload_id)
            for name, line in _lines(upload):
                if told.get(name) != line and not is_quiet:
                    click.echo(line, err=True)
                told[name] = line
            if upload["state"] in _RESTS:
                return upload
            await asyncio.sleep(POLL_SECONDS)

    return with_client(context, told_from)


def show_upload(upload: dict[str, Any]) -> None:
    """One file, whole."""
    rows = [
        ("upload", upload["id"]),
        ("state", upload["state"]),
        ("", upload["words"]),
        ("dataset", upload["cid"]),
        ("size", f"{format_size(upload['size'])}, {upload['redundancy']} replicas wanted"),
        ("until", format_time(upload["expiresAt"]) + (", renewed" if upload["autorenew"] else "")),
        ("paid", f"{int(upload['paid']):,} tokens"),
    ]
    rows += [("link", _link_line(link)) for link in upload["links"]]
    show_rows(rows, upload["history"])


def _show_list(uploads: list[dict[str, Any]]) -> None:
    for upload in uploads:
        until = format_time(upload["expiresAt"])
        click.echo(f"{upload['id']}  {upload['state']:<9}  {upload['cid']}  until {until}")
    if not uploads:
        click.echo("nothing is kept at providers; quire put --retail FILE does it", err=True)


def _lines(upload: dict[str, Any]) -> list[tuple[str, str]]:
    """What can be told of a file, each under its own name."""
    counts = Counter(link["state"] for link in upload["links"])
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    lines = [("", f"{upload['state']}: {upload['words']}" + (f" ({states})" if states else ""))]
    return lines + [(link["id"], _link_line(link)) for link in upload["links"]]


def _link_line(link: dict[str, Any]) -> str:
    trouble = f"; tried again: {link['trouble']}" if link["trouble"] else ""
    place = f"part {link['chunk']} at …{link['peer'][-8:]}"
    return f"{place}  {link['state']:<13}  {link['words']}{trouble}"
