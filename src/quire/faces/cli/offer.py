"""quire offer: the space that this node rents to others, its price and its limits."""

from __future__ import annotations

from typing import Any

import click

from quire.base.errors import InputError
from quire.base.units import format_duration, format_size, format_time
from quire.faces.cli.common import Amount, Duration, Size, json_option, show_json, with_client
from quire.faces.cli.main import Context

_TERMS = (
    click.option("--size", type=Size(), help="Bytes that are offered, such as 100GiB."),
    click.option("--price", type=Amount(),
                 help="The least for each byte and second, in the smallest unit."),
    click.option("--duration", type=Duration(), help="The longest contract, such as 30d."),
    click.option("--collateral", type=Amount(),
                 help="Tokens that all its slots together may have at stake."),
    click.option("--until", type=click.IntRange(min=0),
                 help="Unix seconds by which contracts have to end; 0: any time."),
)  # fmt: skip


def _terms_options(command: Any) -> Any:
    for option in reversed(_TERMS):
        command = option(command)
    return command


@click.group()
def offer_command() -> None:
    """Offer space to others, list, change or withdraw what is offered."""


@offer_command.command("add")
@_terms_options
@click.option("--disabled", is_flag=True, help="Take no slots yet.")
@json_option
@click.pass_obj
def add_command(
    context: Context, size: int | None, price: int | None, duration: float | None,
    collateral: int | None, until: int | None, disabled: bool, as_json: bool,
) -> None:  # fmt: skip
    """Offer space: slots that pay enough are taken without being asked."""
    needed = {"--size": size, "--price": price, "--duration": duration, "--collateral": collateral}
    if missing := [name for name, value in needed.items() if value is None]:
        raise InputError(f"say also {', '.join(missing)}")
    terms = _terms(size, price, duration, collateral, until) | {"enabled": not disabled}
    found = with_client(context, lambda client: client.offer(terms))
    if as_json:
        show_json(found)
    else:
        click.echo(found["id"])


@offer_command.command("list")
@json_option
@click.pass_obj
def list_command(context: Context, as_json: bool) -> None:
    """List what is offered, and what of it is free."""
    found = with_client(context, lambda client: client.offers())
    if as_json:
        show_json(found)
        return
    for offer in found:
        click.echo(offer["id"])
        click.echo("    " + "  ".join(_in_words(offer)))
    if not found:
        click.echo("nothing is offered; quire offer add offers space", err=True)


@offer_command.command("change")
@click.argument("offer_id", metavar="ID")
@_terms_options
@click.option("--enable/--disable", "is_enabled", default=None, help="Take slots, or none.")
@json_option
@click.pass_obj
def change_command(
    context: Context, offer_id: str, size: int | None, price: int | None, duration: float | None,
    collateral: int | None, until: int | None, is_enabled: bool | None, as_json: bool,
) -> None:  # fmt: skip
    """Change an offer. Slots that are held keep what they were promised."""
    terms = _terms(size, price, duration, collateral, until)
    if is_enabled is not None:
        terms["enabled"] = is_enabled
    if not terms:
        raise InputError("say what is to be changed")
    with_client(context, lambda client: client.change_offer(offer_id, terms))
    if as_json:
        show_json({"id": offer_id, "changed": sorted(terms)})


@offer_command.command("remove")
@click.argument("offer_id", metavar="ID")
@json_option
@click.pass_obj
def remove_command(context: Context, offer_id: str, as_json: bool) -> None:
    """Withdraw an offer; possible once none of its slots is held."""
    with_client(context, lambda client: client.remove_offer(offer_id))
    if as_json:
        show_json({"id": offer_id, "removed": True})


def _terms(
    size: int | None,
    price: int | None,
    duration: float | None,
    collateral: int | None,
    until: int | None,
) -> dict[str, Any]:
    """What was said, as the API takes it."""
    given: dict[str, Any] = {
        "totalSize": size,
        "minPricePerBytePerSecond": None if price is None else str(price),
        "duration": None if duration is None else int(duration),
        "totalCollateral": None if collateral is None else str(collateral),
        "until": until,
    }
    return {name: value for name, value in given.items() if value is not None}


def _in_words(offer: dict[str, Any]) -> list[str]:
    left, total = int(offer["totalRemainingCollateral"]), int(offer["totalCollateral"])
    words = [
        f"{format_size(offer['freeSize'])} of {format_size(offer['totalSize'])} free",
        f"from {int(offer['minPricePerBytePerSecond']):,} a byte and second",
        f"for {format_duration(offer['duration'])} at most",
        f"collateral {left:,} of {total:,} left",
    ]
    if offer["until"]:
        words.append(f"until {format_time(offer['until'])}")
    if not offer["enabled"]:
        words.append("switched off")
    return words
