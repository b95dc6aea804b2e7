"""Before stage 1, at whoever has the key: content becomes the ciphertext of a dataset.

    content ─► header ‖ content ‖ padding ─► records, encrypted by a worker thread ─► upload

The same plan gives the same ciphertext, so an upload that broke off goes on at any byte of it.
Afterwards `Encryption.read_cap` names the dataset.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, TypeAlias

from quire.base.errors import InputError
from quire.base.invariant import invariant
from quire.base.units import MIB
from quire.dataset.envelope.convergent import ConvergentKey
from quire.dataset.envelope.header import FIXED_BYTES, META_BYTES_MAX, Header
from quire.dataset.envelope.keys import FileKeys
from quire.dataset.envelope.records import (
    BLOCK_BYTES,
    RECORD_BYTES,
    RecordWriter,
    ciphertext_bytes,
)
from quire.formats.cap import CONVERGENT, PADDED, ReadCap, Suite
from quire.formats.cid import Cid
from quire.formats.varint import Buffer

Pieces: TypeAlias = AsyncIterable[Buffer]
# The content from a byte on; asked anew when an upload goes on.
ContentFrom: TypeAlias = Callable[[int], AsyncGenerator[bytes, None]]

BATCH_BYTES = 1 * MIB  # given to a worker thread in one call, at least
_ZEROS = bytes(BATCH_BYTES)


@dataclass(frozen=True, slots=True)
class Encryption:
    """How one content is encrypted. Everything about the ciphertext follows from it and the
    content."""

    keys: FileKeys
    header: Header
    is_padded: bool = True
    is_convergent: bool = False

    @classmethod
    def of(
        cls,
        file_key: bytes,
        suite: Suite,
        header: Header,
        *,
        is_padded: bool = True,
        is_convergent: bool = False,
    ) -> Encryption:
        """file_key: 32 random bytes, or those of `convergent_key`; never used for anything else.

        Raises   InputError  name and type are too long
        """
        if len(header.meta) > META_BYTES_MAX:
            raise InputError(f"file name and media type are longer than {META_BYTES_MAX} bytes")
        invariant(not (is_convergent and header.meta), "a convergent stream has no name or type")
        return cls(FileKeys.of(file_key, suite), header, is_padded, is_convergent)

    @property
    def stream_bytes(self) -> int:
        return self.header.stream_bytes(padded=self.is_padded)

    @property
    def dataset_bytes(self) -> int:
        """Length of the ciphertext."""
        return ciphertext_bytes(self.stream_bytes)

    def read_cap(self, cid: Cid) -> ReadCap:
        """The capability, once the manifest's CID is known."""
        flags = CONVERGENT * self.is_convergent | PADDED * self.is_padded
        return ReadCap(self.keys.suite, flags, cid, self.keys.file_key)


async def encrypted(
    plan: Encryption, content: ContentFrom, start: int = 0
) -> AsyncGenerator[bytes, None]:
    """The ciphertext from byte `start` on, in pieces of whole records but for the first and last.

    Raises   InputError  the content is not as long as the plan says
    """
    invariant(0 <= start <= plan.dataset_bytes, "a place in the ciphertext", start=start)
    if start == plan.dataset_bytes:
        return
    first, skipped = divmod(start, BLOCK_BYTES)
    writer = RecordWriter(plan.keys, first)
    loop = asyncio.get_running_loop()
    stream = _stream(plan, content, first * RECORD_BYTES)
    async with aclosing(stream), aclosing(_batches(stream)) as batches:
        async for batch in batches:
            made = await loop.run_in_executor(None, _write_all, writer, batch)
            if made:
                yield made[skipped:] if skipped else made
                skipped = 0
    yield writer.finish()[skipped:]


async def convergent_key(
    content: AsyncIterable[Buffer],
    content_bytes: int,
    secret: bytes,
    suite: Suite,
    *,
    is_padded: bool,
) -> bytes:
    """The file key that follows from a content and a secret: one pass over the content.

    Raises   InputError  the content is not as long as was said
    """
    maker = ConvergentKey(secret, suite, content_bytes, padded=is_padded)
    loop = asyncio.get_running_loop()
    done = 0
    async for piece in content:
        done += len(piece)
        await loop.run_in_executor(None, maker.update, piece)
    _check_length(done, content_bytes)
    return maker.file_key()


async def _stream(
    plan: Encryption, content: ContentFrom, start: int
) -> AsyncGenerator[Buffer, None]:
    """The plain stream from byte `start` on."""
    head = plan.header.encode()
    if start < len(head):
        yield head[start:]
    done = min(max(0, start - len(head)), plan.header.content_bytes)
    async with aclosing(content(done)) as pieces:
        async for piece in pieces:
            done += len(piece)
            if done > plan.header.content_bytes:
                break
            yield piece
    _check_length(done, plan.header.content_bytes)
    left = plan.stream_bytes - max(start, len(head) + done)
    while left > 0:
        yield _ZEROS[:left]
        left -= len(_ZEROS)


def _check_length(found: int, said: int) -> None:
    if found != said:
        raise InputError(
            f"the content has {'more than' if found > said else f'{found} of'} the {said} bytes "
            "that it was said to have; it changed while it was read, start again"
        )


async def _batches(pieces: AsyncIterable[Buffer]) -> AsyncGenerator[list[Buffer], None]:
    """Pieces, together at least BATCH_BYTES but for the last."""
    held: list[Buffer] = []
    size = 0
    async for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= BATCH_BYTES:
            yield held
            held, size = [], 0
    if held:
        yield held


def _write_all(writer: RecordWriter, pieces: list[Buffer]) -> bytes:
    made = [writer.write(piece) for piece in pieces]
    return made[0] if len(made) == 1 else b"".join(made)


class Spooled:
    """A content whose length is known at its end only. Its ciphertext waits in a file, but for the
    first record, which says the length; so no plain byte is written anywhere."""

    def __init__(
        self, file_key: bytes, suite: Suite, name: str | None, media_type: str | None, *,
        is_padded: bool, file: BinaryIO,
    ) -> None:  # fmt: skip
        """file: empty, to be written and read."""
        self._plan = partial(Encryption.of, file_key, suite, is_padded=is_padded)
        self._meta = (name, media_type)
        self._keys = FileKeys.of(file_key, suite)
        self._room = RECORD_BYTES - FIXED_BYTES - len(Header(0, name, media_type).meta)
        self._first = bytearray()
        self._rest = RecordWriter(self._keys, 1)
        self._file = file
        self._content_bytes = 0

    async def take(self, content: Pieces) -> Encryption:
        """Encrypt all of a content; how it was encrypted."""
        loop = asyncio.get_running_loop()
        async for piece in content:
            await loop.run_in_executor(None, self._add, piece)
        plan = self._plan(Header(self._content_bytes, *self._meta))
        await loop.run_in_executor(None, self._pad, plan)
        return plan

    async def ciphertext(self, plan: Encryption) -> AsyncGenerator[bytes, None]:
        """The ciphertext, after `take`."""
        stream = plan.header.encode() + bytes(self._first)
        stream = stream.ljust(min(plan.stream_bytes, RECORD_BYTES), b"\0")
        writer = RecordWriter(self._keys)
        if plan.stream_bytes > RECORD_BYTES:
            yield writer.write(stream + b"\0")  # a byte of the next record lets this one go
        else:
            writer.write(stream)
            yield writer.finish()
            return
        loop = asyncio.get_running_loop()
        self._file.seek(0)
        while piece := await loop.run_in_executor(None, self._file.read, BATCH_BYTES):
            yield piece

    def _add(self, piece: Buffer) -> None:
        self._content_bytes += len(piece)
        view = memoryview(piece)
        room = self._room - len(self._first)
        self._first += view[:room]
        if view[room:]:
            self._file.write(self._rest.write(view[room:]))

    def _pad(self, plan: Encryption) -> None:
        begun = max(RECORD_BYTES, FIXED_BYTES + len(plan.header.meta) + self._content_bytes)
        left = plan.stream_bytes - begun
        while left > 0:
            self._file.write(self._rest.write(_ZEROS[:left]))
            left -= len(_ZEROS)
        if plan.stream_bytes > RECORD_BYTES:
            self._file.write(self._rest.finish())
        self._file.flush()
