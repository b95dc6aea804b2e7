"""Fuzz messages of payment: what is accepted survives encoding."""

from quire.base.errors import BadEncoding
from quire.formats.pay import PayAnswer, PayRequest, decode_pay_answer, decode_pay_request
from quire.formats.replica_codes import Code

VECTORS = ()
SEEDS = (
    PayRequest(bytes(range(20)), bytes(range(20, 40)), 1 << 70, bytes(range(65)), "a/0").encode(),
    PayRequest(bytes(20), bytes(20), 0, b"", "").encode(),
    PayAnswer(1 << 80, Code.OVERDRAWN, "too little", bytes(range(65)), 12, True).encode(),
    PayAnswer(0).encode(),
)


def check(data: bytes) -> None:
    for decode in (decode_pay_request, decode_pay_answer):
        try:
            message = decode(data)
        except BadEncoding:
            continue
        assert decode(message.encode()) == message


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
