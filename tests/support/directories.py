"""Directories in memory: read and written by the real code, without a loop and without a node."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, TypeVar

from quire.flow.directory import Directory
from quire.flow.directory_tar import directory_of_tar
from quire.formats.directory import Entry

T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something")


async def opened(data: bytes) -> Directory:
    async def read(offset: int, length: int) -> bytes:
        assert 0 <= offset <= offset + length <= len(data)
        return data[offset : offset + length]

    return await Directory.open(len(data), read)


async def everything(data: bytes) -> list[Entry]:
    directory = await opened(data)
    return [entry async for entry in directory.walk()]


def entries_of(data: bytes) -> list[Entry]:
    """All entries of a directory. Raises what reading it raises."""
    return at_once(everything(data))


def made_of_tar(archive: bytes, piece: int = 100) -> bytes:
    """The directory that a tar stream describes. Raises what refusing it raises."""
    return at_once(_made(archive, piece))


async def _made(archive: bytes, piece: int) -> bytes:
    async def body() -> AsyncGenerator[bytes, None]:
        for at in range(0, len(archive), piece):
            yield archive[at : at + piece]

    pieces: AsyncIterator[bytes] = directory_of_tar(body())
    return b"".join([each async for each in pieces])
