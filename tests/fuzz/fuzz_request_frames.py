"""Fuzz the framing of requests and answers: what is accepted survives encoding."""

from quire.base.errors import BadEncoding
from quire.net.request_frames import (
    Kind,
    Refusal,
    answer_head,
    decode_answer,
    decode_request,
    request_head,
)

VECTORS = ()
SEEDS = (
    b"\x01question",
    b"\x01\x00answer",
    b"\xac\x02\x01" + Refusal("busy now", True, 1.5).encode(),
    b"\x07\x02" + Refusal("never", False).encode(),
)


def check(data: bytes) -> None:
    try:
        seq, payload = decode_request(data)
        assert request_head(seq) + bytes(payload) == data
    except BadEncoding:
        pass
    try:
        seq, answer = decode_answer(data)
    except BadEncoding:
        return
    if isinstance(answer, Refusal):
        kind = Kind.BUSY if answer.is_busy else Kind.REFUSED
        again = decode_answer(answer_head(seq, kind) + answer.encode())
        assert isinstance(again[1], Refusal)
    else:
        assert answer_head(seq) + bytes(answer) == data


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
