"""Datasets as the reference stores them: blocks, tree, proofs, manifest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from oracles.hashing import ZERO, digests_of, layers, parent, sha256_blocks
from support.reference.bytes_ import blob, fields, first_blob, first_number, number, uvarint

MANIFEST, BLOCK, ROOT = 0xCD01, 0xCD02, 0xCD03


def cid(codec: int, digest: bytes) -> bytes:
    return b"\x01" + uvarint(codec) + b"\x12\x20" + digest


@dataclass(frozen=True)
class Address:
    """Of a leaf: the tree's CID and an index; of anything else: its own CID."""

    cid: bytes
    index: int | None = None


@dataclass(frozen=True)
class Held:
    """A block with what is sent along."""

    cid: bytes
    data: bytes
    proof: bytes = b""


@dataclass
class Content:
    """What a node holds, by address."""

    blocks: dict[Address, Held] = field(default_factory=dict)

    def add(self, data: bytes, block_size: int = 65_536, *, leaves: range | None = None) -> bytes:
        """Hold a dataset, or some leaves of it; returns the manifest's CID."""
        digests = digests_of(sha256_blocks(data, block_size))
        tree = layers(digests)
        root = cid(ROOT, tree[-1][0])
        for index in leaves if leaves is not None else range(len(digests)):
            block = data[index * block_size : (index + 1) * block_size].ljust(block_size, b"\0")
            held = Held(cid(BLOCK, digests[index]), block, prove(tree, index))
            self.blocks[Address(root, index)] = held
        manifest = encode_manifest(root, block_size, len(data))
        name = cid(MANIFEST, hashlib.sha256(manifest).digest())
        self.blocks[Address(name)] = Held(name, manifest)
        return name

    def dataset(self, manifest: bytes) -> bytes:
        """The bytes of a complete dataset; raises KeyError otherwise."""
        root, block_size, size = decode_manifest(manifest)
        count = -(-size // block_size)
        return b"".join(self.blocks[Address(root, i)].data for i in range(count))[:size]


def prove(tree: list[list[bytes]], index: int) -> bytes:
    """The proof message of a leaf."""
    out, at = number(1, 0x12) + number(2, index) + number(3, len(tree[0])), index
    for layer in tree[:-1]:
        sibling = at ^ 1
        out += blob(4, blob(1, layer[sibling] if sibling < len(layer) else ZERO))
        at >>= 1
    return out


def root_of(leaf: bytes, proof: bytes) -> bytes:
    """Where a proof leads from a leaf; the reference looks at nothing else."""
    found = fields(proof)
    at, size, node, bottom = first_number(found, 2), first_number(found, 3), leaf, True
    for step in found.get(4, []):
        assert isinstance(step, bytes)
        sibling = first_blob(fields(step), 1)
        if at % 2:
            node = parent(sibling, node, bottom=bottom)
        else:
            node = parent(node, sibling if at + 1 < size else None, bottom=bottom)
        at, size, bottom = at >> 1, (size + 1) >> 1, False
    return node


def encode_manifest(root: bytes, block_size: int, size: int) -> bytes:
    header = blob(1, root) + number(2, block_size) + number(3, size)
    return blob(1, header + number(4, BLOCK) + number(5, 0x12) + number(6, 2))


def decode_manifest(data: bytes) -> tuple[bytes, int, int]:
    """Tree CID, block size, dataset size."""
    header = fields(first_blob(fields(data), 1))
    return first_blob(header, 1), first_number(header, 2), first_number(header, 3)
