"""multistream-select 1.0."""

from __future__ import annotations

from collections.abc import Collection

from support.reference.bytes_ import Malformed, Stream, lp, read_lp

HELLO = "/multistream/1.0.0"
MOST = 1024


class Refused(Exception):
    """The other side answered `na`."""


def line(text: str) -> bytes:
    return lp(text.encode() + b"\n")


async def read_line(stream: Stream) -> str:
    data = await read_lp(stream, MOST)
    if not data.endswith(b"\n"):
        raise Malformed("a line without its end")
    return data[:-1].decode()


async def select(stream: Stream, protocol: str) -> None:
    """Ask for a protocol. Raises `Refused`."""
    stream.write(line(HELLO) + line(protocol))
    if await read_line(stream) != HELLO:
        raise Malformed("no multistream")
    if await read_line(stream) != protocol:
        raise Refused(protocol)


async def answer(stream: Stream, protocols: Collection[str]) -> str:
    """What the other side wants that we speak."""
    if await read_line(stream) != HELLO:
        raise Malformed("no multistream")
    stream.write(line(HELLO))
    while True:
        wanted = await read_line(stream)
        if wanted in protocols:
            stream.write(line(wanted))
            return wanted
        stream.write(line("na"))
