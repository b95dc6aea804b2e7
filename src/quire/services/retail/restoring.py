"""Brings the ciphertext of a chunk back from the replicas that are left, to make another of it.

Only the repair capability is needed: what is fetched is unsealed, not decrypted, and checked
against the tree of the ciphertext before it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from quire.base.clock import Clock
from quire.base.errors import BlockMissing
from quire.formats.cap import RepairCap
from quire.point.link import LinkState
from quire.services.retail.map_keeper import decode_proofs, holders_of
from quire.services.retail.retrieve import FoundFile, Retrieval
from quire.services.retail.upload_record import Upload
from quire.services.retail.upload_watch import KEPT_SECONDS, root_name
from quire.store.dataset import RetentionRoot
from quire.store.port import BlockStore


class Restoring:
    """Of one node."""

    def __init__(self, retrieval: Retrieval, store: BlockStore, clock: Clock) -> None:
        self._retrieval = retrieval
        self._store = store
        self._clock = clock

    async def bring(
        self, upload: Upload, cap: RepairCap, links: Sequence[LinkState], proofs: bytes, chunk: int
    ) -> None:
        """Have a chunk in the store again. `links`: all of the file.

        Raises   BlockMissing    no replica is left, or none is served
                 IntegrityError  as Retrieval.keep; what paying for it raises
        """
        held = [link for link in links if link.is_held]
        if not any(link.order.chunk == chunk for link in held):
            raise BlockMissing(
                f"the ciphertext of chunk {chunk} of {upload.cid} is not on this node any more, "
                "and no replica of it is left"
            )
        holders = holders_of(upload, held, decode_proofs(proofs))
        until = self._clock.now() + KEPT_SECONDS
        await self._store.put_manifest(
            upload.manifest, RetentionRoot("lease", root_name(upload), until)
        )
        found = FoundFile(upload.map_version, holders, upload.contents)
        async with self._retrieval.reading(cap, found) as file:
            await self._retrieval.keep(file, holders.chunks[chunk])
