"""Signatures: deterministic, low S, and never an exception for a bad one."""

import pytest

from quire.base.errors import BadEncoding
from quire.kernels import signing
from support.vectors import accepted, load

KEY = bytes.fromhex(load("peer_id.json")["accept"][0]["privateKey"])
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@accepted("peer_id.json")
def test_known_private_keys_have_their_public_keys(row):
    if "privateKey" in row:
        assert signing.public_key_of(bytes.fromhex(row["privateKey"])).hex() == row["publicKey"]


def test_signing_is_deterministic_and_verifies():
    signature = signing.sign(KEY, b"message")
    assert signature == signing.sign(KEY, b"message")
    assert signing.verify(signing.public_key_of(KEY), signature, b"message")


@pytest.mark.parametrize(
    "key", [b"", bytes(31), bytes(33), bytes(32), ORDER.to_bytes(32), b"\xff" * 32]
)
def test_what_is_no_private_key_is_refused(key):
    with pytest.raises(BadEncoding):
        signing.sign(key, b"message")
    with pytest.raises(BadEncoding):
        signing.public_key_of(key)


def test_what_is_no_signature_is_false():
    public = signing.public_key_of(KEY)
    good = signing.sign(KEY, b"message")
    for at in range(len(good)):
        changed = bytearray(good)
        changed[at] ^= 1
        assert not signing.verify(public, bytes(changed), b"message")
    for bad in (b"", b"\x30", good[:-1], bytes(64), b"\xff" * 72):
        assert not signing.verify(public, bad, b"message")
    assert not signing.verify(public, good, b"another")


@pytest.mark.parametrize("public", [b"", b"\x02", bytes(33), b"\x02" + b"\xff" * 32, b"\x05" * 33])
def test_what_is_no_public_key_is_false(public):
    assert not signing.verify(public, signing.sign(KEY, b"m"), b"m")
