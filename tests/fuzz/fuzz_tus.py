"""Fuzz the headers of resumable uploads."""

import contextlib

from quire.base.errors import BadEncoding
from quire.formats.tus import (
    SIZE_MAX,
    decode_checksum,
    decode_metadata,
    decode_size,
    encode_metadata,
)

VECTORS = ()
SEEDS = (
    b"filename d29ybGQ=,filetype dGV4dC9wbGFpbg==",
    b"is_confidential",
    b"sha256 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    b"sha1 2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
    b"1048576",
)


def check(data: bytes) -> None:
    text = data.decode("latin-1")
    with contextlib.suppress(BadEncoding):
        assert 0 <= decode_size(text, "Upload-Length") <= SIZE_MAX
    try:
        pairs = decode_metadata(text)
        again = encode_metadata(pairs)
        assert len(again) > 4096 or decode_metadata(again) == pairs
    except BadEncoding:
        pass
    try:
        assert len(decode_checksum(text).digest) in (20, 32)
    except BadEncoding:
        return


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
