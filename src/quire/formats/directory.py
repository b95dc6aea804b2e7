"""A directory as one dataset: a tar archive with an index behind its end.

    [tar members, end marker] [page] ... [page] [table of pages] [footer]

A tar reader takes the front and stops at the end marker; Quire reads the footer, the table and the
one page that it needs, so that a path in a tree of any size costs three short reads. Pages and
table are MessagePack in its one shortest form, entries in the order of their paths' components.
Source   docs/reference/directory-format.md
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta

from quire.base.errors import BadEncoding
from quire.formats.names import is_mimetype
from quire.formats.varint import Buffer

MEDIA_TYPE = "application/vnd.quire.directory"
MAGIC = b"QUIREDIR"
VERSION = 1

DIRECTORY, FILE, SYMLINK = 0, 1, 2
KIND_WORDS = ("directory", "file", "symlink")

MAX_ENTRIES = 1_000_000
MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255
MAX_DEPTH = 256
MAX_MODE = 0o777
PAGE_BYTES = 32 << 10  # a page is closed when it is larger
MAX_PAGE_BYTES = PAGE_BYTES + 3 * MAX_PATH_BYTES
MAX_TABLE_BYTES = 64 << 20
TAR_RECORD = 512
TAR_END = bytes(2 * TAR_RECORD)

_FOOTER = struct.Struct(">8sIQQQQQ")
FOOTER_BYTES: Final = _FOOTER.size

_Unsigned = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
_Nanoseconds = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_T = TypeVar("_T")


class Entry(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One name in the tree; the fields in the order in which they are written."""

    path: str  # components joined by '/'
    kind: Annotated[int, Meta(ge=0, le=2)]
    mode: Annotated[int, Meta(ge=0, le=MAX_MODE)] | None = None  # permission bits
    mtime: _Nanoseconds | None = None  # since 1970
    size: _Unsigned = 0  # bytes of a file
    offset: _Unsigned = 0  # where they begin in the dataset; 0 when there are none
    digest: Annotated[bytes, Meta(max_length=32)] = b""  # SHA-256 of them; empty when none
    text: str = ""  # target of a symbolic link, or media type of a file

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def key(self) -> str:
        """Sorts a directory right before everything in it."""
        return sort_key(self.path)


class PageRef(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One row of the table."""

    first_path: str
    offset: _Unsigned
    length: Annotated[int, Meta(ge=1, le=MAX_PAGE_BYTES)]
    count: Annotated[int, Meta(ge=1, le=MAX_PAGE_BYTES)]


@dataclass(frozen=True, slots=True)
class Footer:
    """The last bytes of the dataset; offsets and sizes in bytes."""

    tar_bytes: int  # the end of the archive, where the first page begins
    table_offset: int
    table_bytes: int
    entry_count: int
    content_bytes: int  # of all files

    def encode(self) -> bytes:
        return _FOOTER.pack(
            MAGIC,
            VERSION,
            self.tar_bytes,
            self.table_offset,
            self.table_bytes,
            self.entry_count,
            self.content_bytes,
        )


def sort_key(path: str) -> str:
    """Keys compare as lists of components do."""
    return path.replace("/", "\0")


def check_path(path: str) -> str:
    """The path itself. Raises `BadEncoding` unless it is relative, plain and within the limits."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise BadEncoding(f"the path {path[:200]!r} is not Unicode text") from None
    if not 0 < size <= MAX_PATH_BYTES:
        raise BadEncoding(f"a path of {size} bytes is not between 1 and {MAX_PATH_BYTES}")
    if "\0" in path:
        raise BadEncoding(f"the path {path[:200]!r} has a NUL character")
    names = path.split("/")
    if len(names) > MAX_DEPTH:
        raise BadEncoding(f"the path {path[:200]!r} is more than {MAX_DEPTH} levels deep")
    for name in names:
        if name in ("", ".", ".."):
            raise BadEncoding(f"the path {path[:200]!r} has the component {name!r}")
        if len(name) * 4 > MAX_NAME_BYTES and len(name.encode()) > MAX_NAME_BYTES:
            raise BadEncoding(f"a name in {path[:200]!r} is above {MAX_NAME_BYTES} bytes")
    return path


def check_entry(entry: Entry) -> None:
    """Raise `BadEncoding` when the entry contradicts itself."""
    check_path(entry.path)
    has_content = entry.size > 0
    if (entry.kind != FILE and has_content) or (
        has_content != (entry.offset > 0) or has_content != (len(entry.digest) == 32)
    ):
        raise BadEncoding(f"{entry.path!r}: size, offset and digest do not go together")
    if not has_content and entry.digest:
        raise BadEncoding(f"{entry.path!r} has a digest of nothing")
    if entry.kind == SYMLINK:
        check_target(entry.path, entry.text)
    elif entry.text and (entry.kind == DIRECTORY or not is_mimetype(entry.text)):
        raise BadEncoding(f"{entry.path!r}: {entry.text[:200]!r} is not a media type of a file")


def check_target(path: str, target: str) -> None:
    """Raise `BadEncoding` unless a symbolic link can have this target."""
    try:
        size = len(target.encode())
    except UnicodeEncodeError:
        raise BadEncoding(f"the link {path!r} has a target that is not Unicode text") from None
    if not 0 < size < MAX_PATH_BYTES or "\0" in target:
        raise BadEncoding(f"the link {path!r} has no target that a link can have")


def encode_pages(entries: Sequence[Entry], offset: int) -> tuple[list[bytes], list[PageRef]]:
    """Entries in the order of their keys -> pages and their table, the first page at `offset`."""
    pages: list[bytes] = []
    table: list[PageRef] = []
    start, size = 0, 0
    for at, entry in enumerate(entries):
        size += len(_encode(entry))
        if size >= PAGE_BYTES or at == len(entries) - 1:
            page = _encode(entries[start : at + 1])
            table.append(PageRef(entries[start].path, offset, len(page), at + 1 - start))
            pages.append(page)
            offset += len(page)
            start, size = at + 1, 0
    return pages, table


def encode_table(table: list[PageRef]) -> bytes:
    return _encode(table)


def decode_footer(data: Buffer, dataset_bytes: int) -> Footer:
    """The footer of a dataset of that size. Raises `BadEncoding`."""
    if len(data) != FOOTER_BYTES:
        raise BadEncoding(f"{len(data)} bytes are not the footer of a directory")
    magic, version, *numbers = _FOOTER.unpack(data)
    if magic != MAGIC:
        raise BadEncoding("the dataset does not end as a directory does")
    if version != VERSION:
        raise BadEncoding(f"version {version} of the directory format is not known; only {VERSION}")
    footer = Footer(*numbers)
    if footer.entry_count > MAX_ENTRIES:
        raise BadEncoding(f"a directory of {footer.entry_count} entries is above {MAX_ENTRIES}")
    if footer.table_bytes > MAX_TABLE_BYTES:
        raise BadEncoding(f"a table of {footer.table_bytes} bytes is above {MAX_TABLE_BYTES}")
    parts = (footer.tar_bytes, footer.table_offset, footer.table_offset + footer.table_bytes)
    whole = dataset_bytes - FOOTER_BYTES
    if not len(TAR_END) <= parts[0] <= parts[1] <= parts[2] == whole or parts[0] % TAR_RECORD:
        raise BadEncoding("the parts of the directory do not fill its dataset")
    return footer


def decode_table(data: Buffer, footer: Footer) -> list[PageRef]:
    """The table of pages, which follow each other without a gap. Raises `BadEncoding`."""
    table = _decode(data, list[PageRef], "the table of a directory")
    at, count, before = footer.tar_bytes, 0, ""
    for ref in table:
        check_path(ref.first_path)
        if ref.offset != at:
            raise BadEncoding(f"the page of {ref.first_path!r} is not where the one before ends")
        if sort_key(ref.first_path) <= before:
            raise BadEncoding(f"the page of {ref.first_path!r} is not in order")
        before, at, count = sort_key(ref.first_path), at + ref.length, count + ref.count
    if at != footer.table_offset or count != footer.entry_count:
        raise BadEncoding("the table of a directory does not agree with its footer")
    return table


def decode_page(data: Buffer, ref: PageRef, next_first: str | None, tar_bytes: int) -> list[Entry]:
    """The entries of one page; `next_first` is the first path of the next. Raises `BadEncoding`."""
    entries = _decode(data, list[Entry], "a page of a directory")
    if len(entries) != ref.count or entries[0].path != ref.first_path:
        raise BadEncoding(f"the page of {ref.first_path!r} is not what the table says")
    before = ""
    for entry in entries:
        check_entry(entry)
        if entry.key <= before:
            raise BadEncoding(f"{entry.path!r} comes twice or is not in order")
        if entry.size and not TAR_RECORD <= entry.offset <= tar_bytes - entry.size - len(TAR_END):
            raise BadEncoding(f"the bytes of {entry.path!r} are outside the archive")
        before = entry.key
    if next_first is not None and before >= sort_key(next_first):
        raise BadEncoding(f"the page of {ref.first_path!r} reaches into the next one")
    return entries


def _encode(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def _decode(data: Buffer, kind: type[_T], what: str) -> _T:
    try:
        value = msgspec.msgpack.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"{what} cannot be read: {error}") from None
    if _encode(value) != data:
        raise BadEncoding(f"{what} is not in its one shortest form")
    return value
