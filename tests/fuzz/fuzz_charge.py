"""Fuzz `decode_charge`: what is accepted survives encoding."""

from quire.base.errors import BadEncoding
from quire.formats.charge import Charge, decode_charge

VECTORS = ()
SEEDS = (
    Charge(7).encode(),
    Charge(1 << 100, 65536).encode(),
    Charge(7, 0, 1 << 70, bytes(range(20)), 31337, bytes(range(1, 21))).encode(),
)


def check(data: bytes) -> None:
    try:
        charge = decode_charge(data)
    except BadEncoding:
        return
    assert decode_charge(charge.encode()) == charge


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
