"""Fuzz `decode_varint`: only the shortest form is a number."""

from quire.base.errors import BadEncoding
from quire.formats.varint import decode_varint, encode_varint

VECTORS = ("varint.json",)


def check(data: bytes) -> None:
    try:
        number, end = decode_varint(data)
    except BadEncoding:
        return
    assert encode_varint(number) == data[:end]


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
