"""Checks a received dataset against its manifest, trusting nobody: blocks, then tree."""

from __future__ import annotations

from quire.base.errors import IntegrityError
from quire.base.units import MIB
from quire.formats.cid import Cid
from quire.formats.manifest import Manifest
from quire.formats.merkle import EMPTY_TREE_ROOT
from quire.kernels.hashing import merkle_root, sha256_blocks

BATCH_BYTES = 4 * MIB


class Verifier:
    """Fed with the bytes in order, as they were uploaded."""

    def __init__(self, cid: Cid, manifest: Manifest) -> None:
        self._cid = cid
        self.manifest = manifest
        self._held = bytearray()
        self._digests = bytearray()
        self._size = 0

    def add(self, piece: bytes) -> None:
        self._held += piece
        self._size += len(piece)
        if len(self._held) >= BATCH_BYTES:
            whole = len(self._held) - len(self._held) % self.manifest.block_size
            self._hash(whole)

    def finish(self) -> None:
        """Raises `IntegrityError` unless everything that was added is the dataset."""
        block_size = self.manifest.block_size
        self._held += bytes(-len(self._held) % block_size)
        self._hash(len(self._held))
        root = self.manifest.original_tree_cid.digest
        right_size = self._size == self.manifest.original_size
        if not right_size or root_of(bytes(self._digests)) != root:
            raise IntegrityError(f"the bytes received are not those of {self._cid}")

    def _hash(self, count: int) -> None:
        if count:
            batch = bytes(memoryview(self._held)[:count])
            self._digests += sha256_blocks(batch, self.manifest.block_size)
            del self._held[:count]


def root_of(digests: bytes) -> bytes:
    """The root over the joined digests of all blocks; there may be none (docs/adr/0008)."""
    return merkle_root(digests) if digests else EMPTY_TREE_ROOT
