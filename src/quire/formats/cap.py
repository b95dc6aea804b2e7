"""Capabilities: texts that say which dataset, and what their holder can do with it.

    pn1r:…  read      the file key: everything below, and decrypt
    pn1p:…  repair    commit and seal root: verify, move replicas, renew
    pn1v:…  verify    commit: locate, check, audit
    pn1l:…  literal   the content itself, at most 64 bytes

The payload is `01 ‖ suite ‖ flags ‖ body ‖ len(cid) ‖ cid` and four bytes of the double SHA-256 of
`"pncap" ‖ kind ‖ payload`; the text is base 32, lower case, without padding. A literal has suite 0
and an empty CID. Capabilities are secrets: their repr shows nothing.

Source   point.md 7.6, A8; vectors/cap.json
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import ClassVar, Self, TypeAlias

from quire.base.errors import BadCap, BadCid
from quire.base.invariant import invariant
from quire.formats.cid import Cid, is_manifest

KEY_BYTES = 32
LITERAL_BYTES_MAX = 64

CONVERGENT = 1  # flags
PADDED = 2
_FLAGS = CONVERGENT | PADDED

VERSION = 1
CHECK_BYTES = 4
MANIFEST_CID_BYTES = 38
_HEAD_BYTES = 3
_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_PREFIX_LENGTH = len("pn1r:")
_KINDS = "rpvl"
_TEXT_MAX = 512  # characters looked at
_NAMES = {"r": "read", "p": "repair", "v": "verify", "l": "literal"}


class Suite(IntEnum):
    """How records are encrypted."""

    AES_256_GCM = 1
    CHACHA20_POLY1305 = 2


@dataclass(frozen=True, slots=True, repr=False)
class _Cap:
    """What the capabilities of datasets have in common."""

    kind: ClassVar[str]

    suite: Suite
    flags: int
    cid: Cid

    @property
    def body(self) -> bytes:
        raise NotImplementedError

    @property
    def text(self) -> str:
        """The capability itself: a secret."""
        cid = self.cid.encode()
        head = bytes((VERSION, self.suite, self.flags))
        return _written(self.kind, head + self.body + bytes((len(cid),)) + cid)

    def at(self, cid: Cid) -> Self:
        """The same for another manifest of the same bytes, as of the dataset after protecting."""
        return replace(self, cid=cid)

    @property
    def is_convergent(self) -> bool:
        return bool(self.flags & CONVERGENT)

    @property
    def is_padded(self) -> bool:
        return bool(self.flags & PADDED)

    def __repr__(self) -> str:
        return f"<{_NAMES[self.kind]} capability of {self.cid}>"


@dataclass(frozen=True, slots=True, repr=False)
class ReadCap(_Cap):
    kind: ClassVar[str] = "r"

    file_key: bytes  # 32

    @property
    def body(self) -> bytes:
        return self.file_key


@dataclass(frozen=True, slots=True, repr=False)
class RepairCap(_Cap):
    kind: ClassVar[str] = "p"

    commit: bytes  # 32
    seal_root: bytes  # 32

    @property
    def body(self) -> bytes:
        return self.commit + self.seal_root


@dataclass(frozen=True, slots=True, repr=False)
class VerifyCap(_Cap):
    kind: ClassVar[str] = "v"

    commit: bytes  # 32

    @property
    def body(self) -> bytes:
        return self.commit


@dataclass(frozen=True, slots=True)
class LiteralCap:
    """Content of at most 64 bytes; no network is asked for it."""

    kind: ClassVar[str] = "l"

    content: bytes = field(repr=False)

    @property
    def text(self) -> str:
        invariant(len(self.content) <= LITERAL_BYTES_MAX, "a literal holds at most 64 bytes")
        return _written(self.kind, bytes((VERSION, 0, 0)) + self.content + b"\0")


DatasetCap: TypeAlias = ReadCap | RepairCap | VerifyCap
Cap: TypeAlias = DatasetCap | LiteralCap


def is_cap_text(text: str) -> bool:
    """Whether a text is meant as a capability; a CID never begins like one."""
    return text.startswith("pn1")


def parse_cap(text: str) -> Cap:
    """The capability of its text.

    Raises   BadCap  another prefix, length, version, suite or flag; a character that is no digit; a
             wrong checksum. When changing one character makes it right, its place is named,
             counted from 1.
    Cost     a wrong checksum: some milliseconds for looking which character it is
    """
    kind = _kind_of(text)
    digits = text[_PREFIX_LENGTH:]
    _check_length(kind, text)
    for index, digit in enumerate(digits):
        if digit not in _VALUES:
            raise BadCap(
                f"character {_PREFIX_LENGTH + 1 + index} of the capability is {digit!r}, "
                "which no capability has: they are written in a-z and 2-7"
            )
    data = _decoded(digits)
    if data is None or not _is_checked(kind, data):
        raise BadCap(_what_is_wrong(kind, digits))
    return _parsed(kind, data[:-CHECK_BYTES])


def _kind_of(text: str) -> str:
    prefix = text[:_PREFIX_LENGTH]
    if len(prefix) == _PREFIX_LENGTH:
        for kind in _KINDS:
            wrong = [
                i for i, (a, b) in enumerate(zip(prefix, f"pn1{kind}:", strict=True)) if a != b
            ]
            if not wrong:
                return kind
            if len(wrong) == 1 and wrong[0] != len("pn1"):
                raise BadCap(
                    f"character {wrong[0] + 1} of the capability seems wrong: "
                    f"it is {prefix[wrong[0]]!r} and should be {f'pn1{kind}:'[wrong[0]]!r}"
                )
        if prefix.startswith("pn1") and prefix.endswith(":"):
            raise BadCap(
                f"character 4 of the capability seems wrong: {prefix[3]!r} names no kind; "
                "r reads, p repairs, v verifies, l is literal"
            )
    raise BadCap("a capability begins with pn1r:, pn1p:, pn1v: or pn1l:")


def _text_length(body_bytes: int, cid_bytes: int) -> int:
    data_bytes = _HEAD_BYTES + body_bytes + 1 + cid_bytes + CHECK_BYTES
    return _PREFIX_LENGTH + (data_bytes * 8 + 4) // 5


_BODY_BYTES = {"r": KEY_BYTES, "p": 2 * KEY_BYTES, "v": KEY_BYTES}
_LENGTHS = {kind: _text_length(size, MANIFEST_CID_BYTES) for kind, size in _BODY_BYTES.items()}
_LITERAL_LENGTHS = (_text_length(0, 0), _text_length(LITERAL_BYTES_MAX, 0))


def _check_length(kind: str, text: str) -> None:
    found = len(text)
    if kind == "l":
        least, most = _LITERAL_LENGTHS
        if not least <= found <= most:
            raise BadCap(
                f"the literal capability has {found} characters; such ones have {least} to {most}"
            )
    elif found != (right := _LENGTHS[kind]):
        missing = right - found
        raise BadCap(
            f"the {_NAMES[kind]} capability has {found} characters instead of {right}: "
            + (f"{missing} are missing" if missing > 0 else f"{-missing} are too many")
        )


def _written(kind: str, payload: bytes) -> str:
    data = payload + _check(kind, payload)
    return f"pn1{kind}:" + base64.b32encode(data).decode().lower().rstrip("=")


def _check(kind: str, payload: bytes) -> bytes:
    inner = hashlib.sha256(b"pncap" + kind.encode() + payload).digest()
    return hashlib.sha256(inner).digest()[:CHECK_BYTES]


def _is_checked(kind: str, data: bytes) -> bool:
    return _check(kind, data[:-CHECK_BYTES]) == data[-CHECK_BYTES:]


def _decoded(digits: str) -> bytes | None:
    """None: it ends in the middle of a byte."""
    number = 0
    for digit in digits:
        number = number << 5 | _VALUES[digit]
    return _bytes_of(number, len(digits))


def _bytes_of(number: int, digit_count: int) -> bytes | None:
    size, spare = divmod(digit_count * 5, 8)
    if spare >= 5 or number & ((1 << spare) - 1):
        return None
    return (number >> spare).to_bytes(size)


def _what_is_wrong(kind: str, digits: str) -> str:
    found = _places_to_mend(kind, digits)
    if len(found) == 1:
        return (
            f"character {found[0] + 1} of the {_NAMES[kind]} capability seems wrong: "
            "changing it alone makes the checksum right"
        )
    return (
        f"the checksum of the {_NAMES[kind]} capability is wrong: more than one character differs"
    )


def _places_to_mend(kind: str, digits: str) -> list[int]:
    """Indexes in the text of characters of which changing one makes the checksum right."""
    found = [
        len("pn1")
        for other in _KINDS
        if other != kind
        if (data := _decoded(digits)) is not None and _is_checked(other, data)
    ]
    count = len(digits)
    number = 0
    for digit in digits:
        number = number << 5 | _VALUES[digit]
    for index in range(count):
        shift = 5 * (count - 1 - index)
        for change in range(1, 32):
            data = _bytes_of(number ^ (change << shift), count)
            if data is not None and _is_checked(kind, data):
                found.append(_PREFIX_LENGTH + index)
    return found


def _parsed(kind: str, payload: bytes) -> Cap:
    version, suite, flags = payload[:_HEAD_BYTES]
    if version != VERSION:
        raise BadCap(f"the capability has version {version}; this program reads version {VERSION}")
    if kind == "l":
        if suite or flags or payload[-1]:
            raise BadCap("a literal capability has no suite, flag or CID, and this one has")
        return LiteralCap(payload[_HEAD_BYTES:-1])
    if suite not in list(Suite):
        raise BadCap(f"the capability names the unknown cipher suite {suite}; known are 1 and 2")
    if flags & ~_FLAGS:
        raise BadCap(f"the capability has the unknown flags 0x{flags & ~_FLAGS:02x}")
    end = _HEAD_BYTES + _BODY_BYTES[kind]
    body, cid = payload[_HEAD_BYTES:end], _cid(payload[end:])
    match kind:
        case "r":
            return ReadCap(Suite(suite), flags, cid, body)
        case "p":
            return RepairCap(Suite(suite), flags, cid, body[:KEY_BYTES], body[KEY_BYTES:])
        case _:
            return VerifyCap(Suite(suite), flags, cid, body)


def _cid(tail: bytes) -> Cid:
    if tail[0] != len(tail) - 1:
        raise BadCap(f"the capability's CID has {len(tail) - 1} bytes and says {tail[0]}")
    try:
        cid = Cid.decode(tail[1:])
    except BadCid as error:
        raise BadCap(f"the capability names no dataset: {error.message}") from None
    if not is_manifest(cid):
        raise BadCap(f"the capability names {cid}, which is no manifest CID")
    return cid
