"""get_file: from a capability to the ciphertext of its file, wherever its replicas are.

    repair capability ─► locator ─► map of replicas ─► holders ─► blocks, verified and paid

Decrypting is the reader's: who has the read capability derives the repair capability from it.
Ciphertext that was read whole, chunk by chunk, can be kept in the store: the map has the proofs.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from quire.base.errors import IntegrityError, NotFound
from quire.formats.cap import RepairCap
from quire.formats.holders import ChunkPlace, Holders
from quire.formats.manifest import Manifest, decode_manifest
from quire.kernels.hashing import verify_range
from quire.point.values import BLOCK_BYTES
from quire.services.retail.ciphertext import check_sealable
from quire.services.retail.map_search import MapSearch
from quire.services.retail.replica_file import ReadPorts, ReplicaFile
from quire.services.retail.tab import Purse
from quire.store.port import BlockStore

FIND_SECONDS = 30.0
FOUND_SECONDS = 60.0  # how long a map is taken for the newest one
FOUND_MAX = 64  # maps that are remembered


@dataclass(frozen=True, slots=True)
class FoundFile:
    """What the newest map says of a file."""

    version: int
    holders: Holders
    manifest: Manifest


class Retrieval:
    """Reads files of which this node has a capability, not the blocks."""

    def __init__(
        self, search: MapSearch, ports: ReadPorts, store: BlockStore, rng: random.Random
    ) -> None:
        self._search = search
        self._ports = ports
        self._store = store
        self._rng = rng
        self._found: dict[bytes, tuple[float, FoundFile]] = {}  # by seal root and CID

    async def find(self, cap: RepairCap, seconds: float = FIND_SECONDS) -> FoundFile:
        """Who holds the file.

        Raises   NotFound        nobody shows a map of its replicas
                 IntegrityError  the newest map is of another dataset, or broken
        """
        now, key = self._ports.clock.monotonic(), cap.seal_root + cap.cid.encode()
        at, known = self._found.get(key, (-FOUND_SECONDS, None))
        if known is not None and now - at < FOUND_SECONDS:
            return known
        known = await self._search_for(cap, seconds)
        self._found.pop(key, None)
        self._found[key] = now, known
        while len(self._found) > FOUND_MAX:
            del self._found[next(iter(self._found))]
        return known

    async def _search_for(self, cap: RepairCap, seconds: float) -> FoundFile:
        found = await self._search.find(cap, seconds)
        if found is None:
            raise NotFound(
                f"nobody shows a map of replicas of {cap.cid} under this capability: it has none, "
                "its providers are away, or the capability's key is another",
                cid=str(cap.cid),
            )
        manifest = decode_manifest(found.holders.manifest)
        check_sealable(manifest)
        return FoundFile(found.version, found.holders, manifest)

    @asynccontextmanager
    async def reading(
        self, cap: RepairCap, found: FoundFile, budget: int | None = None
    ) -> AsyncIterator[ReplicaFile]:
        """One reading, with a session of its own; what was served is paid at its end."""
        purse = Purse(self._rng.randbytes(16).hex(), found.manifest.dataset_size, budget)
        file = ReplicaFile(found.holders, found.manifest, cap.seal_root, self._ports, purse)
        try:
            yield file
        finally:
            await file.close()

    async def stream(
        self,
        cap: RepairCap,
        offset: int = 0,
        length: int | None = None,
        *,
        budget: int | None = None,
        seconds: float = FIND_SECONDS,
    ) -> AsyncGenerator[memoryview, None]:
        """The bytes [offset, offset + length) of the ciphertext. Raises as `find` and
        `ReplicaFile.stream`; close the generator when stopping early."""
        found = await self.find(cap, seconds)
        upto = found.manifest.dataset_size - offset if length is None else length
        async with self.reading(cap, found, budget) as file:
            async for piece in file.stream(offset, upto):
                yield piece

    async def keep(self, file: ReplicaFile, place: ChunkPlace) -> None:
        """Put a whole chunk into the store, in which its dataset is registered.

        Raises   IntegrityError  the ciphertext is not the manifest's: the map's maker was wrong
                 BlockMissing    nobody serves it
        """
        root, count = file.manifest.tree_cid.digest, file.manifest.block_count
        data = await file.blocks(place.first, place.count)
        digests = verify_range(data, BLOCK_BYTES, place.first, count, place.proof, root)
        if digests is None:
            raise IntegrityError(
                f"blocks {place.first} to {place.first + place.count} of the replicas are not "
                f"those of the dataset {file.manifest.tree_cid}"
            )
        await self._store.put_range(root, place.first, data, digests, place.proof)
        await self._store.flush()
