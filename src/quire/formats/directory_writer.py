"""Writes a directory: entries and their bytes go in, the dataset's bytes come out, in one pass."""

from __future__ import annotations

import msgspec

from quire.base.errors import InputError
from quire.base.invariant import invariant
from quire.formats.directory import (
    DIRECTORY,
    FILE,
    FOOTER_BYTES,
    MAX_ENTRIES,
    TAR_END,
    Entry,
    Footer,
    check_entry,
    encode_pages,
    encode_table,
)
from quire.formats.tar import encode_header, padding

# Large files begin on a block border, so that a store keeps the blocks of a file that is in several
# trees, or a dataset of its own, once.
ALIGN_BYTES = 65_536
ALIGN_FROM_BYTES = 1 << 20
_PLACEHOLDER = bytes(32)


class DirectoryWriter:
    """`begin` an entry, send its bytes, `end` it; `finish` at last. The caller sends, in this
    order, what each call returns; the bytes of files do not pass through here."""

    def __init__(self) -> None:
        self.position = 0
        self.content_bytes = 0
        self._entries: dict[str, Entry] = {}
        self._open: Entry | None = None

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def begin(self, entry: Entry) -> bytes:
        """What stands before the bytes of an entry; its offset and digest are set here.

        Raises   InputError   the path is there already, or lies below what is no directory
                 BadEncoding  the entry is not valid
        """
        invariant(self._open is None, "an entry was begun before the last one ended")
        self._admit(entry)
        is_large = entry.size >= ALIGN_FROM_BYTES
        header = encode_header(entry, at=self.position, align=ALIGN_BYTES if is_large else 0)
        self.position += len(header)
        if entry.size:
            entry = msgspec.structs.replace(entry, offset=self.position, digest=_PLACEHOLDER)
        check_entry(entry)
        self._open = entry
        self.position += entry.size
        self.content_bytes += entry.size
        return header

    def end(self, digest: bytes = _PLACEHOLDER) -> bytes:
        """What stands behind the bytes of the entry, whose SHA-256 is `digest`."""
        invariant(self._open is not None, "no entry was begun")
        assert self._open is not None
        entry, self._open = self._open, None
        if entry.size:
            entry = msgspec.structs.replace(entry, digest=digest)
        self._entries[entry.path] = entry
        tail = padding(entry.size)
        self.position += len(tail)
        return tail

    def link(self, entry: Entry, earlier: str) -> bytes:
        """An entry with the bytes of an earlier file. Raises `InputError` when there is none."""
        found = self._entries.get(earlier)
        if found is None or found.kind != FILE:
            raise InputError(
                f"{entry.path!r} is a hard link to {earlier!r}, which is not a file before it"
            )
        self._admit(entry)
        header = encode_header(entry, link=earlier)
        self.position += len(header)
        self._entries[entry.path] = msgspec.structs.replace(
            entry, size=found.size, offset=found.offset, digest=found.digest, text=found.text
        )
        self.content_bytes += found.size
        return header

    def finish(self) -> bytes:
        """The end of the archive, the index and the footer."""
        entries = self._with_parents()
        tar_bytes = self.position + len(TAR_END)
        pages, table = encode_pages(entries, tar_bytes)
        rows = encode_table(table)
        table_offset = tar_bytes + sum(len(page) for page in pages)
        footer = Footer(tar_bytes, table_offset, len(rows), len(entries), self.content_bytes)
        self.position = table_offset + len(rows) + FOOTER_BYTES
        return b"".join((TAR_END, *pages, rows, footer.encode()))

    def _admit(self, entry: Entry) -> None:
        if entry.path in self._entries:
            raise InputError(f"{entry.path!r} is there twice")
        if len(self._entries) >= MAX_ENTRIES:
            raise InputError(f"a directory cannot have more than {MAX_ENTRIES} entries")
        parent = entry.path.rpartition("/")[0]
        while parent:
            above = self._entries.get(parent)
            if above is not None:
                if above.kind != DIRECTORY:
                    raise InputError(f"{entry.path!r} lies below {parent!r}, which is no directory")
                break
            parent = parent.rpartition("/")[0]

    def _with_parents(self) -> list[Entry]:
        """All entries in order, with the directories that were only implied."""
        for path in list(self._entries):
            parent = path.rpartition("/")[0]
            while parent and parent not in self._entries:
                self._entries[parent] = Entry(parent, DIRECTORY)
                parent = parent.rpartition("/")[0]
            if parent and self._entries[parent].kind != DIRECTORY:
                raise InputError(f"{path!r} lies below {parent!r}, which is no directory")
        if len(self._entries) > MAX_ENTRIES:
            raise InputError(f"a directory cannot have more than {MAX_ENTRIES} entries")
        return sorted(self._entries.values(), key=lambda entry: entry.key)
