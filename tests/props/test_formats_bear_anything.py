"""Decoders of arbitrary bytes and texts raise `QuireError` or nothing."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.base.errors import Bug, QuireError
from quire.formats.blockexc import decode_message, encode_message
from quire.formats.cid import Cid
from quire.formats.manifest import decode_manifest, encode_manifest
from quire.formats.merkle import decode_proof, decode_tree
from quire.formats.multiaddr import Multiaddr
from quire.formats.multibase import decode_base58, decode_base64url, decode_multibase
from quire.formats.multihash import decode_multihash
from quire.formats.names import check_filename, check_mimetype, check_received_filename
from quire.formats.peer_id import decode_peer_id, decode_public_key, encode_peer_id
from quire.formats.peer_record import decode_record, decode_spr
from quire.formats.protobuf import Fields
from quire.formats.varint import decode_varint
from support import strategies as made

OF_BYTES = {
    "varint": decode_varint,
    "multihash": decode_multihash,
    "cid": Cid.decode,
    "protobuf": lambda data: Fields(data, max_bytes=10_000),
    "manifest": decode_manifest,
    "proof": decode_proof,
    "tree": decode_tree,
    "message": decode_message,
    "address": Multiaddr.decode,
    "public key": decode_public_key,
    "peer id": encode_peer_id,
    "peer record": lambda data: decode_record(data, lambda *_: True),
}
OF_TEXT = {
    "multibase": decode_multibase,
    "base58": decode_base58,
    "base64url": decode_base64url,
    "cid": Cid.parse,
    "address": Multiaddr.parse,
    "peer id": decode_peer_id,
    "peer record": lambda text: decode_spr(text, lambda *_: True),
    "file name": check_filename,
    "received file name": check_received_filename,
    "media type": check_mimetype,
}


@contextlib.contextmanager
def only_quire_errors():
    """A `Bug` is one too, but says that a mistake is ours."""
    try:
        yield
    except Bug as bug:
        raise AssertionError("bad input broke an invariant") from bug
    except QuireError:
        pass


@pytest.mark.parametrize("name", OF_BYTES)
@given(data=st.binary(max_size=300))
def test_any_bytes(name, data):
    with only_quire_errors():
        OF_BYTES[name](data)


@pytest.mark.parametrize("name", OF_TEXT)
@given(text=st.text(st.characters(exclude_categories=[]), max_size=100))
def test_any_text(name, text):
    with only_quire_errors():
        OF_TEXT[name](text)


def spoiled(data: bytes, at: int, change: int, kind: int) -> bytes:
    at %= len(data)
    if kind == 0:
        return data[:at] + bytes([data[at] ^ (change or 1)]) + data[at + 1 :]
    if kind == 1:
        return data[:at] + data[at + 1 :]
    return data[:at] + bytes([change]) + data[at:]


SPOILED = (st.integers(0, 1 << 16), st.integers(0, 255), st.integers(0, 2))


@settings(max_examples=300)
@given(made.manifests(), *SPOILED)
def test_a_spoiled_manifest_is_refused_or_is_consistent(manifest, at, change, kind):
    data = spoiled(encode_manifest(manifest), at, change, kind)
    with only_quire_errors():
        other = decode_manifest(data)
        assert decode_manifest(encode_manifest(other)) == other


@settings(max_examples=300)
@given(made.messages, *SPOILED)
def test_a_spoiled_message_is_refused_or_is_a_message(message, at, change, kind):
    data = spoiled(encode_message(message), at, change, kind)
    with only_quire_errors():
        other = decode_message(data)
        assert decode_message(encode_message(other)) == other
