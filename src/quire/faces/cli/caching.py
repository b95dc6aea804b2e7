"""quire caching: what the node's cache earns, and what it pays for that of others."""

from __future__ import annotations

from typing import Any

import click

from quire.base.units import format_size
from quire.faces.cli.common import json_option, show_json, with_client
from quire.faces.cli.main import Context


@click.command()
@json_option
@click.pass_obj
def caching_command(context: Context, as_json: bool) -> None:
    """Show what the node's cache earned and what that of others cost, side by side, peer by peer:
    what was given, taken, sold and bought, and what is free today."""
    found = with_client(context, lambda client: client.json("GET", "/caching"))
    if as_json:
        show_json(found)
        return
    for line in (_asks(found), _pays(found), _keeps(found)):
        click.echo(line)
    click.echo(f"{'':<16} {'earning':>12} {'spending':>12}")
    _side_by_side("", found["total"])
    for peer in found["peers"]:
        _side_by_side(peer["peer"], peer)
        click.echo(f"  free today       {format_size(peer['freeLeftBytes']):>12}")


def _asks(found: dict[str, Any]) -> str:
    if found["basePrice"] == "0":
        return "asks nothing for what it has cached"
    return (
        f"asks {found['price']} tokens a MiB for what it has cached (without demand "
        f"{found['basePrice']}), after {format_size(found['freeBytes'])} a day and peer"
    )


def _pays(found: dict[str, Any]) -> str:
    if not found["hasAccount"]:
        return "has no account: it pays nothing, and nobody can pay it"
    if found["maxPrice"] == "0":
        return "pays for nothing (cache-max-price)"
    budget = "" if found["budget"] == "0" else f" of {found['budget']}"
    return (
        f"pays up to {found['maxPrice']} tokens a MiB; today it has spent "
        f"{found['spentToday']}{budget}"
    )


def _keeps(found: dict[str, Any]) -> str:
    if not found["limitBytes"]:
        return "keeps what it fetched until its time is over (cache-limit)"
    return (
        f"keeps {format_size(found['cachedBytes'])} of at most "
        f"{format_size(found['limitBytes'])}; evicted {format_size(found['evictedBytes'])}"
    )


def _side_by_side(peer: str, trade: dict[str, Any]) -> None:
    if peer:
        click.echo(peer)
    rows = (
        ("tokens", trade["earned"], trade["spent"]),
        ("paid bytes", format_size(trade["soldBytes"]), format_size(trade["boughtBytes"])),
        ("free bytes", format_size(trade["givenBytes"]), format_size(trade["takenBytes"])),
        ("owed tokens", trade["owedToUs"], trade["owedByUs"]),
    )
    for name, earning, spending in rows:
        click.echo(f"  {name:<14} {earning:>12} {spending:>12}")
