"""Who holds which sealed replica of a file: what a replica map says, before it is encrypted.

    Holders { manifest, chunks, peers with their addresses, replicas }

A chunk is a run of blocks of the ciphertext; chunks follow each other without gaps. Its proof is
the range proof of its blocks under the tree of the ciphertext (layout: kernels/hashing.py), so that
who has unsealed a whole chunk can put it into a store.
Source   point.md 6.5
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import BadEncoding, BadManifest
from quire.formats.manifest import Manifest, decode_manifest
from quire.formats.peer_id import decode_peer_id, encode_peer_id
from quire.formats.protobuf import Fields, bytes_field, uint_field
from quire.formats.varint import Buffer

MAX_HOLDERS_BYTES = (1 << 20) - 4096  # with what encryption adds, a replica map is at most 1 MiB
MAX_ADDRESSES = 16  # of one peer
MAX_ADDRESS_BYTES = 256
MAX_PEERS = 1 << 12
_DIGEST_BYTES = 32
_PRICE_BYTES = 32
_MAX_ITEMS = 1 << 16

_MANIFEST, _CHUNK, _PEER, _REPLICA = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class ChunkPlace:
    """Blocks [first, first + count) of the ciphertext."""

    first: int
    count: int
    proof: bytes


@dataclass(frozen=True, slots=True)
class Holder:
    """One sealed replica of the chunk with this number; `peer` holds it.

    sealed_root  digest of the root of the tree over the sealed blocks
    expires_at   unix seconds of the chain
    price        tokens per byte read, when the map was made; the offer of now decides
    """

    chunk: int
    peer: str
    replica: int
    epoch: int
    sealed_root: bytes
    sealed_bytes: int
    expires_at: int
    price: int


@dataclass(frozen=True, slots=True)
class Holders:
    """`manifest`: the bytes of the manifest block, whose SHA-256 the file's CID names."""

    manifest: bytes
    chunks: tuple[ChunkPlace, ...]
    addresses: dict[str, tuple[str, ...]]  # of each peer
    replicas: tuple[Holder, ...]


def encode_holders(holders: Holders) -> bytes:
    """Raises BadEncoding when it is larger than a map may be."""
    numbers = {peer: number for number, peer in enumerate(holders.addresses)}
    parts = [bytes_field(_MANIFEST, holders.manifest)]
    parts += (bytes_field(_CHUNK, _encode_chunk(each)) for each in holders.chunks)
    parts += (bytes_field(_PEER, _encode_peer(*each)) for each in holders.addresses.items())
    parts += (
        bytes_field(_REPLICA, _encode_replica(each, numbers[each.peer]))
        for each in holders.replicas
    )
    data = b"".join(parts)
    if len(data) > MAX_HOLDERS_BYTES:
        raise BadEncoding(
            f"a map of {len(holders.replicas)} replicas would have {len(data)} bytes, above "
            f"{MAX_HOLDERS_BYTES}; put the file with larger chunks"
        )
    return data


def decode_holders(data: Buffer) -> Holders:
    """Raises BadEncoding, BadManifest: malformed, outside a limit, or contradictory."""
    fields = Fields(data, max_bytes=MAX_HOLDERS_BYTES, max_fields=2 * _MAX_ITEMS)
    block = bytes(fields.blob(_MANIFEST))
    manifest = decode_manifest(block)
    chunks = tuple(_decode_chunk(each) for each in fields.blobs(_CHUNK))
    _check_chunks(chunks, manifest)
    known = fields.blobs(_PEER)
    if len(known) > MAX_PEERS:
        raise BadEncoding(f"a replica map names {len(known)} peers, above {MAX_PEERS}")
    addresses = dict(_decode_peer(each) for each in known)
    if len(addresses) != len(known):
        raise BadEncoding("a replica map names a peer twice")
    peers = list(addresses)
    replicas = tuple(_decode_replica(each, peers) for each in fields.blobs(_REPLICA))
    for each in replicas:
        _check_replica(each, chunks, manifest)
    return Holders(block, chunks, addresses, replicas)


def chunk_size(place: ChunkPlace, manifest: Manifest) -> int:
    """Bytes of the ciphertext that lie in a chunk."""
    stop = min((place.first + place.count) * manifest.block_size, manifest.dataset_size)
    return stop - place.first * manifest.block_size


def _encode_chunk(place: ChunkPlace) -> bytes:
    numbers = uint_field(1, place.first) + uint_field(2, place.count)
    return numbers + bytes_field(3, place.proof)


def _encode_peer(peer: str, addresses: tuple[str, ...]) -> bytes:
    texts = [bytes_field(2, each.encode()) for each in addresses[:MAX_ADDRESSES]]
    return b"".join([bytes_field(1, decode_peer_id(peer)), *texts])


def _encode_replica(holder: Holder, peer: int) -> bytes:
    return b"".join(
        (
            uint_field(1, holder.chunk),
            uint_field(2, peer),
            uint_field(3, holder.replica),
            uint_field(4, holder.epoch),
            bytes_field(5, holder.sealed_root),
            uint_field(6, holder.sealed_bytes),
            uint_field(7, holder.expires_at),
            bytes_field(8, holder.price.to_bytes((holder.price.bit_length() + 7) // 8, "big")),
        )
    )


def _decode_chunk(data: memoryview) -> ChunkPlace:
    fields = Fields(data, max_bytes=MAX_HOLDERS_BYTES)
    proof = bytes(fields.blob(3))
    if len(proof) % _DIGEST_BYTES:
        raise BadEncoding(f"a range proof of {len(proof)} bytes is not made of digests")
    return ChunkPlace(fields.uint(1, bits=48), fields.uint(2, bits=32), proof)


def _decode_peer(data: memoryview) -> tuple[str, tuple[str, ...]]:
    fields = Fields(data, max_bytes=MAX_HOLDERS_BYTES)
    found = fields.blobs(2)
    if len(found) > MAX_ADDRESSES or any(len(each) > MAX_ADDRESS_BYTES for each in found):
        raise BadEncoding(f"a replica map has {len(found)} addresses of a peer, or a long one")
    try:
        addresses = tuple(str(each, "utf-8") for each in found)
    except UnicodeDecodeError:
        raise BadEncoding("a replica map has an address that is not text") from None
    return encode_peer_id(bytes(fields.blob(1))), addresses


def _decode_replica(data: memoryview, peers: list[str]) -> Holder:
    fields = Fields(data, max_bytes=MAX_HOLDERS_BYTES)
    peer, price = fields.uint(2, bits=32), bytes(fields.blob(8))
    if peer >= len(peers):
        raise BadEncoding(f"a replica is held by peer {peer} of {len(peers)}")
    if len(price) > _PRICE_BYTES:
        raise BadEncoding(f"a price has {len(price)} bytes, above {_PRICE_BYTES}")
    return Holder(
        chunk=fields.uint(1, bits=32),
        peer=peers[peer],
        replica=fields.uint(3, bits=32),
        epoch=fields.uint(4, bits=32),
        sealed_root=bytes(fields.blob(5)),
        sealed_bytes=fields.uint(6, bits=63),
        expires_at=fields.uint(7, bits=63),
        price=int.from_bytes(price, "big"),
    )


def _check_chunks(chunks: tuple[ChunkPlace, ...], manifest: Manifest) -> None:
    at = 0
    for each in chunks:
        if each.first != at or not each.count:
            raise BadEncoding(f"a chunk begins at block {each.first}, where {at} is next")
        at += each.count
    if at != manifest.block_count:
        raise BadManifest(f"chunks of {at} blocks are not a dataset of {manifest.block_count}")


def _check_replica(holder: Holder, chunks: tuple[ChunkPlace, ...], manifest: Manifest) -> None:
    if len(holder.sealed_root) != _DIGEST_BYTES:
        raise BadEncoding(f"a sealed root has {len(holder.sealed_root)} bytes")
    if holder.chunk >= len(chunks):
        raise BadEncoding(f"a replica is of chunk {holder.chunk} of {len(chunks)}")
    size = chunk_size(chunks[holder.chunk], manifest)
    if holder.sealed_bytes != size:
        raise BadEncoding(f"a replica of {size} bytes is said to have {holder.sealed_bytes}")
