"""Fuzz `check_felt`: exactly the numbers below the modulus are field elements."""

from quire.base.errors import BadEncoding
from quire.formats.felt import MODULUS, check_felt

VECTORS = ()
SEEDS = (bytes(32), MODULUS.to_bytes(32, "little"), (MODULUS - 1).to_bytes(32, "little"))


def check(data: bytes) -> None:
    is_element = len(data) == 32 and int.from_bytes(data, "little") < MODULUS
    try:
        check_felt(data)
    except BadEncoding:
        assert not is_element
        return
    assert is_element


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
