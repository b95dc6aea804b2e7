"""Fuzz messages of sealed replicas: what is accepted survives encoding."""

from quire.base.errors import BadEncoding
from quire.formats.amount import decode_amount, encode_amount
from quire.formats.replica import decode_answer, decode_request
from quire.formats.replica_parts import (
    decode_indices,
    decode_root,
    encode_indices,
    encode_root,
)
from support.replica_messages import ANSWERS, REQUESTS

VECTORS = ()
SEEDS = tuple(
    data
    for message in (*REQUESTS.values(), *ANSWERS.values())
    if len(data := b"".join(message.segments())) <= 4096
)
PARTS = (
    (decode_amount, encode_amount),
    (decode_indices, encode_indices),
    (decode_root, encode_root),
)


def check(data: bytes) -> None:
    for decode in (decode_request, decode_answer):
        try:
            message = decode(data)
        except BadEncoding:
            continue
        assert decode(b"".join(message.segments())) == message
    for read, write in PARTS:
        try:
            value = read(data)
        except BadEncoding:
            continue
        assert read(write(value)) == value


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
