"""Fuzz `decode_availability`: what is accepted can be offered, and is written the same way."""

from quire.base.errors import BadEncoding
from quire.market.availability import Availability, decode_availability, encode_availability
from quire.market.ledger import Ledger

VECTORS = ()
SEEDS = (
    encode_availability(Availability(bytes(32), 1 << 40, 86_400, 1, 1 << 90, True, 1_900_000_000)),
    encode_availability(Availability(bytes(range(32)), 1, 1, 1, 0, False)),
    b'{"format":1,"availability":{}}',
)


def check(data: bytes) -> None:
    try:
        terms = decode_availability(data)
    except BadEncoding:
        return
    assert decode_availability(encode_availability(terms)) == terms
    Ledger().open(terms).check()


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
