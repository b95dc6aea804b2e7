"""One file with the tree over a slot: a header, then every layer, leaves first.

    magic, version, slot, leaf count | tree root | slot root | SHA-256 of the layers | checksum

The header is checked whenever the file is opened. The layers are not: whoever uses a path checks it
against the slot root, and `check` reads everything.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from quire.base.errors import InputError, SlotFileDamaged, SlotMissing
from quire.dataset.slot_tree import (
    NODE_BYTES,
    sibling_positions,
    slot_leaf_count_of_tree,
    tree_bytes,
)
from quire.store.disk import Buffer, Disk

MAGIC = b"quireslt"
VERSION = 1
MAX_SLOTS = 1 << 16
_FIELDS = struct.Struct("<8sIIQ32s32s32s")
_CHECKSUM_BYTES = 8
HEADER_BYTES = _FIELDS.size + _CHECKSUM_BYTES
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SlotHeader:
    """What a slot file says of itself."""

    tree_root: bytes  # of the protected dataset, SHA-256
    slot: int
    leaf_count: int  # pads included: a power of two
    slot_root: bytes
    layers_digest: bytes

    @classmethod
    def of(cls, tree_root: bytes, slot: int, layers: Buffer) -> SlotHeader:
        """The header of these layers. Raises InputError."""
        if len(tree_root) != NODE_BYTES or not 0 <= slot < MAX_SLOTS:
            raise InputError(f"slot {slot} of the tree {tree_root.hex()} cannot exist")
        leaf_count = slot_leaf_count_of_tree(len(layers))
        root = bytes(layers[-NODE_BYTES:])
        return cls(tree_root, slot, leaf_count, root, hashlib.sha256(layers).digest())

    def encode(self) -> bytes:
        fields = _FIELDS.pack(
            MAGIC,
            VERSION,
            self.slot,
            self.leaf_count,
            self.tree_root,
            self.slot_root,
            self.layers_digest,
        )
        return fields + _checksum(fields)


def decode_slot_header(data: bytes) -> SlotHeader:
    """The header of its bytes. Raises SlotFileDamaged in words that follow the file's name."""
    if len(data) < HEADER_BYTES:
        raise SlotFileDamaged(f"has {len(data)} bytes, fewer than a header")
    fields, checksum = data[: _FIELDS.size], data[_FIELDS.size : HEADER_BYTES]
    magic, version, slot, leaf_count, tree_root, slot_root, digest = _FIELDS.unpack(fields)
    if magic != MAGIC:
        raise SlotFileDamaged("is no slot file")
    if version != VERSION:
        raise SlotFileDamaged(f"has format {version}, this program knows {VERSION}")
    if checksum != _checksum(fields):
        raise SlotFileDamaged("has a damaged header")
    header = SlotHeader(tree_root, slot, leaf_count, slot_root, digest)
    try:
        is_sound = slot_leaf_count_of_tree(tree_bytes(max(1, leaf_count))) == leaf_count
    except InputError:
        is_sound = False
    if not is_sound or slot >= MAX_SLOTS:
        raise SlotFileDamaged(f"speaks of slot {slot} with {leaf_count} leaves, which cannot be")
    return header


class SlotTree:
    """The tree over one slot, read from its file as far as it is asked for. Calls block."""

    def __init__(self, disk: Disk, name: str, header: SlotHeader) -> None:
        self._disk = disk
        self._name = name
        self.header = header

    @classmethod
    def open(cls, disk: Disk, name: str, tree_root: bytes, slot: int) -> SlotTree:
        """Raises SlotMissing; SlotFileDamaged when it is broken, cut or another slot's."""
        try:
            header = decode_slot_header(_read(disk, name, 0, HEADER_BYTES))
            size = disk.size(name) - HEADER_BYTES
        except SlotFileDamaged as error:
            raise _damaged(name, error.message) from None
        if (header.tree_root, header.slot) != (tree_root, slot):
            raise _damaged(name, f"belongs to slot {header.slot} of {header.tree_root.hex()}")
        if size != tree_bytes(header.leaf_count):
            raise _damaged(name, f"has {size} bytes of layers, not {tree_bytes(header.leaf_count)}")
        return cls(disk, name, header)

    @property
    def root(self) -> bytes:
        return self.header.slot_root

    @property
    def leaf_count(self) -> int:
        return self.header.leaf_count

    def leaf(self, index: int) -> bytes:
        """Digest of a block, or of a pad. Raises InputError, SlotFileDamaged, SlotMissing."""
        if not 0 <= index < self.leaf_count:
            raise InputError(f"leaf {index} is not one of {self.leaf_count}")
        return self._node(index)

    def leaves(self, count: int) -> bytes:
        """The digests of the first `count` blocks, 32 bytes each. Raises as `leaf` does. Not
        checked against the root."""
        if not 0 <= count <= self.leaf_count:
            raise InputError(f"there are {self.leaf_count} leaves, not {count}")
        data = _read(self._disk, self._name, HEADER_BYTES, count * NODE_BYTES)
        if len(data) != count * NODE_BYTES:
            raise _damaged(self._name, "was cut while it was read")
        return data

    def path(self, index: int) -> bytes:
        """The siblings of a leaf bottom-up, 32 bytes each, zeros where there is none. Raises as
        `leaf` does. Not checked against the root."""
        positions = sibling_positions(self.leaf_count, index)
        return b"".join(bytes(NODE_BYTES) if at is None else self._node(at) for at in positions)

    def check(self) -> None:
        """Read everything. Raises SlotFileDamaged, SlotMissing."""
        digest = hashlib.sha256()
        end = HEADER_BYTES + tree_bytes(self.leaf_count)
        last = b""
        for offset in range(HEADER_BYTES, end, _READ_BYTES):
            last = _read(self._disk, self._name, offset, min(_READ_BYTES, end - offset))
            digest.update(last)
        is_good = digest.digest() == self.header.layers_digest
        if not is_good or last[-NODE_BYTES:] != self.root:
            raise _damaged(self._name, "does not hold what was written")

    def _node(self, position: int) -> bytes:
        offset = HEADER_BYTES + position * NODE_BYTES
        data = _read(self._disk, self._name, offset, NODE_BYTES)
        if len(data) != NODE_BYTES:
            raise _damaged(self._name, "was cut while it was read")
        return data


def _read(disk: Disk, name: str, offset: int, length: int) -> bytes:
    try:
        return disk.read_at(name, offset, length)
    except FileNotFoundError:
        raise SlotMissing(f"the tree of this slot is not here ({name})") from None
    except OSError as error:
        raise _damaged(name, f"cannot be read ({error})") from error


def _damaged(name: str, how: str) -> SlotFileDamaged:
    return SlotFileDamaged(f"the slot file {name} {how}; it is made again from the blocks")


def _checksum(fields: bytes) -> bytes:
    return hashlib.sha256(fields).digest()[:_CHECKSUM_BYTES]
