"""quire bond: the tokens behind what this node promises when it submits proofs for others."""

from __future__ import annotations

from typing import Any

import click

from quire.base.units import format_time
from quire.faces.cli.common import Amount, json_option, show_json, with_client
from quire.faces.cli.main import Context


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def bond_command(ctx: click.Context, as_json: bool) -> None:
    """Show the bond of this aggregator: what stands behind the proofs that it has promised to bring
    into the chain, and what is on its way out."""
    if ctx.invoked_subcommand is None:
        _call(ctx.obj, "GET", "/bond", None, as_json)


@bond_command.command("deposit")
@click.argument("amount", type=Amount())
@json_option
@click.pass_obj
def deposit_command(context: Context, amount: int, as_json: bool) -> None:
    """Put AMOUNT tokens of the wallet into the bond."""
    _call(context, "POST", "/bond/deposit", amount, as_json)


@bond_command.command("withdraw")
@click.argument("amount", type=Amount(), required=False)
@json_option
@click.pass_obj
def withdraw_command(context: Context, amount: int | None, as_json: bool) -> None:
    """Say that AMOUNT tokens of the bond are to leave; hosts have time to claim before they do.
    Without AMOUNT: take what was said to leave, when its time has come. 0 takes it back."""
    path = "/bond/withdraw" if amount is None else "/bond/announce"
    _call(context, "POST", path, amount, as_json)


def _call(context: Context, method: str, path: str, amount: int | None, as_json: bool) -> None:
    body = None if amount is None else {"amount": str(amount)}
    found = with_client(context, lambda client: client.json(method, path, body=body))
    if as_json:
        show_json(found)
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    click.echo(f"account {found['account']}, bonds {found['contract']} on chain {found['chainId']}")
    promised = f"{_sum(found, 'promised')} promised now"
    click.echo(f"{_sum(found, 'amount')} tokens in the bond, {promised}")
    if int(found["leaving"]):
        click.echo(f"{_sum(found, 'leaving')} of them leave at {format_time(found['leavesAt'])}")
    click.echo(f"{_sum(found, 'tokens')} tokens in the wallet")


def _sum(found: dict[str, Any], name: str) -> str:
    return f"{int(found[name]):,}"
