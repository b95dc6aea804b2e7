"""Fuzz messages, offers and receipts of aggregators: what is accepted survives encoding."""

from quire.aggregation.offer import decode_offer, encode_offer
from quire.aggregation.receipt import decode_receipt, encode_receipt
from quire.base.errors import BadEncoding
from quire.formats.aggregator import decode_answer, decode_request
from support.aggregator_messages import ANSWERS, RECEIPT, REQUESTS, Service, an_offer

VECTORS = ()
SEEDS = (
    *(
        data
        for message in (*REQUESTS.values(), *ANSWERS.values())
        if len(data := b"".join(message.segments())) <= 4096
    ),
    encode_offer(an_offer(Service.ENCODE).offer),
    encode_receipt(RECEIPT),
)


def check(data: bytes) -> None:
    for decode in (decode_request, decode_answer):
        try:
            message = decode(data)
        except BadEncoding:
            continue
        assert decode(b"".join(message.segments())) == message
    for read, write in ((decode_offer, encode_offer), (decode_receipt, encode_receipt)):
        try:
            value = read(data)
        except BadEncoding:
            continue
        assert read(write(value)) == value


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
