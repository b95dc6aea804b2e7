"""A protected tree, its blocks, and the manifests that people may write over it, true and false."""

from __future__ import annotations

from dataclasses import dataclass, replace

from quire.formats.cid import Cid, manifest_cid, tree_cid
from quire.formats.manifest import Manifest, decode_manifest, encode_manifest
from quire.kernels.hashing import range_proof
from quire.store.store import Store
from support.protected import BLOCK, Protected, protect


@dataclass(frozen=True)
class Padded:
    """A protected dataset of which any number of blocks can be claimed to be the real ones."""

    truth: Protected

    @classmethod
    def of(cls, blocks: int, k: int, m: int, *, is_verifiable: bool = False) -> Padded:
        return cls(protect(blocks, k, m, is_verifiable=is_verifiable))

    @property
    def root(self) -> bytes:
        return self.truth.root

    @property
    def count(self) -> int:
        return self.truth.geometry.total

    @property
    def pads(self) -> range:
        return range(self.truth.geometry.original_blocks, self.truth.geometry.rounded)

    @property
    def real(self) -> list[tuple[int, int]]:
        """(start, count) of the runs of leaves that are blocks."""
        runs = [(0, self.pads.start), (self.pads.stop, self.count - self.pads.stop)]
        return runs if self.pads else [(0, self.count)]

    @property
    def digests(self) -> bytes:
        return self.truth.nodes[: 32 * self.count]

    @property
    def honest(self) -> bytes:
        """The true manifest, without slot roots."""
        return self.saying(self.pads.start)

    def saying(self, original_blocks: int) -> bytes:
        """A manifest that says that so many blocks are real; it lies unless they are."""
        manifest = decode_manifest(self.truth.manifest)
        assert manifest.protection is not None
        size = original_blocks * BLOCK - 5
        protection = replace(manifest.protection, original_dataset_size=size, verification=None)
        return encode_manifest(replace(manifest, protection=protection))

    def plain(self, block_count: int | None = None) -> bytes:
        """A manifest that knows of no protection, perhaps with a wrong number of blocks."""
        size = (block_count or self.count) * BLOCK
        return encode_manifest(Manifest(tree_cid(self.root), BLOCK, size))

    def blocks(self, start: int, count: int) -> bytes:
        return self.truth.blocks[start * BLOCK : (start + count) * BLOCK]

    def leaves(self, start: int, count: int) -> bytes:
        return self.digests[start * 32 : (start + count) * 32]

    def proof(self, start: int, count: int) -> bytes:
        return range_proof(self.truth.nodes, self.count, start, count)

    async def give(self, store: Store, start: int, count: int) -> None:
        """As a peer would, verified. No leaf of the range may be padding."""
        blocks, leaves = self.blocks(start, count), self.leaves(start, count)
        await store.put_range(self.root, start, blocks, leaves, self.proof(start, count))

    async def give_all(self, store: Store) -> None:
        for start, count in self.real:
            await self.give(store, start, count)
        await store.flush()


def cid_of(manifest: bytes) -> Cid:
    return manifest_cid(manifest)
