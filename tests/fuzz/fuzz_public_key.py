"""Fuzz `decode_public_key`: a key that is taken is 33 bytes and survives encoding."""

from quire.base.errors import BadEncoding
from quire.formats.peer_id import decode_public_key, encode_public_key

VECTORS = ("peer_id.json",)
SEEDS = (bytes.fromhex("08021221") + b"\x02" + bytes(range(32)),)


def check(data: bytes) -> None:
    try:
        key = decode_public_key(data)
    except BadEncoding:
        return
    assert len(key) == 33
    assert decode_public_key(encode_public_key(key)) == key


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
