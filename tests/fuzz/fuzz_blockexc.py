"""Fuzz `decode_message`: what is accepted survives encoding."""

from quire.base.errors import BadEncoding
from quire.formats.blockexc import decode_message, encode_message

VECTORS = ("blockexc.json",)


def check(data: bytes) -> None:
    try:
        message = decode_message(data)
    except BadEncoding:
        return
    if len(message.wants) <= 1024 and len(message.presences) <= 1024:
        assert decode_message(encode_message(message)) == message


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
