"""Rows of a batch of columns computed from K others, checked, and put into the store.

Source blocks were verified when they came, so a result that does not match its digest has one
cause: the parity does not belong to the data. Then nothing of the run is kept, and the error names
the column.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

from quire.base.errors import IntegrityError
from quire.base.ranges import RangeSet
from quire.dataset.columns import ColumnBatch
from quire.dataset.geometry import Geometry
from quire.kernels.erasure import rebuild
from quire.store.dataset import Dataset
from quire.store.port import BlockStore


class MalEncoded(IntegrityError):
    """The parity of a column does not fit its data. `facts["column"]` tells which."""

    code = "mal-encoded"
    hint = "only whoever protected the dataset can protect it anew; its data rows are still good"


async def compute_rows(
    geometry: Geometry,
    rows: Mapping[int, bytes],
    wanted: Sequence[int],
    executor: Executor | None,
) -> list[bytes]:
    """The wanted rows of columns out of K others, not checked yet. Runs off the loop."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor, rebuild, geometry.k, geometry.m, rows, wanted)


async def keep_row(
    store: BlockStore, dataset: Dataset, row: int, batch: ColumnBatch, data: bytes, used: str
) -> list[tuple[int, int]]:
    """Put the blocks of a computed row that are not here into the store; returns what they are.

    used     the rows that it was computed from, in words
    Raises   MalEncoded, QuotaExceeded, DiskFull, BlockMissing (no digests, or no such tree)
    """
    geometry, size = Geometry.of(dataset.manifest), dataset.manifest.block_size
    start = geometry.index(row, batch.first)
    tree = store.tree(dataset.tree_root)
    present = RangeSet() if tree is None else tree.present
    missing = list(RangeSet([(start, start + batch.count)]).minus(present))
    view = memoryview(data)
    for low, high in missing:
        blocks = view[(low - start) * size : (high - start) * size]
        try:
            await store.put_block_range(dataset.tree_root, low, blocks)
        except IntegrityError as error:
            leaf = error.facts.get("leaf")
            column = batch.first if not isinstance(leaf, int) else leaf - geometry.index(row, 0)
            raise MalEncoded(
                f"column {column} of {dataset.manifest_cid} was encoded wrongly: the block of row "
                f"{row} that follows from rows {used} is not the one that its tree names",
                column=column,
                row=row,
            ) from None
    return missing
