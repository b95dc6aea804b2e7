"""Fuzz the decoders of foreign directories: names are plain and come once."""

from quire.base.errors import BadEncoding
from quire.formats.directory import check_path
from quire.formats.directory_listed import decode_in_block, decode_in_manifest

VECTORS = ("directory_listed.json", "manifest.json")


def check(data: bytes) -> None:
    for decode in (decode_in_manifest, decode_in_block):
        try:
            listing = decode(data)
        except BadEncoding:
            continue
        if listing is not None:
            paths = [check_path(entry.path) for entry in listing.entries]
            assert len(set(paths)) == len(paths)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
