"""Fuzz `decode_multihash`: what is read is written the same."""

from quire.base.errors import BadEncoding
from quire.formats.multihash import decode_multihash

VECTORS = ("cid.json",)


def check(data: bytes) -> None:
    try:
        multihash, end = decode_multihash(data)
    except BadEncoding:
        return
    assert multihash.encode() == data[:end]


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
