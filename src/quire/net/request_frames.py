"""How a request and its answer lie in the messages of one channel.

    request  varint seq ‖ payload
    answer   varint seq ‖ varint kind ‖ payload of the protocol            kind 0
                                      ‖ {text = 1, retry_after_ms = 2}     kind 1 busy, 2 refused

The payload is the protocol's own. What every protocol needs, a refusal in words, is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from quire.base.errors import BadEncoding
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.varint import Buffer, decode_varint, encode_varint

FRAME_BYTES = 16  # at most, before the payload
MAX_WORDS_BYTES = 1024
MAX_RETRY_MS = 86_400_000


class Kind(IntEnum):
    ANSWER = 0
    BUSY = 1  # the same request may succeed later
    REFUSED = 2  # it will not


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request got no answer of its protocol."""

    words: str
    is_busy: bool
    retry_after_seconds: float = 0.0

    def encode(self) -> bytes:
        words = self.words.encode("utf-8", "replace")[:MAX_WORDS_BYTES]
        fields = bytes_field(1, words)
        if self.is_busy:
            milliseconds = min(MAX_RETRY_MS, max(0, round(self.retry_after_seconds * 1000)))
            fields += uint_field(2, milliseconds)
        return fields


def request_head(seq: int) -> bytes:
    return encode_varint(seq)


def answer_head(seq: int, kind: Kind = Kind.ANSWER) -> bytes:
    return encode_varint(seq) + encode_varint(kind)


def decode_request(message: Buffer) -> tuple[int, memoryview]:
    """(seq, payload); the payload is a view. Raises BadEncoding."""
    view = memoryview(message)
    seq, start = decode_varint(view)
    return seq, view[start:]


def decode_answer(message: Buffer) -> tuple[int, memoryview | Refusal]:
    """(seq, payload as a view, or why there is none). Raises BadEncoding."""
    view = memoryview(message)
    seq, start = decode_varint(view)
    kind, start = decode_varint(view, start)
    if kind == Kind.ANSWER:
        return seq, view[start:]
    if kind not in (Kind.BUSY, Kind.REFUSED):
        raise BadEncoding(f"an answer of kind {kind} is not known")
    fields = Fields(view[start:], max_bytes=MAX_WORDS_BYTES + FRAME_BYTES)
    words = str(fields.blob(1), "utf-8", "replace")
    retry_ms = min(MAX_RETRY_MS, fields.uint(2))
    return seq, Refusal(words, kind == Kind.BUSY, retry_ms / 1000)
