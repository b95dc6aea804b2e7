"""quire put DIR: a tree on this disk becomes one dataset, a directory, in one pass."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from quire.base.clock import SystemClock
from quire.base.errors import InputError
from quire.base.units import MIB, format_rate, format_size
from quire.dataset.envelope.header import Header
from quire.dataset.envelope.records import BLOCK_BYTES
from quire.faces.cli.common import with_client
from quire.faces.cli.main import Context
from quire.faces.cli.progress import Report, progress
from quire.faces.cli.put_file import Stored
from quire.faces.cli.tree_scan import Found, scan
from quire.faces.client import Client
from quire.faces.encrypting import Caps
from quire.flow.directory_build import planned_size
from quire.flow.encrypt import Encryption, encrypted
from quire.formats.cid import Cid
from quire.formats.directory import FILE, MEDIA_TYPE
from quire.formats.directory_writer import DirectoryWriter

PIECE_BYTES = 1 * MIB
NAME_SUFFIX = ".tar"  # of the dataset: it can be read as such


def put_tree(
    context: Context,
    top: Path,
    *,
    name: str | None,
    has_times: bool,
    skip_special: bool,
    plan: Callable[[Header], Encryption] | None,
    as_json: bool,
) -> Stored:
    """Store the tree below `top`, and print what names it unless that goes into the JSON. Its size
    is the bytes of its files.

    name   of the dataset; None for none
    plan   how it is encrypted; None: not at all
    """
    clock = SystemClock()
    started = clock.monotonic()
    found, skipped = scan(top, keep_times=has_times, skip_special=skip_special)
    for line in skipped:
        click.echo(f"left out: {line}", err=True)
    size = planned_size([each.entry for each in found])
    encryption = None if plan is None else plan(Header(size, name, MEDIA_TYPE))
    with progress("put", size, is_quiet=as_json) as report:

        async def send(client: Client) -> Cid:
            pieces = directory_pieces(found, report)
            if encryption is None:
                text = await client.put(pieces, size=size, filename=name, mimetype=MEDIA_TYPE)
            else:
                made = encrypted(encryption, lambda _start: pieces)
                text = await client.put(made, size=encryption.dataset_bytes, block_size=BLOCK_BYTES)
            return Cid.parse(text)

        cid = with_client(context, send)
    caps = Caps.of(encryption.read_cap(cid)) if encryption else Caps(None, None, None, cid)
    seconds = clock.monotonic() - started
    files = sum(each.entry.kind == FILE for each in found)
    held = sum(each.entry.size for each in found)
    if not as_json:
        click.echo(cid if caps.read is None else caps.read.text)
        click.echo(f"{files} files, {format_size(held)} at {format_rate(held / seconds)}", err=True)
    facts: dict[str, Any] = dict(caps.texts()) if caps.read else {"cid": str(cid)}
    facts |= {"bytes": held, "files": files, "entries": len(found)}
    return Stored(caps, held, facts | {"skipped": len(skipped), "seconds": round(seconds, 3)})


def name_of_tree(top: Path) -> str:
    """The name that the dataset of a tree has."""
    return (top.resolve().name or "directory") + NAME_SUFFIX


async def directory_pieces(found: Sequence[Found], report: Report) -> AsyncGenerator[bytes, None]:
    """The bytes of the directory, read by a worker thread.

    Raises   InputError  a file changed while it was read
    """
    loop = asyncio.get_running_loop()
    pieces = _pieces(found)
    sent = 0
    while (step := await loop.run_in_executor(None, _next, pieces)) is not None:
        files, piece = step
        yield piece
        sent += len(piece)
        report(sent, f"{files} files")


def _next(pieces: Iterator[tuple[int, bytes]]) -> tuple[int, bytes] | None:
    return next(pieces, None)


def _pieces(found: Sequence[Found]) -> Iterator[tuple[int, bytes]]:
    """(files read so far, about a MiB)."""
    writer, held, files = DirectoryWriter(), bytearray(), 0
    for each in found:
        held += writer.begin(each.entry)
        digest = hashlib.sha256()
        if each.entry.kind == FILE:
            for data in _content(each):
                digest.update(data)
                held += data
                if len(held) >= PIECE_BYTES:
                    yield files, bytes(held)
                    held.clear()
            files += 1
        held += writer.end(digest.digest())
        if len(held) >= PIECE_BYTES:
            yield files, bytes(held)
            held.clear()
    held += writer.finish()
    yield files, bytes(held)


def _content(each: Found) -> Iterator[bytes]:
    left = each.entry.size
    try:
        descriptor = os.open(each.place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            _check_same(each, file)
            while left and (data := file.read(min(left, PIECE_BYTES))):
                left -= len(data)
                yield data
            _check_same(each, file)
    except OSError as error:
        raise InputError(
            f"{each.place} cannot be read any more: {error.strerror}; nothing was kept"
        ) from None
    if left:
        raise InputError(f"{each.place} became shorter while it was read; nothing was kept")


def _check_same(each: Found, file: BinaryIO) -> None:
    state = os.fstat(file.fileno())
    now = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)
    if now != (*each.inode, each.entry.size, each.mtime):
        raise InputError(
            f"{each.place} changed while the directory was read; nothing was kept, put it again"
        )
