"""After stage 4, at whoever has the key: a range of content from the records that hold it.

    read capability ─► record 0: does the key fit? what is it? ─► records of the wanted range

Only record 0 is read before it is known that the key fits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeAlias

from quire.base.errors import BadEncoding, InputError, IntegrityError
from quire.base.units import MIB
from quire.dataset.envelope.header import Header, check_stream_length, decode_header
from quire.dataset.envelope.keys import FileKeys
from quire.dataset.envelope.records import BLOCK_BYTES, RECORD_BYTES, RecordOpener
from quire.formats.cap import ReadCap
from quire.formats.varint import Buffer

# The bytes [start, stop) of a ciphertext, in pieces of any size.
ReadRange: TypeAlias = Callable[[int, int], AsyncGenerator[Buffer, None]]

BATCH_RECORDS = MIB // BLOCK_BYTES  # opened in one call, once that many are here


class EncryptedContent:
    """The content behind a read capability. Made by `open`."""

    def __init__(
        self, keys: FileKeys, header: Header, begin: int, opener: RecordOpener, first: bytes
    ) -> None:
        self.keys = keys
        self.header = header
        self.begin = begin  # of the content, in the plain stream
        self.opener = opener
        self._first = first

    @classmethod
    async def open(cls, cap: ReadCap, dataset_bytes: int, read: ReadRange) -> EncryptedContent:
        """`read` must give bytes that the CID vouches for; it is asked for record 0 alone.

        Raises   WrongKey        the capability does not fit the dataset
                 IntegrityError  it is no encrypted dataset, or was cut
        """
        keys = FileKeys.of(cap.file_key, cap.suite)
        opener = RecordOpener(keys, dataset_bytes)
        start, stop = opener.span(0, 1)
        async with aclosing(read(start, stop)) as pieces:
            block = b"".join([bytes(piece) async for piece in pieces])
        if len(block) != stop - start:
            raise IntegrityError(f"{len(block)} of {stop - start} bytes came of the first record")
        first = opener.open_first(block)
        try:
            header, begin = decode_header(first)
        except BadEncoding as error:
            raise IntegrityError(f"the encrypted dataset cannot be read: {error.message}") from None
        check_stream_length(begin, header.content_bytes, opener.stream_bytes, cap.is_padded)
        return cls(keys, header, begin, opener, first)

    @property
    def size(self) -> int:
        """Bytes of the content."""
        return self.header.content_bytes

    @property
    def header_bytes(self) -> bytes:
        """What stands before the content in the plain stream."""
        return self._first[: self.begin]

    @property
    def record_count(self) -> int:
        """Records that hold some of the content, or the header; behind them is padding."""
        return max(1, -(-(self.begin + self.size) // RECORD_BYTES))

    def content_span(self, first: int, count: int) -> tuple[int, int]:
        """The bytes of the content, as [start, stop), that such records hold."""
        low, high = first * RECORD_BYTES - self.begin, (first + count) * RECORD_BYTES - self.begin
        return min(max(0, low), self.size), min(max(0, high), self.size)

    def of_records(self, first: int, ciphertext: Buffer) -> bytes:
        """The content that whole records hold. Raises IntegrityError."""
        plain = self.opener.open(first, ciphertext)
        start, stop = self.content_span(first, -(-len(ciphertext) // BLOCK_BYTES))
        base = first * RECORD_BYTES - self.begin
        return plain[start - base : stop - base]

    async def read(self, start: int, stop: int, read: ReadRange) -> AsyncGenerator[bytes, None]:
        """The bytes [start, stop) of the content. Nothing comes out that was not authentic.

        Raises   InputError      the range is not inside the content
                 IntegrityError  a record was changed, or fewer bytes came
        """
        if not 0 <= start <= stop <= self.size:
            raise InputError(f"bytes {start} to {stop} are not inside the {self.size} of the file")
        low, high = self.begin + start, self.begin + stop
        if low < min(high, RECORD_BYTES):
            yield self._first[low:high]
            low = RECORD_BYTES
        if low >= high:
            return
        at, last = low // RECORD_BYTES, -(-high // RECORD_BYTES)
        begin, end = self.opener.span(at, last - at)
        async with aclosing(_records(read(begin, end), end - begin)) as runs:
            async for run in runs:
                plain = await self._open(at, run)
                base = at * RECORD_BYTES
                yield plain[max(0, low - base) : high - base]
                at += -(-len(run) // BLOCK_BYTES)

    async def _open(self, first: int, run: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self.opener.open, first, run)


async def _records(
    pieces: AsyncGenerator[Buffer, None], wanted_bytes: int
) -> AsyncGenerator[bytes, None]:
    """Whole records, many at a time."""
    held: list[Buffer] = []
    size = done = 0
    async with aclosing(pieces):
        async for piece in pieces:
            held.append(piece)
            size += len(piece)
            done += len(piece)
            if done > wanted_bytes:
                break
            if size >= BLOCK_BYTES * BATCH_RECORDS or done == wanted_bytes:
                whole = b"".join(held)
                take = size if done == wanted_bytes else size - size % BLOCK_BYTES
                yield whole[:take]
                held, size = [whole[take:]], size - take
    if done != wanted_bytes:
        raise IntegrityError(f"{done} of {wanted_bytes} bytes came of an encrypted dataset")
