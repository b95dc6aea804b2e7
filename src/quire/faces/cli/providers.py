"""quire providers: who keeps sealed replicas, at what price, and who is not chosen for what."""

from __future__ import annotations

from typing import Any

import click

from quire.base.units import format_duration, format_size
from quire.faces.cli.common import (
    Amount,
    Duration,
    Size,
    json_option,
    show_json,
    timeout_option,
    with_client,
)
from quire.faces.cli.main import Context


@click.command()
@click.option("--bytes", "size", type=Size(), help="Say who could take so many, such as 16m.")
@click.option("--for", "term", type=Duration(), help="And keep them for so long, such as 30d.")
@click.option("--budget", type=Amount(), help="And ask for so many tokens at most.")
@timeout_option
@json_option
@click.pass_obj
def providers_command(
    context: Context,
    size: int | None,
    term: float | None,
    budget: int | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """List the providers of sealed replicas that the node knows: price, free space, reputation, and
    why one would not be chosen now."""
    wanted = {"bytes": size, "for": term, "budget": budget, "timeout": timeout}
    query = {name: str(value) for name, value in wanted.items() if value is not None}
    found = with_client(context, lambda client: client.json("GET", "/providers", query=query))
    if as_json:
        show_json(found)
        return
    for provider in found["providers"]:
        _show(provider)
    if found["looking"]:
        click.echo("the search goes on; ask again for more", err=True)
    elif not found["providers"]:
        click.echo("no provider was found; name one with the setting providers", err=True)


def _show(provider: dict[str, Any]) -> None:
    click.echo(provider["peerId"])
    offer, known = provider["offer"], provider["reputation"]
    if offer is not None:
        run_by = f", run by {offer['operator']}" if offer["operator"] else ""
        click.echo(f"    pays {offer['payee']}{run_by}")
        click.echo(
            f"    {format_size(offer['freeBytes'])} free for "
            f"{format_duration(offer['maxSeconds'])} at most; {offer['priceByteSecond']} a byte "
            f"and second, {offer['priceGetByte']} a byte read, {offer['feePutByte']} a byte written"
        )
    new = "newcomer; " if known["newcomer"] else ""
    click.echo(
        f"    {new}{known['successes']:.1f} successes, {known['failures']:.1f} failures, "
        f"reliable at {known['reliability'] * 100:.0f} % or more; {provider['rttMs']:.0f} ms away"
    )
    if not provider["eligible"]:
        click.echo(f"    not now: {provider['whyNot']}")
