"""The head of an answer: a code, words for people, and when to ask again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

from quire.base.errors import BadEncoding
from quire.formats.protobuf import Fields, bytes_field, uint_field

MAX_TEXT_BYTES = 1024
MAX_RETRY_MS = 86_400_000
_CODE, _TEXT, _RETRY = 2, 3, 4

C = TypeVar("C", bound=IntEnum)


@dataclass(frozen=True, slots=True)
class AnswerHead(Generic[C]):
    """Longer words are cut; nobody is sent away for more than a day."""

    code: C
    text: str = ""
    retry_after_ms: int = 0

    def encode(self) -> bytes:
        head = uint_field(_CODE, self.code)
        if self.text:
            head += bytes_field(_TEXT, self.text.encode("utf-8", "replace")[:MAX_TEXT_BYTES])
        if self.retry_after_ms:
            head += uint_field(_RETRY, self.retry_after_ms)
        return head


def read_head(fields: Fields, codes: type[C]) -> AnswerHead[C]:
    """Raises BadEncoding for a code that is not known."""
    number = fields.uint(_CODE, bits=32)
    try:
        code = codes(number)
    except ValueError:
        raise BadEncoding(f"code {number} is not known") from None
    text = str(fields.blob(_TEXT)[:MAX_TEXT_BYTES], "utf-8", "replace")
    return AnswerHead(code, text, min(MAX_RETRY_MS, fields.uint(_RETRY)))
