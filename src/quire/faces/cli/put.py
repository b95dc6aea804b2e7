"""quire put: a file, or standard input, becomes a dataset on the node."""

from __future__ import annotations

import asyncio
import mimetypes
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click

from quire.base.clock import SystemClock
from quire.base.errors import InputError
from quire.base.units import format_rate, format_size
from quire.faces.cli.common import Duration, json_option, show_json, with_client
from quire.faces.cli.keep import keep, keep_of, keep_options
from quire.faces.cli.keyring_options import keyring_options
from quire.faces.cli.main import Context
from quire.faces.cli.progress import progress
from quire.faces.cli.put_file import (
    Done,
    Manner,
    Putting,
    Stored,
    begin_of,
    readable,
    remember,
    ring_for_put,
)
from quire.faces.cli.tree_put import name_of_tree, put_tree
from quire.faces.client import Client
from quire.faces.encrypting import Caps, random_plan
from quire.formats.cap import LiteralCap

PATIENCE_SECONDS = 120.0


@click.command()
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--plain", is_flag=True,
              help="Do not encrypt: everybody who learns the CID can read.")  # fmt: skip
@click.option("--convergent", is_flag=True,
              help="Equal contents of one key ring become one dataset, without name.")  # fmt: skip
@click.option("--no-padding", is_flag=True, help="Let the stored length tell the true one.")
@click.option("--no-literal", is_flag=True, help="Store also what would fit into a capability.")
@click.option("--no-catalogue", is_flag=True, help="Do not remember it in the key ring.")
@click.option("--no-name", is_flag=True, help="Keep file name and media type to yourself.")
@click.option("--name", help="File name to record instead of the file's own.")
@click.option("--mimetype", help="Media type to record; guessed from the name if not given.")
@click.option("--no-times", is_flag=True, help="Of a directory: leave out when files changed.")
@click.option("--skip-special", is_flag=True, help="Of a directory: leave out sockets and devices.")
@click.option("--patience", type=Duration(), default=PATIENCE_SECONDS, show_default="2m",
              help="How long to go on trying when the node does not answer.")  # fmt: skip
@keep_options
@keyring_options
@json_option
@click.pass_obj
def put_command(
    context: Context, /, file: str, plain: bool, convergent: bool, no_padding: bool,
    no_literal: bool, no_catalogue: bool, no_name: bool, name: str | None, mimetype: str | None,
    no_times: bool, skip_special: bool, patience: float, keyring: Path | None,
    passphrase_file: Path | None, as_json: bool, **keep_flags: Any,
) -> None:  # fmt: skip
    """Store FILE (- for standard input) or the directory FILE, encrypted, and print its read
    capability: whoever has that text can read, nobody else. With --plain the bytes are stored as
    they are and their CID is printed. A large file whose upload broke off is resumed by the same
    command. With --retail it is kept at paid providers as well.
    """
    is_tree = file != "-" and Path(file).is_dir()
    if plain and (convergent or no_padding or no_literal):
        raise InputError("--convergent, --no-padding and --no-literal are about encryption")
    if convergent and (is_tree or file == "-"):
        raise InputError("--convergent reads its input twice: it takes a file")
    wanted = keep_of(**keep_flags)
    if plain and wanted is not None:
        raise InputError("replicas are sealed from ciphertext: --retail does not go with --plain")
    ring = None
    if not plain and not (no_catalogue and not convergent):
        ring = ring_for_put(keyring, passphrase_file, is_needed=convergent)
    manner = Manner(
        is_encrypted=not plain,
        secret=ring.keys.convergence if ring is not None and convergent else None,
        is_padded=not no_padding,
        takes_literals=not (plain or no_literal or convergent or wanted is not None),
    )
    if is_tree:
        tree_name = None if no_name else name or readable(name_of_tree(Path(file)))
        plan = partial(random_plan, is_padded=manner.is_padded) if manner.is_encrypted else None
        stored = put_tree(context, Path(file), name=tree_name, has_times=not no_times,
                          skip_special=skip_special, plan=plan, as_json=as_json)  # fmt: skip
    else:
        names = _names(file, no_name, name, mimetype)
        stored = _put_file(context, file, names, manner, patience, as_json=as_json)
    try:
        if ring is not None and not no_catalogue and stored.caps.read is not None:
            shown = name or (None if file == "-" else readable(Path(file).resolve().name))
            remember(ring, stored.caps, shown, stored.size)
        if wanted is not None:
            keep(context, stored.caps, wanted, stored.facts if as_json else None)
    finally:
        if as_json:  # whatever came after it: who has put something must learn its capability
            show_json(stored.facts)


def _names(
    file: str, no_name: bool, name: str | None, mimetype: str | None
) -> tuple[str | None, str | None]:
    """File name and media type to record."""
    if no_name:
        return None, None
    if file != "-" and name is None:
        name = readable(Path(file).name)
    if name is not None and mimetype is None:
        mimetype = mimetypes.guess_type(name)[0]
    return name, mimetype


def _put_file(
    context: Context,
    file: str,
    names: tuple[str | None, str | None],
    manner: Manner,
    patience: float,
    *,
    as_json: bool,
) -> Stored:
    """Store a file or standard input, and print what names it unless that goes into the JSON."""
    clock = SystemClock()
    started = clock.monotonic()
    with _open(file) as source:
        # A pipe or device has no size before its end.
        size = Path(file).stat().st_size if file != "-" and Path(file).is_file() else None
        begin = begin_of(source, size) if manner.takes_literals else b""
        if isinstance(begin, LiteralCap):
            done = Done(Caps.of(begin), len(begin.content))
        else:
            with progress("put", size, is_quiet=as_json) as report:

                async def send(client: Client) -> Done:
                    _end_at_interrupt()
                    put = Putting(client, source, names, report)
                    if not manner.is_encrypted:
                        return await put.plain(file, size, patience)
                    if size is None:
                        return await put.stream(manner, begin)
                    return await put.file(Path(file), size, manner, patience)

                done = with_client(context, send)
    seconds = clock.monotonic() - started
    caps = done.caps
    if not as_json:
        _tell(done, seconds)
    known = size is not None or caps.read is not None
    facts: dict[str, Any] = dict(caps.texts()) if caps.read else {"cid": str(caps.cid)}
    facts |= {"bytes": done.size if known else None, "resumedBytes": done.resumed_bytes}
    return Stored(caps, done.size, facts | {"seconds": round(seconds, 3)})


def _tell(done: Done, seconds: float) -> None:
    caps = done.caps
    click.echo(str(caps.cid) if caps.read is None else caps.read.text)
    if caps.cid is not None and done.size:
        rate = format_rate((done.size - done.resumed_bytes) / seconds)
        resumed = done.resumed_bytes
        before = f", {format_size(resumed)} of it sent before" if resumed else ""
        named = "" if caps.read is None else f", encrypted, as {caps.cid}"
        click.echo(f"{format_size(done.size)}{before}{named}, at {rate}", err=True)


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
