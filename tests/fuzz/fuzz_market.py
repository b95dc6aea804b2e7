"""Fuzz storage requests as ABI writes them, and texts of ids: what is taken is written again."""

from quire.base.errors import BadEncoding
from quire.chain.abi import decode_request, encode_request, id_text, parse_id

VECTORS = ("market.json",)
SEEDS = (b"0x" + b"a1" * 32, b"0" * 64)


def check(data: bytes) -> None:
    try:
        value = parse_id(data.decode("latin-1"))
    except BadEncoding:
        pass
    else:
        assert id_text(value)[2:] == data.decode("latin-1")[-64:].lower()
    try:
        request = decode_request(data)
    except BadEncoding:
        return
    assert encode_request(request) == data


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
