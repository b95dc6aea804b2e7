"""A receipt's lists are fetched and looked at, and the drawn columns coded again.

In pieces, off the loop, so that a small node stays small and answers meanwhile.
Read next: quire.aggregation.encoded_check
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor

from quire.aggregation.encoded_check import EncodedCheck
from quire.aggregation.order import Wrong
from quire.aggregation.stripes import Drawn
from quire.base.clock import Clock
from quire.base.errors import BadManifest, DeadlineExceeded, NotFound
from quire.base.units import KIB, MIB
from quire.flow.fetch import Fetches
from quire.formats.aggregator_codes import Reason
from quire.formats.cid import Cid
from quire.formats.manifest import Manifest
from quire.services.ordering.originals import Original
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.shape import DIGEST_BYTES
from quire.store.store import Store

PIECE_BYTES = 256 * KIB  # of a list, at a time
COLUMNS_BYTES = 2 * MIB  # of all rows of drawn columns, at a time
FIND_SECONDS = 60.0
FETCH_SECONDS, FETCH_BYTES_A_SECOND = 120.0, 64 * KIB  # more time for what is larger


class EncodedLists:
    """Checks of one node."""

    def __init__(
        self, store: Store, fetches: Fetches, clock: Clock, executor: Executor | None
    ) -> None:
        self._store = store
        self._fetches = fetches
        self._clock = clock
        self._executor = executor

    async def fetch(self, cid: Cid, size: int, root: RetentionRoot) -> Dataset | Wrong:
        """A list, all of it, kept under `root`. It is known beforehand how long it has to be.

        Raises QuotaExceeded, DiskFull."""
        try:
            dataset = await self._fetches.manifest(cid, FIND_SECONDS)
            manifest = dataset.manifest
            if manifest.is_protected or manifest.dataset_size != size:
                return Wrong(
                    Reason.PARAMETERS,
                    f"the list {cid} has {manifest.dataset_size} bytes; it has to have {size}",
                )
            await self._store.retain(cid, root)
            async with asyncio.timeout_at(
                self._clock.monotonic() + FETCH_SECONDS + size / FETCH_BYTES_A_SECOND
            ):
                return await self._fetches.whole(cid, FIND_SECONDS)
        except (NotFound, BadManifest, DeadlineExceeded, TimeoutError) as error:
            why = getattr(error, "message", "it did not come in time")
            return Wrong(Reason.WITHHELD, f"the list {cid} is not served: {why}")

    async def check(
        self,
        encoded: Manifest,
        drawn: Drawn,
        original: Original,
        lists: tuple[Dataset, Dataset],
        note: Callable[[str], None],
    ) -> Wrong | str:
        """What is wrong, or in words what was looked at. `lists`: of leaves, and of digests.

        Raises BlockMissing: a list or the original is not here any more."""
        loop = asyncio.get_running_loop()
        check = await loop.run_in_executor(self._executor, EncodedCheck, encoded, drawn)
        note("the list of leaves is compared")
        wrong = await self._leaves(check, original, lists[0])
        if wrong is None:
            note("the slot trees are built from their digests")
            wrong = await self._digests(check, lists[1])
        if wrong is None:
            note(f"{len(drawn.columns)} columns are coded again")
            wrong = await self._columns(check, drawn, original)
        return check.words() if wrong is None else wrong

    # ---- inside ----

    async def _leaves(
        self, check: EncodedCheck, original: Original, dataset: Dataset
    ) -> Wrong | None:
        loop, at = asyncio.get_running_loop(), 0
        blocks = original.manifest.block_count
        async for piece in self._pieces(dataset):
            count = len(piece) // DIGEST_BYTES
            have = max(0, min(count, blocks - at))
            own = await original.leaves(at, have) if have else b""
            wrong = await loop.run_in_executor(self._executor, check.feed_leaves, piece, own)
            if wrong is not None:
                return wrong
            at += count
        return await loop.run_in_executor(self._executor, check.end_leaves)

    async def _digests(self, check: EncodedCheck, dataset: Dataset) -> Wrong | None:
        loop = asyncio.get_running_loop()
        async for piece in self._pieces(dataset):
            wrong = await loop.run_in_executor(self._executor, check.feed_digests, piece)
            if wrong is not None:
                return wrong
        return await loop.run_in_executor(self._executor, check.end_digests)

    async def _columns(self, check: EncodedCheck, drawn: Drawn, original: Original) -> Wrong | None:
        loop, geometry = asyncio.get_running_loop(), drawn.geometry
        most = max(1, COLUMNS_BYTES // (geometry.slots * geometry.block_size))
        for at in range(0, len(drawn.columns), most):
            columns = drawn.columns[at : at + most]
            rows = await original.rows(geometry, columns)
            wrong = await loop.run_in_executor(self._executor, check.columns, columns, rows)
            if wrong is not None:
                return wrong
        return None

    async def _pieces(self, dataset: Dataset) -> AsyncIterator[bytes]:
        """Whole digests, in order."""
        manifest = dataset.manifest
        blocks = max(1, PIECE_BYTES // manifest.block_size)
        left = manifest.dataset_size
        for start in range(0, manifest.block_count, blocks):
            count = min(blocks, manifest.block_count - start)
            piece = await self._store.read_range(dataset.tree_root, start, count)
            yield piece[:left]
            left -= len(piece)
