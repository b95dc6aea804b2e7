"""Directories of the Archivist line, for reading: two designs that never shipped in one form.

    one manifest    the header of a manifest with fields 10 (name) and 11 (repeated {path, CID})
    two manifests   a block of its own: {entries {name, CID, size, is directory, type}, total, name}

Nothing of it is ever written. Both let through what a directory cannot have (names with '..', the
same name twice), which is refused here.
Source   lineage.md 2.4
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BadCid, BadEncoding
from quire.formats.cid import Cid
from quire.formats.directory import MAX_ENTRIES, check_path
from quire.formats.manifest import MAX_MANIFEST_BYTES
from quire.formats.names import is_mimetype
from quire.formats.protobuf import Fields
from quire.formats.varint import Buffer

_NAME, _ENTRIES = 10, 11
MAX_ENTRY_BYTES = 8192
MAX_SIZE = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry: a path within the directory, and the CID of a dataset or another directory."""

    path: str
    cid: Cid
    size: int | None = None  # bytes; None when the design does not say
    is_directory: bool | None = None
    mimetype: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    name: str
    entries: tuple[Listed, ...]
    total_bytes: int | None = None


def decode_in_manifest(data: Buffer) -> Listing | None:
    """The directory within the bytes of a manifest; None when there is none. Raises `BadEncoding`.

    Paths may lie deeper than one level."""
    outer = Fields(data, max_bytes=MAX_MANIFEST_BYTES)
    header = Fields(outer.blob(1), max_bytes=MAX_MANIFEST_BYTES, max_fields=MAX_ENTRIES + 64)
    blobs = header.blobs(_ENTRIES)
    name = header.text(_NAME)
    if name is None and not blobs:
        return None
    if name is None or not blobs:
        raise BadEncoding("a directory's manifest has a name or entries, but not both")
    entries = []
    for blob in blobs:
        fields = Fields(blob, max_bytes=MAX_ENTRY_BYTES)
        entries.append(Listed(check_path(fields.text(1) or ""), _cid(fields.blob(2))))
    return Listing(name, _unique(entries))


def decode_in_block(data: Buffer) -> Listing:
    """The directory that a block of its own holds; names are of one level. Raises `BadEncoding`."""
    fields = Fields(data, max_bytes=MAX_MANIFEST_BYTES, max_fields=MAX_ENTRIES + 64)
    entries = []
    for blob in fields.blobs(1):
        row = Fields(blob, max_bytes=MAX_ENTRY_BYTES)
        name, flag, size = check_path(row.text(1) or ""), row.uint(4), row.uint(3)
        if "/" in name or "\\" in name:
            raise BadEncoding(f"the name {name[:200]!r} in a directory has a slash")
        if flag > 1 or size > MAX_SIZE:
            raise BadEncoding(f"the entry {name[:200]!r} of a directory contradicts itself")
        mimetype = row.text(5)
        if mimetype is not None and not is_mimetype(mimetype):
            raise BadEncoding(f"{mimetype[:200]!r} is not a media type")
        entries.append(Listed(name, _cid(row.blob(2)), size, flag == 1, mimetype))
    total = fields.uint(2)
    if not entries or total > MAX_SIZE:
        raise BadEncoding("the block is not a directory")
    return Listing(fields.text(3) or "", _unique(entries), total)


def _cid(data: Buffer) -> Cid:
    try:
        return Cid.decode(data)
    except BadCid as error:
        raise BadEncoding(f"an entry of a directory names nothing: {error.message}") from None


def _unique(entries: list[Listed]) -> tuple[Listed, ...]:
    """In order. Raises `BadEncoding` when a path comes twice, or below a file."""
    found = {entry.path: entry for entry in entries}
    if len(found) != len(entries):
        raise BadEncoding("a directory has a name twice")
    for entry in entries:
        parent = entry.path.rpartition("/")[0]
        while parent:
            if parent in found:
                raise BadEncoding(f"{entry.path[:200]!r} lies below another entry")
            parent = parent.rpartition("/")[0]
    return tuple(sorted(entries, key=lambda entry: entry.path.split("/")))
