"""Fuzz storage requests as ABI writes them: what is taken is written again to the same bytes."""

from quire.base.errors import BadEncoding
from quire.chain.abi import decode_request, encode_request

VECTORS = ("market.json",)


def check(data: bytes) -> None:
    try:
        request = decode_request(data)
    except BadEncoding:
        return
    assert encode_request(request) == data


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS)
