"""Fuzz `decode_holders`: what is accepted survives encoding."""

from quire.base.errors import BadEncoding, BadManifest
from quire.formats.cid import tree_cid
from quire.formats.holders import ChunkPlace, Holder, Holders, decode_holders, encode_holders
from quire.formats.manifest import Manifest, encode_manifest
from quire.formats.peer_id import encode_peer_id, peer_id_of

VECTORS = ("manifest.json",)
PEER = encode_peer_id(peer_id_of(b"\x02" * 33))
SEEDS = (
    encode_holders(
        Holders(
            encode_manifest(Manifest(tree_cid(b"\x07" * 32), 65536, 100_000)),
            (ChunkPlace(0, 2, b""),),
            {PEER: ("/ip4/127.0.0.1/tcp/1",)},
            (Holder(0, PEER, 1, 0, b"\x01" * 32, 100_000, 1_800_000_000, 7),),
        )
    ),
)


def check(data: bytes) -> None:
    try:
        holders = decode_holders(data)
    except (BadEncoding, BadManifest):
        return
    assert decode_holders(encode_holders(holders)) == holders


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
