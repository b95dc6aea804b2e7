"""quire top: the transfers and peers of a node, live in the terminal."""

from __future__ import annotations

import asyncio
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from quire.base.clock import SystemClock
from quire.faces.cli.common import Duration, json_option, show_json, with_client
from quire.faces.cli.main import Context
from quire.faces.cli.top_view import Rates, view
from quire.faces.client import Client


@click.command()
@click.option("--every", type=Duration(), default=1.0, show_default="1s", help="How often to look.")
@click.option("--once", is_flag=True, help="Look twice, print once, and end.")
@json_option
@click.pass_obj
def top_command(context: Context, every: float, once: bool, as_json: bool) -> None:
    """Watch transfers, peers, space and waits of the node; ends with Ctrl-C."""
    every = max(0.1, every)

    async def watch(client: Client) -> None:
        clock, rates = SystemClock(), Rates()
        found = await _look(client)
        rates.update(found, clock.monotonic())
        if once or as_json:
            await asyncio.sleep(every)
            found = await _look(client)
            rates.update(found, clock.monotonic())
            if as_json:
                show_json({**found, "ratesBytesPerSecond": rates.as_dict()})
            else:
                Console().print(view(found, rates))
            return
        with Live(view(found, rates), screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(every)
                found = await _look(client)
                rates.update(found, clock.monotonic())
                live.update(view(found, rates), refresh=True)

    with_client(context, watch)


async def _look(client: Client) -> dict[str, Any]:
    status, peers = await asyncio.gather(
        client.json("GET", "/status"), client.json("GET", "/peers")
    )
    return {"status": status, "peers": peers}
