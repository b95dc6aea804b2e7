"""The list of a user's capabilities, and the pointer to where it was backed up: JSON, always under
encryption.

{"version": 1, "entries": [{"name", "cap", "size", "at", "cid"}]}
{"version": 1, "cap": "pn1r:…", "at": …, "catalogue": null or the same text as above}
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from quire.base.errors import BadCap, BadEncoding
from quire.base.units import MIB
from quire.formats.cap import parse_cap

VERSION = 1
CATALOGUE_BYTES_MAX = 64 * MIB
INLINE_BYTES_MAX = MIB // 4  # a catalogue up to here travels in the pointer itself as well


class CatalogueEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that was put. `size` in bytes, `at` in unix seconds; `cid` null for a literal."""

    name: str | None
    cap: str
    size: int
    at: int
    cid: str | None

    def __repr__(self) -> str:
        return f"<catalogue entry of {self.cid}>"


class CataloguePointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a catalogue is: the read capability of its dataset; small ones are in here too."""

    version: int
    cap: str
    at: int
    catalogue: str | None = None

    def __repr__(self) -> str:
        return "<pointer to a catalogue>"


class _Catalogue(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    entries: list[CatalogueEntry]


def encode_catalogue(entries: Iterable[CatalogueEntry]) -> bytes:
    return msgspec.json.encode(_Catalogue(VERSION, list(entries)))


def decode_catalogue(data: bytes) -> list[CatalogueEntry]:
    """Raises   BadEncoding  it is no catalogue, or holds what is no capability"""
    if len(data) > CATALOGUE_BYTES_MAX:
        raise BadEncoding(f"a catalogue of {len(data)} bytes is longer than {CATALOGUE_BYTES_MAX}")
    try:
        found = msgspec.json.decode(data, type=_Catalogue)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadEncoding("these bytes are no catalogue") from None
    _check_version(found.version)
    for entry in found.entries:
        _check_cap(entry.cap)
    return found.entries


def encode_pointer_to(cap: str, at: int, catalogue: bytes) -> bytes:
    """The plain value of a pointer; `catalogue` goes along while it is small."""
    inline = catalogue.decode() if len(catalogue) <= INLINE_BYTES_MAX else None
    return msgspec.json.encode(CataloguePointer(VERSION, cap, at, inline))


def decode_pointer_to(data: bytes) -> CataloguePointer:
    """Raises   BadEncoding  it is no pointer to a catalogue"""
    try:
        found = msgspec.json.decode(data, type=CataloguePointer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadEncoding("these bytes are no pointer to a catalogue") from None
    _check_version(found.version)
    _check_cap(found.cap)
    return found


def merged(*catalogues: Iterable[CatalogueEntry]) -> list[CatalogueEntry]:
    """Every capability once, oldest first."""
    found = {entry.cap: entry for each in reversed(catalogues) for entry in each}
    return sorted(found.values(), key=lambda entry: (entry.at, entry.cap))


def _check_version(version: int) -> None:
    if version != VERSION:
        raise BadEncoding(f"a catalogue of version {version}; this program reads {VERSION}")


def _check_cap(text: str) -> None:
    try:
        parse_cap(text)
    except BadCap as error:
        raise BadEncoding(f"a capability in the catalogue is none: {error.message}") from None
