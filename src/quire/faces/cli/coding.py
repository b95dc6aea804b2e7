"""Having a dataset, or a stream, coded by an aggregator, told in words as it goes."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import click

from quire.base.errors import InputError, QuireError
from quire.base.rng import system_rng
from quire.base.units import format_duration, format_size
from quire.faces.cli.aggregators import known_aggregators
from quire.faces.cli.common import with_client
from quire.faces.cli.following import POLL_SECONDS
from quire.faces.cli.main import Context
from quire.faces.cli.stream_source import Source
from quire.faces.client import Client, error_of_job

AUTO = "auto"
_PERCENT = re.compile(r"[\d.]+ %")


@dataclass(frozen=True, slots=True)
class Rows:
    """How it is to be coded, and by whom. `serve_seconds`: that hosts have to take the blocks;
    `max_price`: tokens that are paid for it, at most, None until it is known."""

    nodes: int
    tolerance: int
    via: tuple[str, ...]
    serve_seconds: int
    max_price: int | None = None

    @property
    def peers(self) -> tuple[str, ...]:
        """Whom to ask; none: everybody who is found."""
        return () if self.via == (AUTO,) else self.via


def show_coding(context: Context, size: int, rows: Rows) -> dict[str, Any]:
    """What coding would cost at the best aggregator; its offer, and a line about it. Raises
    InputError when nobody offers it."""
    found = known_aggregators(context, size, rows.nodes, rows.tolerance, "encode", rows.peers)
    for each in found["aggregators"]:
        for offer in each["offers"]:
            first, within = int(offer["priceFirst"]), format_duration(offer["seconds"])
            told = f"{int(offer['price']):,} tokens to …{each['peerId'][-8:]}, {first:,} of them "
            words = f"{told}once checked; {within} at most"
            return {**offer, "words": words}
    why = "; ".join(filter(None, map(_why_not, found["aggregators"]))) or "none is known or found"
    raise InputError(f"no aggregator offers to code {format_size(size)}: {why}")


def code(context: Context, cid: str, rows: Rows, *, is_quiet: bool) -> dict[str, Any]:
    """The encoding of a dataset that is with the node, as it ended well. Raises what it failed
    with."""
    body = {
        "cid": cid,
        "nodes": rows.nodes,
        "tolerance": rows.tolerance,
        "serve": rows.serve_seconds,
        "via": list(rows.peers),
        "maxPrice": str(rows.max_price or 0),
    }

    async def coded(client: Client) -> dict[str, Any]:
        begun = await client.json("POST", "/encodings", body=body)
        return await _follow(client, begun["id"], is_quiet)

    return with_client(context, coded)


def code_stream(context: Context, source: Source, rows: Rows, *, is_quiet: bool) -> dict[str, Any]:
    """The same of a stream, of which neither this process nor its node keeps anything."""
    run_id = system_rng().randbytes(16).hex()
    query = [("id", run_id), ("nodes", str(rows.nodes)), ("tolerance", str(rows.tolerance))]
    query += [("serve", str(rows.serve_seconds)), *(("via", text) for text in rows.peers)]
    query.append(("maxPrice", str(rows.max_price or 0)))
    if source.name is not None:
        query.append(("filename", source.name))
    path = f"/encodings/stream?{urlencode(query)}"

    async def streamed(client: Client) -> dict[str, Any]:
        told = asyncio.ensure_future(_tell(client, run_id, is_quiet))
        try:
            return await client.send_stream(path, source.pieces(), source.sent_bytes)
        finally:
            told.cancel()
            await asyncio.wait([told])

    return with_client(context, streamed)


def show_checked(encoding: dict[str, Any]) -> None:
    """What was looked at before it was paid."""
    order = encoding["orders"][-1]
    click.echo(f"checked  {order['checked']}")
    rest = int(order["price"]) - int(order["priceFirst"])
    later = f"; {rest:,} more when hosts have the blocks" if rest else ""
    click.echo(f"paid     {int(order['priceFirst']):,} tokens for the coding{later}")


async def _follow(client: Client, run_id: str, is_quiet: bool) -> dict[str, Any]:
    """Until it has ended."""
    tell = _Teller(is_quiet)
    while True:
        found: dict[str, Any] = await client.json("GET", f"/encodings/{run_id}")
        tell(found)
        if found["ended"]:
            if found["error"] is not None:
                raise error_of_job(found["error"])
            return found
        await asyncio.sleep(POLL_SECONDS)


async def _tell(client: Client, run_id: str, is_quiet: bool) -> None:
    """As it goes, for as long as somebody else waits for its end."""
    tell = _Teller(is_quiet)
    while True:
        with suppress(QuireError):  # it is not known yet; whoever waits for the end hears why
            tell(await client.json("GET", f"/encodings/{run_id}"))
        await asyncio.sleep(POLL_SECONDS)


class _Teller:
    """Says what has changed on standard error; of a percentage only every tenth."""

    def __init__(self, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._told: tuple[str, str, int] | None = None

    def __call__(self, found: dict[str, Any]) -> None:
        order = found["orders"][-1] if found["orders"] else None
        state = "asking" if order is None else order["state"]
        trouble = f"; tried again: {found['trouble']}" if found["trouble"] else ""
        words = f"{found['words']}{trouble}"
        step = 0 if order is None else order["permille"] // 100
        mark = (state, _PERCENT.sub("", words), step)
        if mark != self._told and not self._is_quiet:
            click.echo(f"{state}: {words}", err=True)
        self._told = mark


def _why_not(found: dict[str, Any]) -> str:
    return str(found["shunned"] or found["problems"].get("encode", ""))
