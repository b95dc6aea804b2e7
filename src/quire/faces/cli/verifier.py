"""Checks a received dataset against its CID, trusting nobody: manifest, then tree, then blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quire.base.errors import IntegrityError, QuireError
from quire.base.units import MIB
from quire.formats.cid import Cid, manifest_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.formats.merkle import EMPTY_TREE_ROOT
from quire.kernels.hashing import merkle_root, sha256_blocks

BATCH_BYTES = 4 * MIB


class Verifier:
    """Fed with the bytes in order. `item` is the DataItem that the node gave for the CID."""

    def __init__(self, cid: Cid, item: Mapping[str, Any]) -> None:
        self._cid = cid
        fields = item["manifest"]
        self.is_protected = bool(fields["protected"])
        try:
            self.manifest = Manifest(
                tree_cid=Cid.parse(fields["treeCid"]),
                block_size=fields["blockSize"],
                dataset_size=fields["datasetSize"],
                filename=fields["filename"],
                mimetype=fields["mimetype"],
                protection=None,
            )
            named = manifest_cid(encode_manifest(self.manifest))
        except (QuireError, TypeError) as error:
            raise IntegrityError(f"the manifest of {cid} is not valid: {error}") from None
        # The description of a protected dataset does not hold all of its manifest.
        if not self.is_protected and named != cid:
            raise IntegrityError(f"the node described another dataset than {cid}")
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
        if self.is_protected:
            return  # its tree covers parity that was not sent; the node has verified it
        block_size = self.manifest.block_size
        self._held += bytes(-len(self._held) % block_size)
        self._hash(len(self._held))
        right_size = self._size == self.manifest.dataset_size
        if not right_size or self._root() != self.manifest.tree_cid.digest:
            raise IntegrityError(f"the bytes received are not those of {self._cid}")

    def _hash(self, count: int) -> None:
        if count:
            batch = bytes(memoryview(self._held)[:count])
            self._digests += sha256_blocks(batch, self.manifest.block_size)
            del self._held[:count]

    def _root(self) -> bytes:
        return merkle_root(bytes(self._digests)) if self._digests else EMPTY_TREE_ROOT
