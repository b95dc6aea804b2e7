"""Fuzz `decode_base58` and `decode_base64url`: one text for each bytes, and the reverse."""

from quire.base.errors import BadEncoding
from quire.formats.multibase import (
    decode_base58,
    decode_base64url,
    encode_base58,
    encode_base64url,
)

VECTORS = ("cid.json", "peer_id.json", "peer_record.json")
SEEDS = (b"Ldp", b"AQID_-8", b"1111", b"z" * 100)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for decode, encode in (
        (decode_base58, encode_base58),
        (decode_base64url, encode_base64url),
    ):
        assert decode(encode(data[:200])) == data[:200]
        try:
            value = decode(text)
        except BadEncoding:
            continue
        assert decode(encode(value)) == value


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
