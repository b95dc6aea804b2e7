"""The JSON shapes of directories."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from quire.faces.rest.shape import Shape
from quire.formats.directory import FILE, KIND_WORDS, SYMLINK, Entry
from quire.formats.directory_listed import Listed


class EntryBody(Shape, frozen=True):
    """One entry. Only of a file: size, sha256, mimetype; of a link: target."""

    path: str
    kind: str
    size: int | None
    mode: int | None = None
    mtime_ns: int | None = None
    offset: int | UnsetType = UNSET  # of its bytes in the dataset
    sha256: str | UnsetType = UNSET
    mimetype: str | UnsetType = UNSET
    target: str | UnsetType = UNSET
    cid: str | UnsetType = UNSET  # of a dataset of its own, in foreign directories


class ListBody(Shape, frozen=True):
    """A part of a listing; `next` is what to give as `after` for the next part, null at the end."""

    cid: str
    path: str
    entries: list[EntryBody]
    next: str | None
    total_entries: int | None  # of the whole tree
    total_bytes: int | None


class EntryOrder(Shape, frozen=True):
    """An entry to be: with `cid` a file, with `target` a symbolic link, else a directory."""

    path: str
    cid: str | None = None
    size: int | None = None
    mimetype: str | None = None
    mode: int | None = None
    mtime_ns: int | None = None
    target: str | None = None


class DirectoryOrder(Shape, frozen=True):
    entries: list[EntryOrder]
    name: str | None = None


class DirectoryMade(Shape, frozen=True):
    cid: str
    entries: int
    bytes: int


def entry_body(entry: Entry) -> EntryBody:
    is_file = entry.kind == FILE
    return EntryBody(
        path=entry.path,
        kind=KIND_WORDS[entry.kind],
        size=entry.size if is_file else None,
        mode=entry.mode,
        mtime_ns=entry.mtime,
        offset=entry.offset if is_file else UNSET,
        sha256=entry.digest.hex() if entry.digest else UNSET,
        mimetype=entry.text if is_file and entry.text else UNSET,
        target=entry.text if entry.kind == SYMLINK else UNSET,
    )


def listed_body(listed: Listed) -> EntryBody:
    words = {True: "directory", False: "file", None: "unknown"}
    return EntryBody(
        path=listed.path,
        kind=words[listed.is_directory],
        size=listed.size,
        mimetype=listed.mimetype or UNSET,
        cid=str(listed.cid),
    )


def decode_order(body: bytes) -> DirectoryOrder:
    """Raises msgspec.MsgspecError, UnicodeDecodeError, RecursionError."""
    return msgspec.json.decode(body, type=DirectoryOrder)
