"""Fuzz `decode_offer`: what is accepted is written the same way and can be signed."""

from quire.base.errors import BadEncoding
from quire.point.offer import decode_offer, encode_offer
from quire.point.values import Offer

VECTORS = ()
_PEER = bytes.fromhex("002508021221") + b"\x03" + b"\x11" * 32
OFFER = Offer(_PEER, b"\x22" * 20, 31337, b"\x33" * 20, 3, 1 << 200, 0, 1 << 40, 9, 8, 7, b"who")
SEEDS = (encode_offer(OFFER), encode_offer(OFFER)[:60])


def check(data: bytes) -> None:
    try:
        offer = decode_offer(data)
    except BadEncoding:
        return
    assert decode_offer(encode_offer(offer)) == offer


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
