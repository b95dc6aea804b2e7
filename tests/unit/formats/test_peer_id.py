"""Peer ids of secp256k1 keys."""

import pytest

from quire.base.errors import BadEncoding
from quire.formats.peer_id import (
    decode_peer_id,
    decode_public_key,
    encode_peer_id,
    encode_public_key,
    peer_id_of,
    public_key_of,
)
from support.vectors import accepted, rejected


@accepted("peer_id.json")
def test_known_keys_have_their_ids(row):
    key, peer_id = bytes.fromhex(row["publicKey"]), bytes.fromhex(row["hex"])
    assert peer_id_of(key) == peer_id
    assert public_key_of(peer_id) == key
    assert encode_peer_id(peer_id) == row["text"]
    assert decode_peer_id(row["text"]) == peer_id
    assert decode_public_key(encode_public_key(key)) == key


@rejected("peer_id.json")
def test_other_texts_are_refused(row):
    with pytest.raises(BadEncoding):
        decode_peer_id(row["text"])


@pytest.mark.parametrize("data", [b"", bytes(37), b"\x08\x02\x12\x21" + b"\x05" * 33, bytes(39)])
def test_other_bytes_are_refused(data):
    with pytest.raises(BadEncoding):
        decode_public_key(data)
    with pytest.raises(BadEncoding):
        encode_peer_id(data)
