"""quire leases: the sealed replicas that this node keeps for others, and who owes what."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from quire.base.units import format_size, format_time
from quire.faces.cli.common import json_option, show_json, with_client
from quire.faces.cli.following import POLL_SECONDS, follow, show_rows, waits_of
from quire.faces.cli.main import Context
from quire.faces.client import Client

EXIT_DELETED = 1  # watched until it ended


@click.command()
@click.argument("link", required=False)
@click.option("--watch", is_flag=True, help="Tell each change; of one LINK until its end.")
@json_option
@click.pass_obj
def leases_command(context: Context, link: str | None, watch: bool, as_json: bool) -> None:
    """List the sealed replicas that the node keeps for others: who has them, how much, until when,
    what is paid and what is due. Or show one LINK (32 hexadecimal digits) with its history."""
    if link is None:
        if watch:
            with_client(context, lambda client: _watch(client, as_json))
            return
        found = with_client(context, lambda client: client.json("GET", "/leases"))
        if as_json:
            show_json(found)
        else:
            _show_list(found)
        return
    wanted = f"/leases/{link}"
    if watch:
        lease = follow(context, lambda client: client.json("GET", wanted), is_quiet=as_json)
    else:
        lease = with_client(context, lambda client: client.json("GET", wanted))
    if as_json:
        show_json(lease)
    else:
        _show_lease(lease)
    if watch:
        raise click.exceptions.Exit(EXIT_DELETED)


async def _watch(client: Client, as_json: bool) -> None:
    """A line for each change, until it is interrupted."""
    told: dict[str, str] = {}
    while True:
        found = await client.json("GET", "/leases")
        for lease in found["leases"]:
            line = _line(lease)
            if told.get(lease["linkId"]) != line:
                told[lease["linkId"]] = line
                if as_json:
                    show_json(lease)
                else:
                    click.echo(line)
        await asyncio.sleep(POLL_SECONDS)


def _show_list(found: dict[str, Any]) -> None:
    for lease in found["leases"]:
        click.echo(_line(lease))
    if found["clients"]:
        click.echo("clients:")
    for client in found["clients"]:
        click.echo(
            f"    {client['client']}  {client['replicas']} replicas, "
            f"{format_size(client['bytes'])}  {client['words']}; paid "
            f"{int(client['received']):,} in all"
        )
    held, free = format_size(found["heldBytes"]), format_size(found["freeBytes"])
    read = format_size(found["readBytes"])
    click.echo(f"{held} are kept for others, {free} are free; {read} were read", err=True)


def _line(lease: dict[str, Any]) -> str:
    size = format_size(lease["sealedBytes"])
    return f"{lease['linkId']}  {lease['state']:<9}  {size:>9}  {lease['words']}"


def _show_lease(lease: dict[str, Any]) -> None:
    here = f"{lease['received']} of {lease['blocks']} blocks are here"
    rows = [
        ("link", lease["linkId"]),
        ("state", lease["state"]),
        ("", lease["words"]),
        ("client", lease["client"]),
        ("peer", lease["peer"]),
        ("size", f"{format_size(lease['sealedBytes'])}, {here}"),
        ("until", format_time(lease["expiresAt"])),
        ("price", f"{lease['priceByteSecond']} tokens a byte and second"),
    ]
    if bill := lease["nextBill"]:
        rows.append(("bill", f"{int(bill['amount']):,} tokens, due {format_time(bill['dueAt'])}"))
    if lease["treeCid"]:
        rows.append(("tree", lease["treeCid"]))
    show_rows(rows + waits_of(lease), lease["history"])
