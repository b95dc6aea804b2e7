"""What is encoded decodes to the same value, and decodes from any kind of buffer."""

import hashlib
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from quire.formats.blockexc import decode_message, encode_message, encode_segments
from quire.formats.cid import Cid
from quire.formats.manifest import decode_manifest, encode_manifest
from quire.formats.merkle import build_tree, decode_proof, decode_tree, encode_tree, prove
from quire.formats.multiaddr import Multiaddr
from quire.formats.multibase import (
    decode_base58,
    decode_base64url,
    decode_multibase,
    encode_base58,
    encode_base64url,
    encode_multibase,
)
from quire.formats.multihash import Multihash, decode_multihash
from quire.formats.names import check_filename, check_received_filename
from quire.formats.peer_id import decode_peer_id, encode_peer_id
from quire.formats.peer_record import PeerRecord, decode_spr, encode_spr
from quire.formats.protobuf import Fields, bytes_field, int32_field, uint_field
from quire.formats.varint import decode_varint, encode_varint
from quire.kernels import signing
from support import strategies as made


@given(st.integers(0, (1 << 64) - 1), st.binary(max_size=5), st.binary(max_size=5))
def test_varints(number, before, after):
    data = encode_varint(number)
    assert decode_varint(before + data + after, len(before)) == (number, len(before) + len(data))


@given(st.binary(max_size=120))
def test_texts_of_bytes(data):
    assert decode_base58(encode_base58(data)) == data
    assert decode_multibase(encode_multibase(data)) == data
    assert decode_base64url(encode_base64url(data)) == data


@given(st.binary(max_size=128))
def test_multihashes(digest):
    multihash = Multihash(0, digest)
    assert decode_multihash(multihash.encode()) == (multihash, len(multihash.encode()))


@given(made.any_cids)
def test_cids(cid):
    assert Cid.decode(cid.encode()) == cid
    assert Cid.parse(str(cid)) == cid


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2), st.integers(0, (1 << 31) - 1))))
def test_protobuf_fields(rows):
    writers = (uint_field, int32_field, lambda n, v: bytes_field(n, encode_varint(v)))
    data = b"".join(writers[kind](number, value) for number, kind, value in rows)
    fields = Fields(data, max_bytes=10_000, max_fields=1000)
    for number in range(1, 10):
        numbers = [value for n, kind, value in rows if n == number and kind < 2]
        blobs = [encode_varint(value) for n, kind, value in rows if n == number and kind == 2]
        assert fields.uint(number) == (numbers or [0])[-1]
        assert fields.blobs(number) == blobs


@given(made.filenames)
def test_names_fit_for_upload_are_fit_for_manifests(name):
    assert check_filename(name) is None
    assert check_received_filename(name) is None


@given(made.manifests())
def test_manifests(manifest):
    data = encode_manifest(manifest)
    assert decode_manifest(memoryview(data)) == manifest


@given(made.proofs())
def test_proofs(proof):
    assert decode_proof(memoryview(proof.encode())) == proof


@given(st.lists(made.digests, min_size=1, max_size=40), st.data())
def test_trees_prove_every_leaf(leaves, data):
    tree = build_tree(b"".join(leaves))
    count = len(leaves)
    assert decode_tree(encode_tree(tree, count)) == (tree, count)
    index = data.draw(st.integers(0, count - 1))
    prove(tree, count, index).check(leaves[index], tree[-32:], index=index, leaf_count=count)


@given(made.messages)
def test_block_exchange_messages(message):
    data = encode_message(message)
    assert b"".join(encode_segments(message)) == data
    assert decode_message(memoryview(data)) == message


@given(made.multiaddrs)
def test_addresses(address):
    canonical = Multiaddr.parse(str(address))
    assert Multiaddr.decode(canonical.encode()) == canonical
    assert str(Multiaddr.parse(str(canonical))) == str(canonical)


@given(made.peers)
def test_peer_ids(peer):
    assert encode_peer_id(decode_peer_id(peer)) == peer


@settings(max_examples=30)
@given(
    st.binary(min_size=1),
    st.integers(0, (1 << 64) - 1),
    st.lists(made.multiaddrs, min_size=1, max_size=5),
)
def test_peer_records(seed, seq, addresses):
    key = hashlib.sha256(seed).digest()
    canonical = tuple(Multiaddr.parse(str(address)) for address in addresses)
    record = PeerRecord(signing.public_key_of(key), seq, canonical)
    assert decode_spr(encode_spr(record, partial(signing.sign, key)), signing.verify) == record
