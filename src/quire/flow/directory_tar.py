"""A tar stream becomes the bytes of a directory, and a directory a tar stream, in passing.

Neither is ever held whole: memory is one piece and, for the index, the names.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing

from quire.base.errors import InputError
from quire.flow.directory import Directory
from quire.flow.download import Downloads
from quire.formats.directory import DIRECTORY, FILE, SYMLINK, TAR_END, TAR_RECORD, Entry
from quire.formats.directory_writer import DirectoryWriter
from quire.formats.tar import (
    EXTENSION,
    LINK,
    Member,
    decode_extension,
    decode_header,
    encode_header,
    padding,
)
from quire.store.dataset import Dataset

EXTENSIONS_MAX = 8  # before one member
SKIP_BYTES = 1 << 20  # a gap that is read over rather than read anew
ZEROS = bytes(TAR_RECORD)


async def directory_of_tar(body: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The bytes of the directory that a tar stream describes.

    Raises   InputError   a member is refused, or the stream is cut short
             BadEncoding  it is not a tar archive
    """
    feed, writer = _Feed(body), DirectoryWriter()
    while (member := await _next_member(feed)) is not None:
        if not member.path:
            continue  # the top directory itself
        entry = _entry(member)
        if member.kind == LINK:
            yield writer.link(entry, member.target)
            continue
        yield writer.begin(entry)
        digest, left = hashlib.sha256(), entry.size
        while left:
            piece = await feed.some(left)
            digest.update(piece)
            left -= len(piece)
            yield piece
        await feed.exactly(len(padding(entry.size)))
        yield writer.end(digest.digest())
    await feed.drain()
    yield writer.finish()


def _entry(member: Member) -> Entry:
    kind = FILE if member.kind == LINK else member.kind
    text = member.target if kind == SYMLINK else ""
    return Entry(member.path, kind, member.mode, member.mtime, member.size, text=text)


async def _next_member(feed: _Feed) -> Member | None:
    """The next member with all that is said about it; None at the end marker."""
    pax: dict[str, str] = {}
    for _ in range(EXTENSIONS_MAX + 1):
        block = await feed.exactly(TAR_RECORD)
        if block == ZEROS:
            return None
        member = decode_header(block, pax)
        if member.kind != EXTENSION:
            return member
        body = await feed.exactly(member.size)
        await feed.exactly(len(padding(member.size)))
        decode_extension(member, body, pax)
    raise InputError(f"more than {EXTENSIONS_MAX} extensions before one member of the archive")


class _Feed:
    """Pieces of any size, taken as one needs them."""

    def __init__(self, body: AsyncIterable[bytes]) -> None:
        self._pieces = aiter(body)
        self._held = memoryview(b"")

    async def some(self, most: int) -> bytes:
        """At least one byte, at most so many. Raises `InputError` at the end of the stream."""
        while not self._held:
            piece = await anext(self._pieces, None)
            if piece is None:
                raise InputError("the archive is cut short; nothing was kept, send it again")
            self._held = memoryview(piece)
        part = self._held[:most]
        self._held = self._held[most:]
        return bytes(part)

    async def exactly(self, size: int) -> bytes:
        parts = []
        while size:
            parts.append(await self.some(size))
            size -= len(parts[-1])
        return b"".join(parts)

    async def drain(self) -> None:
        """Read what follows the end marker, which means nothing."""
        self._held = memoryview(b"")
        async for _ in self._pieces:
            pass


async def tar_size(directory: Directory, path: str) -> tuple[int, int]:
    """(bytes of the tar of a path, where the last bytes of its files end in the dataset)."""
    size, end = len(TAR_END), 0
    async for entry in directory.walk(path):
        size += len(encode_header(entry)) + entry.size + len(padding(entry.size))
        end = max(end, entry.offset + entry.size)
    return size, end


async def tar_of_directory(
    directory: Directory, path: str, end: int, downloads: Downloads, dataset: Dataset, idle: float
) -> AsyncGenerator[bytes | memoryview, None]:
    """The tar stream of a path and everything below it; `end` and the size from `tar_size`."""
    async with aclosing(ContentReader(downloads, dataset, end, idle)) as content:
        async for entry in directory.walk(path):
            yield encode_header(entry)
            if entry.kind == DIRECTORY or not entry.size:
                continue
            async for chunk in content.read(entry.offset, entry.size):
                yield chunk
            yield padding(entry.size)
    yield TAR_END


class ContentReader:
    """Reads many parts of one dataset; parts that follow each other share one download."""

    def __init__(self, downloads: Downloads, dataset: Dataset, end: int, idle: float) -> None:
        self._downloads = downloads
        self._dataset = dataset
        self._end = end
        self._idle = idle
        self._stream: AsyncGenerator[memoryview, None] | None = None
        self._held = memoryview(b"")
        self._at = 0

    async def read(self, offset: int, size: int) -> AsyncGenerator[memoryview, None]:
        if self._stream is None or not 0 <= offset - self._at <= SKIP_BYTES:
            await self.aclose()
            self._stream = self._downloads.read(
                self._dataset, offset=offset, length=self._end - offset, idle_seconds=self._idle
            )
            self._at = offset
        while self._at < offset:
            await self._take(offset - self._at)
        while size:
            part = await self._take(size)
            size -= len(part)
            yield part

    async def _take(self, most: int) -> memoryview:
        assert self._stream is not None
        if not self._held:
            self._held = await anext(self._stream)
        part, self._held = self._held[:most], self._held[most:]
        self._at += len(part)
        return part

    async def aclose(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()
            self._stream = None
            self._held = memoryview(b"")
