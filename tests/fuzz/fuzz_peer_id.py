"""Fuzz `decode_peer_id`: one text for each peer."""

from quire.base.errors import BadEncoding
from quire.formats.peer_id import decode_peer_id, encode_peer_id

VECTORS = ("peer_id.json",)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    try:
        peer_id = decode_peer_id(text)
    except BadEncoding:
        return
    assert encode_peer_id(peer_id) == text


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
