"""Builds a directory out of datasets: the bytes of each are read and stored again within it.

The directory holds everything itself, so it is kept, fetched and deleted as the one dataset that it
is. Blocks of large files lie on block borders and are the same blocks: the store keeps them once.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from quire.flow.download import Downloads
from quire.flow.fetch import Fetches
from quire.flow.upload import UploadOrder, Uploads
from quire.formats.cid import Cid
from quire.formats.directory import FILE, MEDIA_TYPE, Entry
from quire.formats.directory_writer import DirectoryWriter
from quire.store.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be, and the dataset with its bytes; None for a directory or a link."""

    entry: Entry
    dataset: Dataset | None


def planned_size(entries: Sequence[Entry]) -> int:
    """Bytes of the directory of these entries. Raises what `DirectoryWriter` raises."""
    writer = DirectoryWriter()
    for entry in entries:
        writer.begin(entry)
        writer.end()
    writer.finish()
    return writer.position


class DirectoryBuilder:
    """Stores directories on this node."""

    def __init__(self, uploads: Uploads, downloads: Downloads, fetches: Fetches) -> None:
        self._uploads = uploads
        self._downloads = downloads
        self._fetches = fetches

    async def sources(
        self, wanted: Sequence[tuple[Entry, Cid | None]], timeout_seconds: float
    ) -> list[Source]:
        """The datasets of all files, in the order of their paths, with their sizes entered.

        Raises   UnknownDataset, DeadlineExceeded  one is not to be had
        """
        found: list[Source] = []
        for entry, cid in sorted(wanted, key=lambda each: each[0].key):
            if cid is None:
                found.append(Source(entry, None))
                continue
            dataset = await self._fetches.manifest(cid, timeout_seconds)
            manifest = dataset.manifest
            text = entry.text or manifest.mimetype or ""
            size = manifest.original_size
            found.append(
                Source(Entry(entry.path, FILE, entry.mode, entry.mtime, size, text=text), dataset)
            )
        return found

    async def build(
        self,
        sources: Sequence[Source],
        *,
        block_size: int,
        filename: str | None,
        idle_seconds: float,
    ) -> Dataset:
        """Store the directory; durable when this returns.

        Raises   InputError     two entries exclude each other
                 QuotaExceeded  it does not fit, known before the first byte
        """
        order = UploadOrder(
            block_size=block_size,
            expected_bytes=planned_size([source.entry for source in sources]),
            filename=filename,
            mimetype=MEDIA_TYPE,
        )
        async with aclosing(self._pieces(sources, idle_seconds)) as pieces:
            return await self._uploads.run(pieces, order)

    async def _pieces(
        self, sources: Sequence[Source], idle_seconds: float
    ) -> AsyncGenerator[bytes | memoryview, None]:
        writer = DirectoryWriter()
        for source in sources:
            yield writer.begin(source.entry)
            digest = hashlib.sha256()
            if source.dataset is not None and source.entry.size:
                chunks = self._downloads.read(source.dataset, idle_seconds=idle_seconds)
                async with aclosing(chunks):
                    async for chunk in chunks:
                        digest.update(chunk)
                        yield chunk
            yield writer.end(digest.digest())
        yield writer.finish()


ReadRange = Callable[[int, int], Awaitable[bytes]]


def reader_of(downloads: Downloads, dataset: Dataset, idle_seconds: float) -> ReadRange:
    """`read(offset, length)` of a dataset, from here or from other nodes."""

    async def read(offset: int, length: int) -> bytes:
        chunks = downloads.read(dataset, offset=offset, length=length, idle_seconds=idle_seconds)
        async with aclosing(chunks):
            return b"".join([bytes(chunk) async for chunk in chunks])

    return read
