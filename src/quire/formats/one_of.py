"""Messages that say one thing of many: a head, then one body whose field number names its kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Protocol, Self, TypeVar

from quire.base.errors import BadEncoding
from quire.formats.protobuf import Fields, bytes_header
from quire.formats.varint import Buffer


class Body(Protocol):
    """A kind of body. `FIELD`: its number in the message."""

    FIELD: ClassVar[int]

    def segments(self) -> tuple[Buffer, ...]:
        """Its fields; long ones are passed on as they are, never copied."""

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Raises BadEncoding."""


B = TypeVar("B", bound=Body)


def kinds(bodies: Iterable[type[B]]) -> dict[int, type[B]]:
    """By their field numbers."""
    return {body.FIELD: body for body in bodies}


def with_body(head: bytes, body: Body) -> tuple[Buffer, ...]:
    inner = body.segments()
    return (head + bytes_header(body.FIELD, sum(len(each) for each in inner)), *inner)


def body_of(
    fields: Fields, known: Mapping[int, type[B]], *, max_bytes: int, max_fields: int = 64
) -> B | None:
    """The body of a message; None when there is none. Raises BadEncoding for more than one."""
    found = [number for number in known if fields.blobs(number)]
    if len(found) > 1:
        raise BadEncoding(f"a message says one thing, not {len(found)}")
    if not found:
        return None
    inner = Fields(fields.blob(found[0]), max_bytes=max_bytes, max_fields=max_fields)
    return known[found[0]].read(inner)
