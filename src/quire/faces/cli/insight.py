"""quire why, peers, id, events: the node explains itself."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

import click

from quire.base.errors import Busy, NotFound
from quire.base.units import format_size
from quire.faces.cli.common import dataset_of, json_option, show_json, with_client
from quire.faces.cli.main import Context
from quire.faces.client import Client

ID = re.compile("[0-9a-fA-F]{32}")  # of an order, a job, a link or an upload
ACCOUNT_LETTERS = 42  # 0x and 40 digits


@click.command()
@click.argument("cid", metavar="CID|CAP")
@json_option
@click.pass_obj
def why_command(context: Context, cid: str, as_json: bool) -> None:
    """Explain CID, or what a capability names: is it here, who has it, how its replicas at
    providers stand, what is being waited for, what happened. Or the 0x id of a storage request or
    slot, or the 32 digits of a link or upload, or of an order or job of an aggregator: how it goes,
    what is waited for until when, what happened. Or the 0x account at the other end of a payment
    channel."""
    if cid[:2] in ("0x", "0X") and len(cid) == ACCOUNT_LETTERS:
        path = f"/channels/{cid}/why"
    elif cid[:2] in ("0x", "0X"):
        path = f"/contracts/{cid}/why"
    elif ID.fullmatch(cid):
        path = f"/links/{cid}/why"
    else:
        path = f"/datasets/{dataset_of(context, cid)}/why"

    async def explained(client: Client) -> dict[str, Any]:
        if ID.fullmatch(cid):
            with suppress(NotFound, Busy):  # no order and no job; or no hub to have any
                return cast(dict[str, Any], await client.json("GET", f"/jobs/{cid}/why"))
        return cast(dict[str, Any], await client.json("GET", path))

    found = with_client(context, explained)
    if as_json:
        show_json(found)
        return
    for sentence in found["sentences"]:
        click.echo(sentence)


@click.command()
@json_option
@click.pass_obj
def peers_command(context: Context, as_json: bool) -> None:
    """List the peers of the node, and the bytes exchanged with each since the node started."""
    found = with_client(context, lambda client: client.json("GET", "/peers"))
    if as_json:
        show_json(found)
        return
    for peer in found["peers"]:
        way = "to" if peer["outgoing"] else "from"
        where = f"{way:<4} {peer['address']}  {peer['agent']}".rstrip()
        click.echo(f"{peer['peerId']}  {where}  {_moved(peer)}")
    for wanted in found["wanted"]:
        if wanted["state"] != "connected":
            click.echo(f"{wanted['peerId']}  {wanted['state']}: {wanted['reason']}".rstrip(": "))
    for past in found["past"]:
        click.echo(f"{past['peerId']}  left  {_moved(past)}")
    for banned in found["banned"]:
        click.echo(f"{banned['peerId']}  banned: {banned['reason']}")
    if not found["peers"]:
        click.echo("connected to nobody", err=True)


def _moved(peer: dict[str, Any]) -> str:
    sent, received = format_size(peer["sentBytes"]), format_size(peer["receivedBytes"])
    return f"sent {sent}, received {received}"


@click.command()
@json_option
@click.pass_obj
def id_command(context: Context, as_json: bool) -> None:
    """Print the peer id, the addresses and the signed record (spr:) of the node. An address or the
    record is what another node takes as --bootstrap."""
    found = with_client(context, lambda client: client.json("GET", "/status"))
    if as_json:
        show_json({name: found[name] for name in ("peerId", "addresses", "spr")})
        return
    click.echo(found["peerId"])
    for address in found["addresses"]:
        click.echo(address)
    if found["spr"]:
        click.echo(found["spr"])


@click.command()
@click.option("--subject", help="Only events about this CID or peer.")
@json_option
@click.pass_obj
def events_command(context: Context, subject: str | None, as_json: bool) -> None:
    """Follow what happens in the node; ends with Ctrl-C."""

    async def follow(client: Client) -> None:
        async for event in client.events(subject=subject):
            if as_json:
                show_json(event)
                continue
            at = datetime.fromtimestamp(event["at"], UTC).strftime("%H:%M:%S")
            facts = " ".join(f"{k}={json.dumps(v)}" for k, v in event["facts"].items())
            click.echo(f"{at} {event['kind']:<20} {event['message']} {facts}".rstrip())

    with_client(context, follow)
