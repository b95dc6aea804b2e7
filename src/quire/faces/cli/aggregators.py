"""quire aggregators: who codes, proves and submits for others, at what price, and how it did."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import click

from quire.base.units import format_duration, format_size
from quire.faces.cli.common import Size, json_option, show_json, with_client
from quire.faces.cli.main import Context


@click.command()
@click.option("--size", type=Size(), help="Of a dataset to be coded.  [default: 1GiB]")
@click.option("--nodes", type=int, help="Hosts of it; each keeps one slot.  [default: 3]")
@click.option("--tolerance", type=int, help="Of them, as many may be lost.  [default: 1]")
@click.option("--service", type=click.Choice(["encode", "prove", "submit"]),
              help="Only this service.")  # fmt: skip
@click.option("--via", multiple=True, help="Ask only this one, by its peer id or address.")
@json_option
@click.pass_obj
def aggregators_command(
    context: Context, size: int | None, nodes: int | None, tolerance: int | None,
    service: str | None, via: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """List the aggregators that are known or found: what each does for others, at what price, and
    what it has shown to be. Everybody is asked for his offers now."""
    found = known_aggregators(context, size, nodes, tolerance, service, via)
    if as_json:
        show_json(found)
        return
    for each in found["aggregators"]:
        _show(each, found)
    if not found["aggregators"]:
        click.echo("no aggregator is known or found; --aggregators of quire node names some")


def known_aggregators(
    context: Context,
    size: int | None,
    nodes: int | None,
    tolerance: int | None,
    service: str | None,
    via: tuple[str, ...],
) -> dict[str, Any]:
    """Those with offers first, the best before all."""
    given = {"size": size, "nodes": nodes, "tolerance": tolerance, "service": service}
    query = [(name, str(value)) for name, value in given.items() if value is not None]
    path = f"/aggregators?{urlencode([*query, *(('via', text) for text in via)])}"
    found: dict[str, Any] = with_client(context, lambda client: client.json("GET", path))
    return found


def _show(found: dict[str, Any], asked: dict[str, Any]) -> None:
    reputation = found["reputation"]
    shown = f"{reputation['successes']:g} kept, {reputation['failures']:g} failed"
    click.echo(f"{found['peerId']}  {shown}" + ("  (named)" if found["listed"] else ""))
    for offer in found["offers"]:
        click.echo(f"    {offer['service']:<7} {offer_in_words(offer, asked)}")
    for service, problem in found["problems"].items():
        click.echo(f"    {service:<7} no: {problem}")
    if found["shunned"]:
        click.echo(f"    not asked: {found['shunned']}")


def offer_in_words(offer: dict[str, Any], asked: dict[str, Any]) -> str:
    """What it costs, and for what."""
    price, within = f"{int(offer['price']):,} tokens", format_duration(offer["seconds"])
    if offer["service"] == "submit":
        bond = int(offer["bond"])
        promised = f", {bond:,} promised if it does not get there" if bond else ""
        return f"{price} a proof in the chain{promised}"
    if offer["service"] == "prove":
        return f"{price} a proof, within {within}"
    first = f"{int(offer['priceFirst']):,} once checked, the rest when hosts have it"
    rows = f"{asked['nodes'] - asked['tolerance']} + {asked['tolerance']} rows"
    what = f"{format_size(asked['size'])} in {rows}, within {within}"
    return f"{price} for {what}; {first}; at most {format_size(offer['maxBytes'])}"
