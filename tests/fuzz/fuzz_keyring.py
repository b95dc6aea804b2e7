"""Fuzz what users' files and backups are read with: key rings, phrases, catalogues, pointers."""

import base64

from quire.base.errors import BadConfig, BadEncoding, InputError
from quire.faces.cli.cap import parse_shared
from quire.faces.keyring import parse_keyring, parse_phrase
from quire.formats.cap import LiteralCap
from quire.formats.catalogue import (
    CatalogueEntry,
    decode_catalogue,
    decode_pointer_to,
    encode_catalogue,
    encode_pointer_to,
    merged,
)

VECTORS = ()
_CAP = LiteralCap(b"hello").text
_CATALOGUE = encode_catalogue([CatalogueEntry("a", _CAP, 5, 1, None)])
SEEDS = (
    _CATALOGUE,
    encode_pointer_to(_CAP, 1, _CATALOGUE),
    b'{"version":1,"master":"' + b"00" * 32 + b'"}',
    b'{"version":1,"age":"YWdl"}',
    base64.b64encode(b"age-encryption.org/v1"),
    b"abandon " * 23 + b"art",
    b"[" * 4000,
)


def check(data: bytes) -> None:
    try:
        entries = decode_catalogue(data)
    except BadEncoding:
        pass
    else:
        assert decode_catalogue(encode_catalogue(entries)) == entries
        assert len(merged(entries, entries)) <= len(entries)
    try:
        pointer = decode_pointer_to(data)
    except BadEncoding:
        pass
    else:
        assert pointer.version == 1
    try:
        master, age = parse_keyring(data)
    except BadConfig:
        pass
    else:
        assert (master is None) != (age is None)
    try:
        shared = parse_shared(data.decode("utf-8", "surrogateescape"))
    except InputError:
        pass
    else:
        assert parse_shared(base64.b64encode(shared).decode()) == shared
    try:
        found = parse_phrase(data.decode("utf-8", "surrogateescape"))
    except BadConfig:
        return
    assert len(found) == 32


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
