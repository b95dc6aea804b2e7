"""Fuzz `decode_terms`: one encoding for one receipt."""

from quire.base.errors import BadEncoding
from quire.point.receipt import TYPED_BYTES, decode_terms, encode_terms
from quire.point.values import ReceiptTerms

VECTORS = ()
TERMS = ReceiptTerms(
    b"\x01" * 16, b"\x02" * 20, b"\x03" * 20, b"\x04" * 32, b"\x05" * 32, 6, 65536, 7, 8, 9,
    b"\x0a" * 32,
)  # fmt: skip
SEEDS = (encode_terms(TERMS), bytes(TYPED_BYTES), b"\xff" * TYPED_BYTES)


def check(data: bytes) -> None:
    try:
        terms = decode_terms(data)
    except BadEncoding:
        return
    assert encode_terms(terms) == data


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
