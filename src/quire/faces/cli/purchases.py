"""quire purchases: what this node has bought, how it goes, and until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from quire.faces.cli.common import json_option, show_json, with_client
from quire.faces.cli.following import follow, show_rows, until_of, waits_of
from quire.faces.cli.main import Context

EXIT_NOT_STORED = 1  # watched until it ended, and it was not kept as long as was asked


@click.command()
@click.argument("request_id", metavar="[ID]", required=False)
@click.option("--watch", is_flag=True, help="Follow one purchase until its end.")
@json_option
@click.pass_obj
def purchases_command(context: Context, request_id: str | None, watch: bool, as_json: bool) -> None:
    """List the purchases of the node, or show the one with this ID: its slots, its money, what is
    waited for until when, and what happened. With --watch the exit code tells how it ended: 0
    finished, 1 anything else."""
    if request_id is None:
        found = with_client(context, lambda client: client.purchases())
        if as_json:
            show_json(found)
        else:
            _show_list(found)
        return
    wanted = request_id
    if watch:
        purchase = watch_purchase(context, wanted, until=(), is_quiet=as_json)
    else:
        purchase = with_client(context, lambda client: client.purchase(wanted))
    if as_json:
        show_json(purchase)
    else:
        show_purchase(purchase)
    if watch and purchase["state"] != "finished":
        raise click.exceptions.Exit(EXIT_NOT_STORED)


def watch_purchase(
    context: Context, request_id: str, *, until: Sequence[str], is_quiet: bool
) -> dict[str, Any]:
    """Tell each change on standard error until the purchase is in one of the states, or ended."""
    return follow(
        context,
        lambda client: client.purchase(request_id),
        until=until,
        more=_slots_in_words,
        is_quiet=is_quiet,
    )


def show_purchase(purchase: dict[str, Any]) -> None:
    """One purchase, whole."""
    rows = [("request", purchase["requestId"]), ("state", purchase["state"])]
    rows.append(("", purchase["words"]))
    if purchase["cid"]:
        rows.append(("dataset", purchase["cid"]))
    rows += waits_of(purchase)
    money = purchase["money"]
    if money:
        paid = f"{int(money['maxPrice']):,} tokens paid in, {int(money['pricePerDay']):,} a day"
        back = "; what hosts did not earn is back" if money["withdrawn"] else ""
        rows.append(("money", f"{paid}{back}"))
    rows += [
        (f"slot {slot['index']}", f"{slot['state']:<9}  {slot['host'] or ''}".rstrip())
        for slot in purchase["slots"]
    ]
    show_rows(rows, purchase["history"])


def _show_list(purchases: list[dict[str, Any]]) -> None:
    for purchase in purchases:
        line = f"{purchase['requestId']}  {purchase['state']:<9}  {purchase['cid'] or '-'}"
        click.echo(line + until_of(purchase))
    if not purchases:
        click.echo("nothing was bought; quire request CID buys storage", err=True)


def _slots_in_words(purchase: dict[str, Any]) -> str:
    counts = Counter(slot["state"] for slot in purchase["slots"])
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    return f" ({told})" if told else ""
