"""quire get: a dataset becomes a file. What is kept under the final name has been verified here,
against the CID, whatever the node said."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import click

from quire.base.clock import SystemClock
from quire.base.errors import InputError, IntegrityError
from quire.base.units import format_rate, format_size
from quire.faces.cli.common import json_option, show_json, timeout_option, with_client
from quire.faces.cli.main import Context
from quire.faces.cli.progress import progress
from quire.faces.cli.tree_get import get_from_tree
from quire.faces.cli.verifier import Verifier
from quire.faces.client import Client
from quire.formats.cid import Cid


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


@click.command()
@click.argument("cid")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File or directory to write; else stdout.",
)
@timeout_option
@json_option
@click.pass_obj
def get_command(
    context: Context, cid: str, output: Path | None, timeout: float | None, as_json: bool
) -> None:
    """Download the dataset CID, from this node or through it from the network.

    A directory is restored to -o DIR, or CID/path/in/it alone.
    """
    if output is None and as_json:
        raise InputError("--json and the data would both go to standard output; give -o FILE")
    if get_from_tree(context, cid, output, timeout, as_json=as_json):
        return
    name = Cid.parse(cid)
    clock = SystemClock()
    started = clock.monotonic()

    async def download(client: Client) -> int:
        if output is None:
            return await _receive(client, name, timeout, sys.stdout.buffer, is_quiet=True)
        draft = output.with_name(f".{output.name}.{os.getpid()}.part")
        try:
            with _create(draft) as file:
                size = await _receive(client, name, timeout, file, is_quiet=as_json)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(output)
        finally:
            draft.unlink(missing_ok=True)
        return size

    size = with_client(context, download)
    seconds = clock.monotonic() - started
    if as_json:
        facts: dict[str, Any] = {"cid": str(name), "bytes": size, "seconds": round(seconds, 3)}
        show_json(facts | {"output": str(output), "verified": True})
    elif output is not None:
        rate = format_rate(size / seconds)
        click.echo(f"{output}: {format_size(size)} verified, {rate}", err=True)


def _create(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except OSError as error:
        raise InputError(f"{path.parent} cannot be written to: {error.strerror}") from None


async def _receive(
    client: Client, cid: Cid, timeout: float | None, sink: _Sink, *, is_quiet: bool
) -> int:
    """Write the dataset to `sink`; raises `IntegrityError` when it is not what the CID names."""
    item = await client.json("GET", f"/data/{cid}/network/manifest", timeout_seconds=timeout)
    verifier = Verifier(cid, item)
    received = 0
    async with client.get(str(cid), timeout_seconds=timeout) as download:
        with progress("get", download.size, is_quiet=is_quiet) as report:
            async for piece in download.pieces():
                verifier.add(piece)
                sink.write(piece)
                received += len(piece)
                report(received, "")
    if received != download.size:
        raise IntegrityError(f"the node sent {received} of {download.size} bytes of {cid}")
    verifier.finish()
    return received
