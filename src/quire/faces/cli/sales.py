"""quire sales: the slots that this node sells, how they go, what they earn."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from quire.base.units import format_size, format_time
from quire.faces.cli.common import json_option, show_json, with_client
from quire.faces.cli.main import Context
from quire.faces.client import Client

POLL_SECONDS = 0.5
EXIT_NOT_PAID = 1  # watched until it ended, and it did not end with the whole payout
HELD = ("SaleFilled", "SaleProving", "SalePayout")


@click.command()
@click.argument("slot_id", metavar="[SLOT]", required=False)
@click.option("--watch", is_flag=True, help="Follow one sale until its end.")
@json_option
@click.pass_obj
def sales_command(context: Context, slot_id: str | None, watch: bool, as_json: bool) -> None:
    """List the sales of the node and the slots that could be next, or show the sale of one SLOT:
    its money, its proofs, what is waited for until when, and what happened. With --watch the exit
    code tells how it ended: 0 finished, 1 anything else."""
    if slot_id is None:
        found = with_client(context, lambda client: client.sales())
        if as_json:
            show_json(found)
        else:
            _show_list(found)
        return
    wanted = slot_id
    if watch:
        sale = _watch_sale(context, wanted, is_quiet=as_json)
    else:
        sale = with_client(context, lambda client: client.sale(wanted))
    if as_json:
        show_json(sale)
    else:
        _show_sale(sale)
    if watch and sale["state"] != "SaleFinished":
        raise click.exceptions.Exit(EXIT_NOT_PAID)


def show_sold_slots(context: Context, as_json: bool) -> None:
    """What this node holds for others."""
    found = with_client(context, lambda client: client.sales())
    held = [sale for sale in found["sales"] if sale["state"] in HELD]
    if as_json:
        show_json(held)
        return
    for sale in held:
        proving = sale["proving"]
        told = "" if proving is None else f"  {proving['reason']}"
        until = format_time(sale["endsAt"])
        size = format_size(sale["size"])
        click.echo(f"{sale['slotId']}  {size:>9}  until {until}{told}")
    if not held:
        click.echo("no slots are held; quire offer add offers space", err=True)


def _watch_sale(context: Context, slot_id: str, *, is_quiet: bool) -> dict[str, Any]:
    """Tell each change on standard error until the sale has ended."""

    async def follow(client: Client) -> dict[str, Any]:
        told = ""
        while True:
            sale = await client.sale(slot_id)
            line = f"{sale['state']}: {sale['words']}"
            if sale["trouble"]:
                line += f"; tried again: {sale['trouble']}"
            if line != told and not is_quiet:
                click.echo(line, err=True)
            told = line
            if sale["ended"]:
                return sale
            await asyncio.sleep(POLL_SECONDS)

    return with_client(context, follow)


def _show_list(found: dict[str, Any]) -> None:
    for sale in found["sales"]:
        until = sale["waitsFor"]
        when = f"  until {format_time(until['at'])}" if until else ""
        click.echo(f"{sale['slotId']}  {sale['state']:<18}  {sale['words']}{when}")
    if found["queue"]:
        click.echo("slots that are for sale, the best first:")
    for chance in found["queue"]:
        kind = "repair" if chance["repair"] else "new"
        seen = "  no offer has room for it" if chance["seen"] else ""
        click.echo(
            f"    {chance['requestId']} slot {chance['slotIndex']}  {kind:<6}  "
            f"{format_size(chance['size']):>9}  {chance['pricePerByteSecond']} a byte and second  "
            f"collateral {int(chance['collateral']):,}{seen}"
        )
    if not found["sales"] and not found["queue"]:
        click.echo("nothing was sold, and nothing is asked for", err=True)


def _show_sale(sale: dict[str, Any]) -> None:
    rows = [("slot", sale["slotId"]), ("request", f"{sale['requestId']} slot {sale['slotIndex']}")]
    rows += [("state", sale["state"]), ("", sale["words"])]
    if sale["cid"]:
        rows.append(("dataset", f"{sale['cid']}, {format_size(sale['size'])} of it"))
    if sale["endsAt"]:
        times = f"to be filled until {format_time(sale['expiresAt'])}, ends "
        rows.append(("contract", times + format_time(sale["endsAt"])))
    if sale["waitsFor"]:
        at = format_time(sale["waitsFor"]["at"])
        rows.append(("next", f"{sale['waitsFor']['reason']}, until {at}"))
    if sale["trouble"]:
        rows.append(("trouble", f"{sale['trouble']}; it is tried again"))
    if sale["proving"]:
        rows.append(("proofs", f"{sale['proving']['state']}: {sale['proving']['reason']}"))
    rows += _money(sale["money"])
    rows += [("", f"{format_time(note['at'])}  {note['note']}") for note in sale["history"]]
    for name, text in rows:
        click.echo(f"{name:<8} {text}".rstrip())


def _money(money: dict[str, Any] | None) -> list[tuple[str, str]]:
    if money is None:
        return []
    collateral, back = int(money["collateral"]), int(money["returned"])
    earned, lost = int(money["payout"]), int(money["lost"])
    told = f"collateral {collateral:,}, earns {int(money['rewardPerSecond']):,} a second"
    if earned or back or lost:
        told += f"; paid out {earned:,}, returned {back:,}, lost {lost:,}"
    return [("money", told)]
