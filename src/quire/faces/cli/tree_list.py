"""quire ls CID[/PATH]: what a directory holds, without getting it."""

from __future__ import annotations

import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from quire.base.errors import InputError
from quire.base.units import format_size
from quire.faces.cli.common import show_json, target_of, with_client
from quire.faces.cli.main import Context
from quire.faces.client import Client
from quire.faces.remote import open_remote
from quire.faces.rest.directory_shapes import entry_body
from quire.flow.directory import Directory, NotADirectory
from quire.formats.cap import DatasetCap, LiteralCap
from quire.formats.cid import Cid
from quire.formats.directory import DIRECTORY, MEDIA_TYPE

_KINDS = {"directory": stat.S_IFDIR, "file": stat.S_IFREG, "symlink": stat.S_IFLNK}


def list_tree(
    context: Context, argument: str, timeout: float | None, *, is_recursive: bool, as_json: bool
) -> None:
    """Print one level, or everything below; paths are those within the directory."""
    target, path = target_of(context, argument)
    if isinstance(target, LiteralCap):
        raise InputError("a literal capability holds a few bytes, not a directory")
    cid = target if isinstance(target, Cid) else target.cid

    async def listing(client: Client) -> None:
        found = []
        if isinstance(target, Cid):
            entries = _entries(client, target, path, timeout, is_recursive=is_recursive)
        else:
            entries = _encrypted(client, target, path, timeout, is_recursive=is_recursive)
        async with aclosing(entries):
            async for entry in entries:
                if as_json:
                    found.append(entry)
                else:
                    click.echo(line(entry))
        if as_json:
            show_json({"cid": str(cid), "path": path, "entries": found})

    with_client(context, listing)


async def _entries(
    client: Client, cid: Cid, path: str, timeout: float | None, *, is_recursive: bool
) -> AsyncGenerator[dict[str, Any], None]:
    after: str | None = ""
    while after is not None:
        query = {"path": path, "after": after, "recursive": str(int(is_recursive))}
        part = await client.json("GET", f"/data/{cid}/list", timeout_seconds=timeout, query=query)
        for entry in part["entries"]:
            yield entry
        after = part["next"]


async def _encrypted(
    client: Client, cap: DatasetCap, path: str, timeout: float | None, *, is_recursive: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """The same of an encrypted directory, whose index is read and opened here."""
    remote = await open_remote(client, cap, timeout)
    if remote.media_type != MEDIA_TYPE:
        raise NotADirectory(f"{cap.cid} is not a directory")
    directory = await Directory.open(remote.size, remote.read)
    entry = await directory.find(path)
    if entry.kind != DIRECTORY:
        found = [entry]
    elif is_recursive:
        async with aclosing(directory.walk(path)) as walk:
            found = [each async for each in walk if each.path != path]
    else:
        found = await directory.children(path)
    for each in found:
        yield msgspec.to_builtins(entry_body(each))


def line(entry: dict[str, Any]) -> str:
    """Mode, size, time and path; control characters in names are shown, never sent."""
    kind = _KINDS.get(entry["kind"], 0)
    mode = stat.filemode(kind | (entry["mode"] or 0))
    size = "" if entry["size"] is None else format_size(entry["size"])
    when = _time(entry["mtimeNs"])
    target = f" -> {entry['target']}" if "target" in entry else ""
    name = "".join(c if c.isprintable() else repr(c)[1:-1] for c in entry["path"] + target)
    return f"{mode} {size:>11} {when:<16} {name}"


def _time(nanoseconds: int | None) -> str:
    if nanoseconds is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(nanoseconds // 10**9, UTC):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return ""
