"""Signed values: whose they are, which version, and nothing that was changed."""

from dataclasses import replace

import pytest

from quire.base.errors import IntegrityError, WrongKey
from quire.dataset.envelope.replica_map import map_keys
from quire.dataset.envelope.signed_blob import (
    BLOB_BYTES_MAX,
    CATALOGUE_LABEL,
    MAP_LABEL,
    BlobKeys,
    locator,
)

KEYS = map_keys(bytes(32))
BLOB = KEYS.seal(7, b"n" * 12, b"who holds what")


def test_a_value_comes_back_under_its_keys():
    assert KEYS.open(BLOB) == b"who holds what"
    assert BLOB.label() == MAP_LABEL
    assert locator(MAP_LABEL, BLOB.public_key) == KEYS.locator


@pytest.mark.parametrize(
    "change",
    [
        {"version": 8},
        {"nonce": b"m" * 12},
        {"ciphertext": BLOB.ciphertext[:-1]},
        {"ciphertext": BLOB.ciphertext + b"x"},
        {"signature": BLOB.signature[:-1] + bytes([BLOB.signature[-1] ^ 1])},
        {"signature": b""},
        {"nonce": b""},
        {"version": -1},
        {"version": 1 << 64},
        {"ciphertext": b""},
        {"ciphertext": bytes(BLOB_BYTES_MAX)},
    ],
)
def test_a_value_that_was_changed_is_nobodys(change):
    changed = replace(BLOB, **change)
    assert changed.label() is None
    with pytest.raises(IntegrityError):
        KEYS.open(changed)


def test_a_value_of_somebody_else_is_not_opened():
    other = map_keys(b"\1" * 32)
    with pytest.raises(WrongKey):
        other.open(BLOB)
    with pytest.raises(WrongKey):
        KEYS.open(replace(BLOB, public_key=b"short"))


def test_a_pointer_is_no_map_even_under_the_same_keys():
    pointer = BlobKeys(CATALOGUE_LABEL, KEYS.key, KEYS.seed)
    assert pointer.locator != KEYS.locator
    with pytest.raises(IntegrityError):
        pointer.open(BLOB)
