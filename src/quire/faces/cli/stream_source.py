"""What a command streams: a file or standard input, encrypted on its way unless told not to."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from quire.base.errors import InputError
from quire.dataset.envelope.header import Header
from quire.faces.cli.put_file import readable
from quire.faces.encrypting import READ_BYTES, random_plan
from quire.flow.encrypt import Encryption, encrypted
from quire.formats.cap import ReadCap
from quire.formats.cid import Cid


@dataclass(frozen=True, slots=True)
class Source:
    """What streams by. `plan`: how it is encrypted on its way, None when it goes as it is."""

    file: BinaryIO
    size: int
    name: str | None
    plan: Encryption | None

    @property
    def sent_bytes(self) -> int:
        return self.size if self.plan is None else self.plan.dataset_bytes

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """As they leave this process."""
        found = self._content(0) if self.plan is None else encrypted(self.plan, self._content)
        async for piece in found:
            yield piece

    def cap(self, cid: str) -> ReadCap | None:
        """What opens a dataset of it."""
        return None if self.plan is None else self.plan.read_cap(Cid.parse(cid))

    async def _content(self, _start: int) -> AsyncGenerator[bytes, None]:
        loop, left = asyncio.get_running_loop(), self.size
        while left and (piece := await loop.run_in_executor(None, self._read, left)):
            left -= len(piece)
            yield piece
        if left:
            raise InputError(f"the stream ended {left} bytes before the {self.size} that were said")

    def _read(self, left: int) -> bytes:
        return self.file.read(min(READ_BYTES, left))


@contextmanager
def opened_source(file: str, size: int | None, *, is_plain: bool) -> Iterator[Source]:
    """A file, or standard input (-) of which the size has to be said. Raises InputError."""
    if file == "-":
        if size is None:
            raise InputError("nobody knows how much comes from standard input: give its --size")
        yield _source(sys.stdin.buffer, size, None, is_plain)
        return
    path = Path(file)
    try:
        opened = path.open("rb")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None
    with opened:
        length = os.fstat(opened.fileno()).st_size
        if size not in (None, length):
            raise InputError(f"{file} has {length} bytes, not {size}; --size is for streams")
        yield _source(opened, length, readable(path.name), is_plain)


def _source(file: BinaryIO, size: int, name: str | None, is_plain: bool) -> Source:
    """The name of what is encrypted is encrypted too."""
    if is_plain:
        return Source(file, size, name, None)
    return Source(file, size, None, random_plan(Header(size, name), is_padded=True))
