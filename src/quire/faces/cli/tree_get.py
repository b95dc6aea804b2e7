"""quire get of directories: a whole tree, a part of it, or one file of it, verified here.

    manifest -> index, proved or authentic under the key -> files, each by its SHA-256 in the index

What is on the disk already and right is not asked for again; the rest comes in long runs, as it
lies in the dataset, not file by file.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click

from quire.base.errors import InputError, IntegrityError
from quire.base.units import MIB, format_size
from quire.faces.cli.common import show_json, with_client
from quire.faces.cli.main import Context
from quire.faces.cli.progress import Report, progress
from quire.faces.cli.tree_restore import Restorer, restore_order
from quire.faces.client import Client
from quire.faces.remote import Remote, open_remote
from quire.flow.directory import Directory, NotADirectory
from quire.formats.cap import DatasetCap
from quire.formats.cid import Cid
from quire.formats.directory import FILE, MEDIA_TYPE, SYMLINK, Entry, sort_key

GAP_BYTES = 1 * MIB  # read over within a run rather than asked for anew


def get_from_tree(
    context: Context,
    target: Cid | DatasetCap,
    path: str,
    output: Path | None,
    timeout: float | None,
    *,
    as_json: bool,
) -> bool:
    """Do what `quire get` was asked when it is about a directory; False when it is not.

    Without a place to put it a whole directory is the dataset that it is: a tar archive.
    """
    if not path and output is None:
        return False
    cid = target if isinstance(target, Cid) else target.cid

    async def get(client: Client) -> dict[str, Any] | None:
        remote = await open_remote(client, target, timeout)
        if remote.media_type != MEDIA_TYPE:
            if path:
                raise NotADirectory(f"{cid} is not a directory, so there is no {path!r} in it")
            return None
        return await get_tree(remote, path, output, is_quiet=as_json)

    facts = with_client(context, get)
    if facts is None:
        return False
    if as_json:
        show_json({"cid": str(cid), "path": path} | facts)
    elif output is not None:
        click.echo(told(facts), err=True)
    return True


async def get_tree(
    remote: Remote, path: str, output: Path | None, *, is_quiet: bool
) -> dict[str, Any]:
    """Restore a path of a directory to `output`, a file without it to standard output; what was
    done, as facts."""
    directory = await Directory.open(remote.size, remote.read)
    entry = await directory.find(path)
    if entry.kind == SYMLINK:
        raise InputError(f"{path!r} is a symbolic link to {entry.text!r}; get that instead")
    if output is None:
        return await _to_stdout(remote, entry)
    if entry.kind == FILE:
        entries, top = [_moved(entry, output.name)], output.parent
    else:
        cut = len(path) + 1 if path else 0
        async with aclosing(directory.walk(path)) as walk:
            entries = [_moved(e, e.path[cut:]) async for e in walk if e.path != path]
        top = output
    return await _restore(remote, entries, top, is_quiet=is_quiet) | {"output": str(output)}


async def _to_stdout(remote: Remote, entry: Entry) -> dict[str, Any]:
    """Raises `IntegrityError` at the end when the bytes are not right."""
    if entry.kind != FILE:
        raise InputError(f"{entry.path!r} is a directory; give -o DIR to restore it")
    digest = hashlib.sha256()
    if entry.size:
        stop = entry.offset + entry.size
        async with aclosing(remote.content(entry.offset, stop)) as pieces:
            async for piece in pieces:
                digest.update(piece)
                sys.stdout.buffer.write(piece)
        if digest.digest() != entry.digest:
            raise IntegrityError(f"the node sent wrong bytes for {entry.path!r}")
    return {"bytes": entry.size}


async def _restore(
    remote: Remote, entries: list[Entry], top: Path, *, is_quiet: bool
) -> dict[str, Any]:
    directories, files, links = restore_order(entries)
    with Restorer(top) as restorer:
        for entry in directories:
            restorer.make_directory(entry)
        wanted = [entry for entry in files if not restorer.is_right(entry)]
        total = sum(entry.size for entry in wanted)
        with progress("get", total, is_quiet=is_quiet) as report:
            await _files(remote, restorer, wanted, report)
        for entry in links:
            restorer.make_link(entry)
        restorer.finish(directories)
    return {
        "files": len(files),
        "entries": len(entries),
        "bytes": sum(entry.size for entry in files),
        "fetchedFiles": len(wanted),
        "fetchedBytes": total,
        "verified": True,
    }


async def _files(remote: Remote, restorer: Restorer, wanted: list[Entry], report: Report) -> None:
    done_bytes = done = 0
    for run in runs([entry for entry in wanted if entry.size]):
        async with aclosing(_Run(remote, run)) as content:
            for entry in run:
                with restorer.draft(entry) as draft:
                    async for piece in content.read(entry):
                        draft.write(piece)
                        done_bytes += len(piece)
                        report(done_bytes, f"{done} of {len(wanted)} files")
                done += 1
    for entry in wanted:
        if not entry.size:
            with restorer.draft(entry):
                pass


def runs(files: Sequence[Entry]) -> list[list[Entry]]:
    """Files by where they lie, in runs without large gaps between them."""
    found: list[list[Entry]] = []
    end = -1
    for entry in sorted(files, key=lambda each: (each.offset, sort_key(each.path))):
        if found and 0 <= entry.offset - end <= GAP_BYTES:
            found[-1].append(entry)
        else:
            found.append([entry])
        end = entry.offset + entry.size
    return found


class _Run:
    """The bytes of the files of one run, from one answer."""

    def __init__(self, remote: Remote, run: Sequence[Entry]) -> None:
        self._at = run[0].offset
        self._stream = remote.content(self._at, run[-1].offset + run[-1].size)
        self._held = memoryview(b"")

    async def read(self, entry: Entry) -> AsyncGenerator[bytes, None]:
        while self._at < entry.offset:
            await self._take(entry.offset - self._at)
        left = entry.size
        while left:
            piece = await self._take(left)
            left -= len(piece)
            yield piece

    async def _take(self, most: int) -> bytes:
        if not self._held:
            piece = await anext(self._stream, None)
            if piece is None:
                raise IntegrityError("the node ended before the files did; start again to resume")
            self._held = memoryview(piece)
        part, self._held = bytes(self._held[:most]), self._held[most:]
        self._at += len(part)
        return part

    async def aclose(self) -> None:
        await self._stream.aclose()


def _moved(entry: Entry, path: str) -> Entry:
    return Entry(
        path,
        entry.kind,
        entry.mode,
        entry.mtime,
        entry.size,
        entry.offset,
        entry.digest,
        entry.text,
    )


def told(facts: dict[str, Any]) -> str:
    """What was restored, in words."""
    here = facts["files"] - facts["fetchedFiles"]
    words = f"{facts['output']}: {facts['files']} files, {format_size(facts['bytes'])} verified"
    return f"{words}, {here} of them were here already" if here else words
