"""Purchases and sales on the terminal: followed until they end, shown with their troubles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import click

from quire.base.units import format_time
from quire.faces.cli.common import with_client
from quire.faces.cli.main import Context
from quire.faces.client import Client

POLL_SECONDS = 0.5


def follow(
    context: Context,
    read: Callable[[Client], Awaitable[dict[str, Any]]],
    *,
    until: Sequence[str] = (),
    more: Callable[[dict[str, Any]], str] = lambda _: "",
    is_quiet: bool,
) -> dict[str, Any]:
    """Tell each change on standard error until it is in one of the states, or ended.

    more   what is said beside its state and words
    """

    async def told_from(client: Client) -> dict[str, Any]:
        told = ""
        while True:
            found = await read(client)
            line = f"{found['state']}: {found['words']}{more(found)}"
            if found["trouble"]:
                line += f"; tried again: {found['trouble']}"
            if line != told and not is_quiet:
                click.echo(line, err=True)
            told = line
            if found["ended"] or found["state"] in until:
                return found
            await asyncio.sleep(POLL_SECONDS)

    return with_client(context, told_from)


def waits_of(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows: what is waited for until when, and what had to be tried again."""
    rows = []
    if found["waitsFor"]:
        at = format_time(found["waitsFor"]["at"])
        rows.append(("next", f"{found['waitsFor']['reason']}, until {at}"))
    if found["trouble"]:
        rows.append(("trouble", f"{found['trouble']}; it is tried again"))
    return rows


def until_of(found: dict[str, Any]) -> str:
    """Behind a line of a list."""
    return f"  until {format_time(found['waitsFor']['at'])}" if found["waitsFor"] else ""


def show_rows(rows: list[tuple[str, str]], history: list[dict[str, Any]]) -> None:
    for name, text in [*rows, *(("", f"{format_time(n['at'])}  {n['note']}") for n in history)]:
        click.echo(f"{name:<8} {text}".rstrip())
