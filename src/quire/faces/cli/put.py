"""quire put: a file, or standard input, becomes a dataset on the node."""

from __future__ import annotations

import asyncio
import mimetypes
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, BinaryIO

import click

from quire.base.clock import SystemClock
from quire.base.errors import InputError
from quire.base.units import MIB, format_rate, format_size
from quire.faces.cli.common import Duration, json_option, show_json, with_client
from quire.faces.cli.main import Context
from quire.faces.cli.progress import Report, progress
from quire.faces.cli.sending import PIECE_BYTES, Order, Sent, send_file
from quire.faces.cli.tree_put import name_of_tree, put_tree
from quire.faces.client import Client

RESUMABLE_BYTES = 8 * MIB  # a smaller file is sent again sooner than it is resumed
PATIENCE_SECONDS = 120.0


@click.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--plain", is_flag=True, help="Upload as it is: anyone who learns the CID can read.")
@click.option("--no-name", is_flag=True, help="Keep file name and media type out of the manifest.")
@click.option("--name", help="File name to record instead of the file's own.")
@click.option("--mimetype", help="Media type to record; guessed from the name if not given.")
@click.option("--no-times", is_flag=True, help="Of a directory: leave out when files changed.")
@click.option("--skip-special", is_flag=True, help="Of a directory: leave out sockets and devices.")
@click.option("--patience", type=Duration(), default=PATIENCE_SECONDS, show_default="2m",
              help="How long to go on trying when the node does not answer.")  # fmt: skip
@json_option
@click.pass_obj
def put_command(
    context: Context,
    file: str,
    plain: bool,
    no_name: bool,
    name: str | None,
    mimetype: str | None,
    no_times: bool,
    skip_special: bool,
    patience: float,
    as_json: bool,
) -> None:
    """Store FILE (- for standard input) or the directory FILE and print its CID. A large file whose
    upload broke off is resumed by the same command."""
    if not plain:
        raise InputError("put needs --plain: encryption does not exist yet, so the bytes are stored"
                         " as they are and everyone who learns the CID can read them")  # fmt: skip
    if file != "-" and Path(file).is_dir():
        tree_name = None if no_name else name or name_of_tree(Path(file))
        put_tree(context, Path(file), name=tree_name, has_times=not no_times,
                 skip_special=skip_special, as_json=as_json)  # fmt: skip
        return
    if file != "-" and name is None:
        name = Path(file).name
    if no_name:
        name = mimetype = None
    elif name is not None and mimetype is None:
        mimetype = mimetypes.guess_type(name)[0]
    clock = SystemClock()
    started = clock.monotonic()
    with _open(file) as source:
        size = None if file == "-" else Path(file).stat().st_size
        with progress("put", size, is_quiet=as_json) as report:

            async def send(client: Client) -> Sent:
                _end_at_interrupt()
                if size is not None and size >= RESUMABLE_BYTES:
                    order = Order(Path(file), name, mimetype, patience)
                    return await send_file(client, order, source, report)
                pieces = _pieces(source, report)
                cid = await client.put(pieces, size=size, filename=name, mimetype=mimetype)
                return Sent(cid, size or 0, 0)

            sent = with_client(context, send)
    seconds = clock.monotonic() - started
    if as_json:
        facts = {"bytes": None if size is None else sent.size, "resumedBytes": sent.resumed_bytes}
        show_json({"cid": sent.cid, **facts, "seconds": round(seconds, 3)})
        return
    click.echo(sent.cid)
    if size is not None:
        rate = format_rate((sent.size - sent.resumed_bytes) / seconds)
        resumed = sent.resumed_bytes
        before = f", {format_size(resumed)} of it sent before" if resumed else ""
        click.echo(f"{format_size(sent.size)}{before}, at {rate}", err=True)


def _end_at_interrupt() -> None:
    """Let Ctrl-C end the command in the middle of a read.

    Reading blocks the loop. Were the interrupt only noted until the read returns, the end of a pipe
    that died of the same Ctrl-C would pass for the end of the data, and half of it would be kept.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.get_running_loop().set_exception_handler(_report)


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), KeyboardInterrupt):
        loop.default_exception_handler(context)


def _open(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None


async def _pieces(source: BinaryIO, report: Report) -> AsyncGenerator[bytes, None]:
    sent = 0
    while piece := source.read(PIECE_BYTES):
        yield piece
        sent += len(piece)
        report(sent, "")
