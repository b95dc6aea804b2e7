"""quire channels: what this node pays others and earns from them, through the hub."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from quire.base.units import format_time
from quire.faces.cli.common import Amount, json_option, show_json, with_client
from quire.faces.cli.following import waits_of
from quire.faces.cli.main import Context
from quire.faces.client import Client

POLL_SECONDS = 1.0


@click.group(invoke_without_command=True)
@click.option("--watch", is_flag=True, help="Tell each change; ends with Ctrl-C.")
@json_option
@click.pass_context
def channels_command(ctx: click.Context, watch: bool, as_json: bool) -> None:
    """Show the payment channels of the node, as payer and as payee, and what the account has in
    the hub and outside."""
    if ctx.invoked_subcommand is not None:
        return
    context: Context = ctx.obj
    if watch:
        _watch(context, as_json)
        return
    found = with_client(context, lambda client: client.json("GET", "/channels"))
    if as_json:
        show_json(found)
    else:
        for line in _lines(found):
            click.echo(line)


@channels_command.command("topup")
@click.argument("payee")
@click.argument("amount", type=Amount())
@json_option
@click.pass_obj
def topup_command(context: Context, payee: str, amount: int, as_json: bool) -> None:
    """Let the channel to PAYEE have room for AMOUNT tokens; nothing is sent where it has. The
    tokens come from the hub's balance, and from the wallet where that is too small."""
    _post(context, f"/channels/{payee}/topup", as_json, amount)


@channels_command.command("close")
@click.argument("payee")
@json_option
@click.pass_obj
def close_command(context: Context, payee: str, as_json: bool) -> None:
    """Ask for what is left in the channel to PAYEE. It comes back a day later, when the payee has
    had time to claim; a top-up before then keeps the channel open."""
    _post(context, f"/channels/{payee}/close", as_json)


@channels_command.command("release")
@click.argument("payee")
@json_option
@click.pass_obj
def release_command(context: Context, payee: str, as_json: bool) -> None:
    """Take what is left in the channel to PAYEE, now that its day is over. A running node does
    that by itself."""
    _post(context, f"/channels/{payee}/release", as_json)


@channels_command.command("claim")
@json_option
@click.pass_obj
def claim_command(context: Context, as_json: bool) -> None:
    """Claim now what payers have promised, worth its gas or not."""
    found = with_client(context, lambda client: client.json("POST", "/channels/claim"))
    if as_json:
        show_json(found)
    else:
        click.echo(f"claimed {int(found['claimed']):,} tokens into the hub's balance")


@channels_command.command("deposit")
@click.argument("amount", type=Amount())
@json_option
@click.pass_obj
def deposit_command(context: Context, amount: int, as_json: bool) -> None:
    """Put AMOUNT tokens of the wallet into the hub."""
    _move(context, "/channels/deposit", amount, as_json)


@channels_command.command("withdraw")
@click.argument("amount", type=Amount())
@json_option
@click.pass_obj
def withdraw_command(context: Context, amount: int, as_json: bool) -> None:
    """Take AMOUNT tokens that are in no channel out of the hub."""
    _move(context, "/channels/withdraw", amount, as_json)


def _post(context: Context, path: str, as_json: bool, amount: int | None = None) -> None:
    body = None if amount is None else {"amount": str(amount)}
    found = with_client(context, lambda client: client.json("POST", path, body=body))
    if as_json:
        show_json(found)
    else:
        for line in _paid(found):
            click.echo(line)


def _move(context: Context, path: str, amount: int, as_json: bool) -> None:
    body = {"amount": str(amount)}
    found = with_client(context, lambda client: client.json("POST", path, body=body))
    if as_json:
        show_json(found)
    else:
        click.echo(_funds(found))


def _watch(context: Context, as_json: bool) -> None:
    async def follow(client: Client) -> None:
        told: set[str] = set()
        while True:
            found = await client.json("GET", "/channels")
            lines = _lines(found)
            if not as_json:
                for line in lines:
                    if line not in told:
                        click.echo(line)
            elif set(lines) != told:
                show_json(found)
            told = set(lines)
            await asyncio.sleep(POLL_SECONDS)

    with_client(context, follow)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [f"account {found['account']}, hub {found['hub']} on chain {found['chainId']}"]
    if found["trouble"]:
        lines.append(f"as it was known last: {found['trouble']}")
    else:
        lines.append(_funds(found))
    for channel in found["paid"]:
        lines += _paid(channel)
    for account in found["earning"]:
        closes = f", closes {format_time(account['closeAt'])}" if account["closeAt"] else ""
        lines.append(
            f"from {account['payer']}  billed {_sum(account, 'billed')}, received "
            f"{_sum(account, 'received')}, unclaimed {_sum(account, 'unclaimed')}, due "
            f"{_sum(account, 'due')}{closes}"
        )
    if not found["paid"] and not found["earning"]:
        lines.append("no channels: what is bought or sold by the byte opens them")
    return lines


def _paid(channel: dict[str, Any]) -> list[str]:
    sums = f"claimed {_sum(channel, 'claimed')}, room for {_sum(channel, 'room')}"
    line = f"to   {channel['payee']}  {channel['state']}: {channel['words']}; {sums}"
    return [line, *(f"     {name}: {text}" for name, text in waits_of(channel))]


def _funds(found: dict[str, Any]) -> str:
    return f"{_sum(found, 'balance')} tokens in the hub, {_sum(found, 'tokens')} in the wallet"


def _sum(fields: dict[str, Any], name: str) -> str:
    return f"{int(fields[name]):,}"
