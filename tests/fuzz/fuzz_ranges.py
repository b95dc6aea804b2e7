"""Fuzz `decode_ranges`: what is accepted lies inside the tree and survives encoding."""

from quire.base.errors import BadEncoding
from quire.base.ranges import RangeSet
from quire.formats.exchange_ranges import decode_ranges, encode_ranges

VECTORS = ()
SEEDS = (
    encode_ranges(RangeSet([(0, 5)])),
    encode_ranges(RangeSet([(1, 2), (7, 1000), (2000, 2001)])),
    encode_ranges(RangeSet([(at, at + 1) for at in range(0, 300, 2)])),
)


def check(data: bytes) -> None:
    for leaf_count in (1, 1000, 1 << 40):
        try:
            ranges = decode_ranges(data, leaf_count)
        except BadEncoding:
            continue
        assert all(0 <= start < stop <= leaf_count for start, stop in ranges)
        assert decode_ranges(encode_ranges(ranges), leaf_count) == ranges


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
