"""quire get of directories: a whole tree, a part of it, or one file of it, verified here.

    manifest -> index, its blocks proved against the tree -> files, each by the SHA-256 in the index

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
from quire.flow.directory import Directory, NotADirectory, is_directory
from quire.formats.cid import Cid
from quire.formats.directory import FILE, SYMLINK, Entry, sort_key
from quire.formats.manifest import Manifest
from quire.kernels.hashing import verify_range

PROVED_BYTES = 8 * MIB  # of the index in one answer
GAP_BYTES = 1 * MIB  # read over within a run rather than asked for anew


class RemoteDirectory:
    """A directory behind a node that need not be trusted."""

    def __init__(self, client: Client, cid: Cid, manifest: Manifest, timeout: float | None) -> None:
        self._client = client
        self._cid = cid
        self._manifest = manifest
        self._timeout = timeout

    async def open(self) -> Directory:
        """Its index, every block of which is proved. Raises `IntegrityError`."""
        return await Directory.open(self._manifest.original_size, self._read)

    async def _read(self, offset: int, length: int) -> bytes:
        size = self._manifest.block_size
        first, last = offset // size, -(-(offset + length) // size)
        step = max(1, PROVED_BYTES // size)
        parts = [await self._blocks(at, min(step, last - at)) for at in range(first, last, step)]
        start = offset - first * size
        return b"".join(parts)[start : start + length]

    async def _blocks(self, start: int, count: int) -> bytes:
        query = {"start": str(start), "count": str(count)}
        path = f"/datasets/{self._cid}/blocks"
        async with self._client.open(path, query=query, timeout_seconds=self._timeout) as answer:
            cut = int(answer.headers["Quire-Proof-Bytes"])
            body = await answer.read()
        manifest = self._manifest
        proof, data = body[:cut], body[cut:]
        if len(data) != count * manifest.block_size or (
            verify_range(
                data,
                manifest.block_size,
                start,
                manifest.block_count,
                proof,
                manifest.tree_cid.digest,
            )
            is None
        ):
            raise IntegrityError(f"the node sent blocks that are not of {self._cid}")
        return data

    async def content(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes [start, stop) as the node says; the caller checks them."""
        path = f"/data/{self._cid}/network/stream"
        headers = {"Range": f"bytes={start}-{stop - 1}"}
        opened = self._client.open(path, headers=headers, timeout_seconds=self._timeout)
        async with opened as answer:
            if answer.status != 206 and (start, stop) != (0, self._manifest.original_size):
                raise IntegrityError("the node sends the whole where a range was asked for")
            async for piece in answer.content.iter_any():
                yield piece


async def remote_directory(
    client: Client, cid: Cid, timeout: float | None
) -> RemoteDirectory | None:
    """The directory that a CID names; None when it names something else.

    Raises   IntegrityError  the node describes another dataset
    """
    manifest = await client.manifest(cid, timeout_seconds=timeout)
    if not is_directory(manifest):
        return None
    return RemoteDirectory(client, cid, manifest, timeout)


def split_argument(text: str) -> tuple[Cid, str]:
    """`CID` or `CID/path/within` -> CID and path."""
    cid, _, path = text.partition("/")
    return Cid.parse(cid), path.strip("/")


def get_from_tree(
    context: Context, argument: str, output: Path | None, timeout: float | None, *, as_json: bool
) -> bool:
    """Do what `quire get` was asked when it is about a directory; False when it is not.

    Without a place to put it a whole directory is the dataset that it is: a tar archive.
    """
    cid, path = split_argument(argument)
    if not path and output is None:
        return False

    async def get(client: Client) -> dict[str, Any] | None:
        remote = await remote_directory(client, cid, timeout)
        if remote is None:
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
    remote: RemoteDirectory, path: str, output: Path | None, *, is_quiet: bool
) -> dict[str, Any]:
    """Restore a path of a directory to `output`, a file without it to standard output; what was
    done, as facts."""
    directory = await remote.open()
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


async def _to_stdout(remote: RemoteDirectory, entry: Entry) -> dict[str, Any]:
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
    remote: RemoteDirectory, entries: list[Entry], top: Path, *, is_quiet: bool
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


async def _files(
    remote: RemoteDirectory, restorer: Restorer, wanted: list[Entry], report: Report
) -> None:
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

    def __init__(self, remote: RemoteDirectory, run: Sequence[Entry]) -> None:
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
