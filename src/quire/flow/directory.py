"""Reads a directory: finds a path, lists a level, walks a part of the tree, each with few reads.

    last block: footer, table -> the page that holds the path -> the bytes of the file

Pages that were read are remembered for as long as the `Directory` is. What comes from another place
than the caller's own node must be verified by the `read` that is given.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeAlias

from quire.base.errors import InputError, NotFound
from quire.formats.directory import (
    DIRECTORY,
    FOOTER_BYTES,
    MEDIA_TYPE,
    Entry,
    Footer,
    PageRef,
    check_path,
    decode_footer,
    decode_page,
    decode_table,
    sort_key,
)
from quire.formats.manifest import Manifest

Read: TypeAlias = Callable[[int, int], Awaitable[bytes]]

TAIL_BYTES = 65_536  # read at first: the footer and, of most directories, the table
PAGES_KEPT = 64


class NotADirectory(InputError):
    """A path was looked for in what has none."""

    code, http = "not-a-directory", 409
    hint = "quire stat shows what a CID names"


class UnknownPath(NotFound):
    """The directory has no such entry."""

    code = "unknown-path"
    hint = "quire ls shows what a directory holds"


def is_directory(manifest: Manifest) -> bool:
    """Whether the dataset says that it is one."""
    return manifest.mimetype == MEDIA_TYPE


class Directory:
    """The index of one directory. Made by `open`."""

    def __init__(self, read: Read, footer: Footer, table: list[PageRef]) -> None:
        self.footer = footer
        self._read = read
        self._table = table
        self._keys = [sort_key(ref.first_path) for ref in table]
        self._pages: OrderedDict[int, list[Entry]] = OrderedDict()

    @classmethod
    async def open(cls, size: int, read: Read) -> Directory:
        """`size` in bytes, of the dataset; `read(offset, length)` gives its bytes.

        Raises   BadEncoding  it is no directory, or a broken one
        """
        start = max(0, size - TAIL_BYTES)
        tail = await read(start, size - start)
        footer = decode_footer(tail[-FOOTER_BYTES:], size)
        if footer.table_offset >= start:
            at = footer.table_offset - start
            rows = tail[at : at + footer.table_bytes]
        else:
            rows = await read(footer.table_offset, footer.table_bytes)
        return cls(read, footer, decode_table(rows, footer))

    async def find(self, path: str) -> Entry:
        """The entry of a path; of the empty path the top directory. Raises `UnknownPath`."""
        if not path:
            return Entry("", DIRECTORY)
        key = sort_key(check_path(path))
        at = bisect_right(self._keys, key) - 1
        if at >= 0:
            for entry in await self._page(at):
                if entry.path == path:
                    return entry
        raise UnknownPath(f"the directory has no {path!r}")

    async def walk(self, path: str = "", *, after: str = "") -> AsyncGenerator[Entry, None]:
        """Everything below a directory, and the entry itself unless it is the top; in order, behind
        the path `after` when given."""
        prefix = sort_key(path) + "\0" if path else ""
        start = sort_key(path)
        if after:
            start = max(start, sort_key(after) + "\0")
        async for entry in self._from(start):
            if path and entry.path != path and not entry.key.startswith(prefix):
                return
            if not after or entry.key > sort_key(after):
                yield entry

    async def children(
        self, path: str = "", *, after: str = "", limit: int | None = None
    ) -> list[Entry]:
        """The entries right in a directory, in order; at most `limit`, behind the name `after`."""
        found: list[Entry] = []
        prefix = sort_key(path) + "\0" if path else ""
        at = prefix + after + "\1" if after else prefix
        while limit is None or len(found) < limit:
            entry = await self._first(at)
            if entry is None or not entry.key.startswith(prefix):
                break
            name = entry.key[len(prefix) :].partition("\0")[0]
            if entry.key == prefix + name:
                found.append(entry)
            at = prefix + name + "\1"  # behind everything in it
        return found

    async def _first(self, key: str) -> Entry | None:
        """The first entry at or behind a key."""
        async for entry in self._from(key):
            return entry
        return None

    async def _from(self, key: str) -> AsyncGenerator[Entry, None]:
        for at in range(max(0, bisect_right(self._keys, key) - 1), len(self._table)):
            entries = await self._page(at)
            low = 0
            if entries[0].key < key:
                low = bisect_right(entries, key, key=lambda entry: entry.key)
                if entries[low - 1].key == key:
                    low -= 1
            for entry in entries[low:]:
                yield entry

    async def _page(self, at: int) -> list[Entry]:
        known = self._pages.get(at)
        if known is not None:
            self._pages.move_to_end(at)
            return known
        ref = self._table[at]
        after = self._table[at + 1].first_path if at + 1 < len(self._table) else None
        data = await self._read(ref.offset, ref.length)
        entries = decode_page(data, ref, after, self.footer.tar_bytes)
        self._pages[at] = entries
        if len(self._pages) > PAGES_KEPT:
            self._pages.popitem(last=False)
        return entries
