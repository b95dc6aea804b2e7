"""Fuzz `decode_multibase`: base58 has one text for each bytes."""

from quire.base.errors import BadEncoding
from quire.formats.multibase import decode_multibase, encode_multibase

VECTORS = ("cid.json", "peer_id.json")


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        value = decode_multibase(text)
    except BadEncoding:
        return
    if text[0] == "z":
        assert encode_multibase(value) == text
    assert decode_multibase(encode_multibase(value)) == value


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
