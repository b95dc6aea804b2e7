"""What a replica map says survives encoding; what contradicts itself is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.base.errors import BadEncoding, BadManifest
from quire.formats.cid import tree_cid
from quire.formats.holders import (
    MAX_ADDRESS_BYTES,
    ChunkPlace,
    Holder,
    Holders,
    decode_holders,
    encode_holders,
)
from quire.formats.manifest import Manifest, encode_manifest
from quire.formats.peer_id import encode_peer_id, peer_id_of
from quire.formats.protobuf import bytes_field, uint_field

BLOCK = 65536
ONE, TWO = (encode_peer_id(peer_id_of(b"\x02" + bytes([n]) * 32)) for n in (1, 2))
MANIFEST = encode_manifest(Manifest(tree_cid(b"\x07" * 32), BLOCK, 5 * BLOCK - 100))
FIRST = Holder(0, ONE, 0, 0, b"\x01" * 32, 4 * BLOCK, 1_800_000_000, 1 << 90)
SECOND = Holder(1, TWO, 2, 1, b"\x02" * 32, BLOCK - 100, 1_800_000_000, 0)
HOLDERS = Holders(
    MANIFEST,
    (ChunkPlace(0, 4, b"\x03" * 32), ChunkPlace(4, 1, b"\x04" * 64)),
    {ONE: ("/ip4/127.0.0.1/tcp/1",), TWO: ()},
    (FIRST, SECOND),
)


def test_a_map_says_the_same_after_encoding() -> None:
    assert decode_holders(encode_holders(HOLDERS)) == HOLDERS
    assert decode_holders(encode_holders(replace(HOLDERS, replicas=()))).replicas == ()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"chunks": HOLDERS.chunks[1:]}, "begins at block 4"),
        ({"chunks": (ChunkPlace(0, 0, b""), *HOLDERS.chunks)}, "begins at block 0"),
        ({"chunks": HOLDERS.chunks[:1], "replicas": ()}, "chunks of 4 blocks"),
        ({"chunks": (ChunkPlace(0, 4, b"\x03"), HOLDERS.chunks[1])}, "not made of digests"),
        ({"replicas": (replace(FIRST, chunk=2),)}, "chunk 2 of 2"),
        ({"replicas": (replace(FIRST, sealed_root=b"\x01" * 31),)}, "31 bytes"),
        ({"replicas": (replace(FIRST, sealed_bytes=1),)}, "said to have 1"),
        ({"replicas": (replace(FIRST, price=1 << 256),)}, "33 bytes"),
        ({"addresses": {ONE: ("x" * (MAX_ADDRESS_BYTES + 1),), TWO: ()}}, "a long one"),
        ({"manifest": b""}, "no header"),
    ],
)
def test_a_map_that_contradicts_itself_is_refused(changed: dict[str, object], reason: str) -> None:
    data = encode_holders(replace(HOLDERS, **changed))  # type: ignore[arg-type]
    with pytest.raises((BadEncoding, BadManifest), match=reason):
        decode_holders(data)


def test_a_replica_at_nobody_and_a_peer_named_twice_are_refused() -> None:
    data = encode_holders(HOLDERS)
    with pytest.raises(BadEncoding, match="held by peer 9 of 2"):
        decode_holders(data + bytes_field(4, uint_field(2, 9)))
    with pytest.raises(BadEncoding, match="twice"):
        decode_holders(data + _peer(data))


def _peer(data: bytes) -> bytes:
    """The field that names the first peer, as it stands in the map."""
    start = data.index(b"/ip4") - 2 - 39 - 2 - 2  # a text, the id before it, and their headers
    return data[start : data.index(b"/ip4") + len("/ip4/127.0.0.1/tcp/1")]


def test_a_map_of_too_many_replicas_is_not_made() -> None:
    with pytest.raises(BadEncoding, match="larger chunks"):
        encode_holders(replace(HOLDERS, replicas=(FIRST,) * 20_000))
