"""Fuzz places in the chain: what is taken is written again to the same bytes."""

from quire.base.errors import BadEncoding
from quire.services.market_feed import decode_cursor, encode_cursor

VECTORS = ()
SEEDS = (bytes(48), bytes(range(48)), bytes(47))


def check(data: bytes) -> None:
    try:
        head = decode_cursor(data)
    except BadEncoding:
        assert len(data) != 48
        return
    assert encode_cursor(head) == data


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
