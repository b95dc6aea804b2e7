"""Fuzz `parse_market_body`: numbers are whole and within their bits, or refused."""

from quire.base.errors import InputError
from quire.faces.rest.market_body import UINT64_MAX, UINT256_MAX, parse_market_body

VECTORS = ()
SEEDS = (
    (
        b'{"duration": 600, "proofProbability": "1", "pricePerBytePerSecond": "0x1",'
        b' "collateralPerByte": "0b1", "expiry": "240", "nodes": 3, "tolerance": null}'
    ),
    b'{"duration": -1, "proofProbability": 1e3, "nines": 9.5, "expiry": "", "nodes": true}',
    b'{"pricePerBytePerSecond": 11579208923731619542357098500868790785326998466564056403945758400}',
)
NAMES = ("duration", "proofProbability", "pricePerBytePerSecond", "collateralPerByte", "expiry")


def check(data: bytes) -> None:
    try:
        body = parse_market_body(data)
    except InputError:
        return
    for name in NAMES:
        for read, most in ((body.uint64, UINT64_MAX), (body.uint256, UINT256_MAX)):
            try:
                value = read(name)
            except InputError:
                continue
            assert type(value) is int
            assert 0 <= value <= most
    try:
        assert type(body.number("nines")) is float
    except InputError:
        return


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
