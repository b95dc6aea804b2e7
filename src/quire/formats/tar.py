"""Tar archives: one header at a time, written in one fixed way, read strictly.

Written is POSIX pax: times to the nanosecond, names in UTF-8, no owners. Read are the forms of
POSIX and GNU; what could escape, hide or grow on unpacking is refused by name.
Source   POSIX.1-2017 `pax`; GNU tar manual, "Basic Tar Format"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quire.base.errors import BadEncoding, InputError
from quire.base.invariant import invariant
from quire.formats.directory import (
    DIRECTORY,
    FILE,
    MAX_MODE,
    SYMLINK,
    TAR_RECORD,
    Entry,
    check_path,
    check_target,
)

MAX_EXTENSION_BYTES = 256 << 10  # of a pax header or a GNU long name
DEFAULT_MODES = (0o755, 0o644, 0o777)  # by kind, where an entry has none
LINK: Final = 3  # a member that names another one's bytes
EXTENSION: Final = 4  # a member that says more about the next

_BILLION = 10**9
_OCTAL_MAX = 8**11 - 1
_TYPES = (b"5", b"0", b"2", b"1")
_READ_TYPES = {
    b"0": FILE,
    b"\0": FILE,
    b"7": FILE,
    b"1": LINK,
    b"2": SYMLINK,
    b"5": DIRECTORY,
    b"x": EXTENSION,
    b"g": EXTENSION,
    b"L": EXTENSION,
    b"K": EXTENSION,
}
_REFUSED_TYPES = {
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"S": "a sparse file",
    b"M": "a part of a larger archive",
}


@dataclass(frozen=True, slots=True)
class Member:
    """What one header says, together with the extensions before it."""

    kind: int  # DIRECTORY, FILE, SYMLINK, LINK or EXTENSION
    path: str  # as it will be stored; empty for the top directory
    size: int  # bytes that follow
    mode: int
    mtime: int  # nanoseconds
    target: str = ""
    extension: bytes = b""  # type of an EXTENSION


def padding(size: int) -> bytes:
    """What fills the last record behind `size` bytes."""
    return bytes(-size % TAR_RECORD)


def encode_header(entry: Entry, *, at: int = 0, align: int = 0, link: str | None = None) -> bytes:
    """Everything before the bytes of an entry. With `align`, for a header that begins at `at`, the
    bytes begin on a multiple of it. `link`: the path of an earlier file with the same bytes."""
    kind = LINK if link is not None else entry.kind
    target = link if link is not None else entry.text if kind == SYMLINK else ""
    size = entry.size if kind == FILE else 0
    path = entry.path + "/" if kind == DIRECTORY else entry.path
    seconds, fraction = divmod(entry.mtime or 0, _BILLION)
    records = b""
    if len(path) > 100 or not path.isascii():
        records += _record("path", path.encode())
    if len(target) > 100 or not target.isascii():
        records += _record("linkpath", target.encode())
    if fraction or not 0 <= seconds <= _OCTAL_MAX:
        records += _record("mtime", _decimal(entry.mtime or 0).encode())
    if size > _OCTAL_MAX:
        records += _record("size", str(size).encode())
    if align:
        records += _filler(at, len(records), align)
    mode = DEFAULT_MODES[entry.kind] if entry.mode is None else entry.mode
    seconds = min(max(seconds, 0), _OCTAL_MAX)
    size = min(size, _OCTAL_MAX)
    header = _header(_ascii(path), mode, size, seconds, _TYPES[kind], _ascii(target))
    if not records:
        return header
    before = _header(b"pax", 0o644, len(records), 0, b"x", b"")
    return b"".join((before, records, padding(len(records)), header))


def decode_header(block: bytes, pax: dict[str, str]) -> Member:
    """What the 512 bytes of a header mean, with the extensions that came before it.

    Raises   BadEncoding  not a header
             InputError   a member that is refused, by its name
    """
    total = sum(block) - sum(block[148:156]) + 8 * 0x20
    if len(block) != TAR_RECORD or _number(block[148:156]) != total:
        raise BadEncoding("what comes is not a tar header: its checksum is wrong")
    flag = block[156:157]
    name = _text(block[:100])
    if block[257:263] == b"ustar\0" and (prefix := _text(block[345:500])):
        name = f"{prefix}/{name}"
    size, mtime = _number(block[124:136]), _number(block[136:148]) * _BILLION
    if flag in _READ_TYPES and _READ_TYPES[flag] == EXTENSION:
        if size > MAX_EXTENSION_BYTES:
            raise InputError(f"an extension of {size} bytes in the archive is refused")
        return Member(EXTENSION, "", size, 0, 0, extension=flag)
    name, target = pax.get("path", name), pax.get("linkpath", _text(block[157:257]))
    if flag not in _READ_TYPES or any(key.startswith("GNU.sparse") for key in pax):
        what = "a sparse file" if flag in _READ_TYPES else _REFUSED_TYPES.get(flag)
        raise InputError(f"{name!r} is {what or f'of the unknown type {flag!r}'} in the archive;"
                         " leave it out")  # fmt: skip
    kind = _READ_TYPES[flag]
    if kind == FILE and name.endswith("/"):
        kind = DIRECTORY  # as old archives write them
    size = _decimal_number(pax["size"], 1) if "size" in pax else size
    mtime = _decimal_number(pax["mtime"], _BILLION) if "mtime" in pax else mtime
    path = plain_path(name)
    if kind == SYMLINK:
        check_target(path, target)
    elif kind == LINK:
        target = plain_path(target)
    if not path and kind != DIRECTORY:
        raise InputError(f"{name!r} in the archive has no name of its own")
    if not 0 <= size < 1 << 63 or not -(1 << 63) <= mtime < 1 << 63:
        raise InputError(f"{name!r} in the archive has a size or time that cannot be")
    mode = _number(block[100:108]) & MAX_MODE
    return Member(kind, path, size if kind == FILE else 0, mode, mtime, target)


def decode_extension(member: Member, body: bytes, pax: dict[str, str]) -> None:
    """Add what an EXTENSION says about the next member. Raises `BadEncoding`."""
    if member.extension == b"g":
        return  # about all members: comments of the writer
    if member.extension in (b"L", b"K"):
        pax["path" if member.extension == b"L" else "linkpath"] = _text(body)
        return
    at = 0
    while at < len(body):
        digits, blank, _ = body[at : at + 8].partition(b" ")
        length = int(digits) if digits.isdigit() and blank else 0
        record = body[at : at + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if length < 5 or len(record) < length or record[-1:] != b"\n" or not equals:
            raise BadEncoding("a pax header in the archive cannot be read")
        if key != b"comment":
            pax[_utf8(key)] = _utf8(value)
        at += length


def plain_path(name: str) -> str:
    """A member's name as a path of ours: without './' and the last slash; empty for the top.

    Raises   InputError  an absolute name, or one with '..'
    """
    if name.startswith("/"):
        raise InputError(f"{name!r} is an absolute path; pack relative ones")
    path = "/".join(part for part in name.split("/") if part not in ("", "."))
    return check_path(path) if path else ""


def _header(name: bytes, mode: int, size: int, seconds: int, flag: bytes, target: bytes) -> bytes:
    parts = [
        name.ljust(100, b"\0"),
        b"%07o\0" % mode,
        b"0000000\0" * 2,  # owner and group
        b"%011o\0" % size,
        b"%011o\0" % seconds,
        b"        ",
        flag,
        target.ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64 + 16 + 155 + 12),
    ]
    block = b"".join(parts)
    invariant(len(block) == TAR_RECORD, "a tar header is one record", size=len(block))
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _record(key: str, value: bytes) -> bytes:
    body = b" " + key.encode() + b"=" + value + b"\n"
    size = len(body) + 1
    while size != len(body) + len(str(size)):
        size = len(body) + len(str(size))
    return str(size).encode() + body


def _filler(at: int, records: int, align: int) -> bytes:
    """A comment that makes the bytes of a member that begins at `at` aligned."""
    plain = at + TAR_RECORD + (records and TAR_RECORD + -(-records // TAR_RECORD) * TAR_RECORD)
    if plain % align == 0:
        return b""
    body = max(TAR_RECORD, -(-records // TAR_RECORD) * TAR_RECORD)
    size = body + -(at + 2 * TAR_RECORD + body) % align - records
    if size < 32:  # no room for a comment in the record that is begun
        size += align
    head = b"%d comment=" % size
    return head + b" " * (size - len(head) - 1) + b"\n"


def _decimal(mtime: int) -> str:
    sign, (seconds, fraction) = "-" if mtime < 0 else "", divmod(abs(mtime), _BILLION)
    return f"{sign}{seconds}.{fraction:09}".rstrip("0").rstrip(".")


def _decimal_number(text: str, scale: int) -> int:
    """A decimal number times `scale`, cut off behind the point."""
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    whole, _, fraction = digits.partition(".")
    fraction = fraction[:9].ljust(9, "0")
    if not (whole.isascii() and whole.isdigit() and fraction.isascii() and fraction.isdigit()):
        raise BadEncoding(f"{text[:40]!r} in a pax header is not a number")
    if len(whole) > 20:
        raise BadEncoding(f"{text[:40]!r} in a pax header is too large")
    return sign * (int(whole) * scale + int(fraction) * scale // _BILLION)


def _number(field: bytes) -> int:
    """An octal field, or a binary one of GNU. Raises `BadEncoding`."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big")
        return (
            value - (1 << 8 * len(field)) if field[0] & 0x40 else value - (1 << 8 * len(field) - 1)
        )
    digits = field.split(b"\0")[0].strip()
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        raise BadEncoding(f"{digits!r} in a tar header is not an octal number") from None


def _ascii(text: str) -> bytes:
    return text.encode("ascii", "replace")[:100]


def _text(field: bytes) -> str:
    return _utf8(field.split(b"\0")[0])


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise BadEncoding(f"the name {data[:200]!r} in the archive is not UTF-8") from None
