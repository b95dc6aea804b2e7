"""Fuzz the directory manifests of other implementations."""

from quire.base.errors import BadEncoding, InputError
from quire.formats.directory_listed import decode_in_block, decode_in_manifest

VECTORS = ("manifest.json",)
SEEDS = (bytes.fromhex("0a0f0a0161120a") + bytes(10),)


def check(data: bytes) -> None:
    for decode in (decode_in_manifest, decode_in_block):
        try:
            listing = decode(data)
        except (BadEncoding, InputError):
            continue
        for entry in () if listing is None else listing.entries:
            assert not entry.path.startswith("/")
            assert ".." not in entry.path.split("/")


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
