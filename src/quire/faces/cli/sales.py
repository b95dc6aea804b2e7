"""quire sales: the slots that this node sells, how they go, what they earn."""

from __future__ import annotations

from typing import Any

import click

from quire.base.units import format_size, format_time
from quire.faces.cli.common import json_option, show_json, with_client
from quire.faces.cli.following import follow, show_rows, until_of, waits_of
from quire.faces.cli.main import Context

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
        sale = follow(context, lambda client: client.sale(wanted), is_quiet=as_json)
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


def _show_list(found: dict[str, Any]) -> None:
    for sale in found["sales"]:
        told = f"{sale['state']:<18}  {sale['words']}{until_of(sale)}"
        click.echo(f"{sale['slotId']}  {told}")
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
    rows += waits_of(sale)
    if sale["proving"]:
        rows.append(("proofs", f"{sale['proving']['state']}: {sale['proving']['reason']}"))
    show_rows(rows + _money(sale["money"]), sale["history"])


def _money(money: dict[str, Any] | None) -> list[tuple[str, str]]:
    if money is None:
        return []
    collateral, back = int(money["collateral"]), int(money["returned"])
    earned, lost = int(money["payout"]), int(money["lost"])
    told = f"collateral {collateral:,}, earns {int(money['rewardPerSecond']):,} a second"
    if earned or back or lost:
        told += f"; paid out {earned:,}, returned {back:,}, lost {lost:,}"
    return [("money", told)]
