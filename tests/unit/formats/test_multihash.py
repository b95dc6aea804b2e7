"""Multihashes: known codes, right lengths."""

import pytest

from quire.base.errors import BadEncoding
from quire.formats.multihash import HASH_IDENTITY, HASH_SHA256, Multihash, decode_multihash


@pytest.mark.parametrize(
    "multihash",
    [
        Multihash(HASH_SHA256, bytes(32)),
        Multihash(HASH_IDENTITY, b""),
        Multihash(HASH_IDENTITY, bytes(128)),
        Multihash(0x13, bytes(64)),
        Multihash(0xCD11, bytes(32)),
    ],
)
def test_encoding_is_undone_by_decoding(multihash):
    data = multihash.encode()
    assert decode_multihash(data + b"rest") == (multihash, len(data))


@pytest.mark.parametrize(
    "text",
    ["", "12", "1220", "1220" + "00" * 31, "121f" + "00" * 31, "7701", "008101" + "00" * 129],
)
def test_unknown_short_and_long_ones_are_refused(text):
    with pytest.raises(BadEncoding):
        decode_multihash(bytes.fromhex(text))
