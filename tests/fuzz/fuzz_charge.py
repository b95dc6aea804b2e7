"""Fuzz `decode_charge` and `decode_purse`: what is accepted survives encoding."""

from quire.base.errors import BadEncoding
from quire.formats.charge import Charge, Purse, decode_charge, decode_purse

VECTORS = ()
SEEDS = (
    Charge(7).encode(),
    Charge(1 << 100, 65536).encode(),
    Charge(7, 0, 1 << 70, bytes(range(20)), 31337, bytes(range(1, 21))).encode(),
    Purse(1 << 70).encode(),
    Purse(7, bytes(range(20)), bytes(range(65))).encode(),
)


def check(data: bytes) -> None:
    for decode in (decode_charge, decode_purse):
        try:
            found = decode(data)
        except BadEncoding:
            continue
        assert decode(found.encode()) == found


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
