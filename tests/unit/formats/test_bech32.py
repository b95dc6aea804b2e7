"""Bech32 against the addresses of BIP-173."""

import pytest

from quire.formats.bech32 import encode_bech32


@pytest.mark.parametrize(
    ("prefix", "data", "text"),
    [
        ("a", "", "a12uel5l"),
        # all digits in order: a valid text of BIP-173, as bytes
        (
            "abcdef",
            "00443214c74254b635cf84653a56d7c675be77df",
            "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
        ),
    ],
)
def test_known_texts_are_written(prefix, data, text):
    assert encode_bech32(prefix, bytes.fromhex(data)) == text
