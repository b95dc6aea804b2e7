"""Fuzz `decode_message` of the exchange: what is accepted survives encoding."""

from quire.base.errors import BadEncoding
from quire.formats.exchange import decode_message

VECTORS = ("exchange.json",)


def check(data: bytes) -> None:
    try:
        message = decode_message(data)
    except BadEncoding:
        return
    assert decode_message(b"".join(message.segments())) == message


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
