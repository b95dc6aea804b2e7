"""Fuzz the header fields of tus: what is read comes back the same, and nothing else is raised."""

from quire.base.errors import BadEncoding
from quire.formats.tus import decode_checksum, decode_metadata, decode_size, encode_metadata

VECTORS = ("manifest.json",)


def check(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        pairs = decode_metadata(text)
        assert decode_metadata(encode_metadata(pairs)) == pairs
    except BadEncoding:
        pass
    for read in (decode_checksum, lambda given: decode_size(given, "Upload-Length")):
        try:
            read(text)
        except BadEncoding:
            continue


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
