"""Fuzz `decode_run`: what is accepted is written the same way."""

from quire.base.errors import BadEncoding
from quire.services.machine_run import decode_run, encode_run

VECTORS = ()
SEEDS = (encode_run(0.0, b""), encode_run(1_798_761_600.25, b'{"at":"submitted"}'))


def check(data: bytes) -> None:
    try:
        entered, state = decode_run(data)
    except BadEncoding:
        return
    assert encode_run(entered, state) == data


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
