"""Fuzz the order to make a directory, as the REST API takes it."""

import msgspec

from quire.faces.rest.directory_shapes import decode_order

VECTORS = ()
SEEDS = (b'{"entries":[]}', b'{"entries":[{"path":"a","cid":"zDv","mode":420}]}')


def check(data: bytes) -> None:
    try:
        order = decode_order(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    assert msgspec.json.encode(order)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
