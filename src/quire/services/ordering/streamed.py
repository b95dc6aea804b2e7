"""What a customer keeps of a dataset that streams by: 32 bytes a block, and the drawn columns.

    run of blocks ─► SHA-256 of each ──────────────► leaves   (a file without a name)
                 └─► those in a drawn column, K each ─► columns  (another)

Which columns are looked at is drawn before the first block leaves. Both files are bounded, 32 bytes
a block and K blocks a column, and end with the process.
Source   market.md 6.5, 2.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from quire.aggregation.streamed_roots import StreamedTree
from quire.aggregation.stripes import Drawn
from quire.base.errors import BlockMissing, Bug, DiskFull
from quire.dataset.geometry import Geometry
from quire.formats.cid import Cid, manifest_cid, tree_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.kernels.hashing import sha256_blocks
from quire.store.shape import DIGEST_BYTES


class StreamedOriginal:
    """Implements `originals.Original` when all was taken and `seal` was called."""

    def __init__(self, drawn: Drawn, directory: Path, executor: Executor | None) -> None:
        self._drawn = drawn
        self._geometry = drawn.geometry
        self._executor = executor
        self._tree = StreamedTree(drawn.geometry.original_blocks)
        self._places = {column: place for place, column in enumerate(drawn.columns)}
        self._leaves = _scratch(directory)
        self._columns = _scratch(directory)
        self._manifest: Manifest | None = None
        self._in_use = threading.Lock()  # no file is closed under a thread that uses it
        self._is_closed = False
        self.blocks = 0

    def close(self) -> None:
        """What was kept is gone."""
        with self._in_use:
            if not self._is_closed:
                self._is_closed = True
                os.close(self._leaves)
                os.close(self._columns)

    async def take(self, run: bytes) -> None:
        """The next blocks, whole ones; the last padded with zeros. Raises DiskFull."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._take, run)

    def seal(self, size: int, filename: str | None, mimetype: str | None) -> bytes:
        """The manifest's bytes, now that all was taken. Raises BadManifest."""
        root = self._tree.root()
        self._manifest = Manifest(
            tree_cid(root), self._geometry.block_size, size, filename, mimetype
        )
        return encode_manifest(self._manifest)

    @property
    def manifest(self) -> Manifest:
        if self._manifest is None:
            raise Bug("a dataset that still streams by has no manifest")
        return self._manifest

    @property
    def cid(self) -> Cid:
        return manifest_cid(encode_manifest(self.manifest))

    async def leaves(self, start: int, count: int) -> bytes:
        at, size = start * DIGEST_BYTES, count * DIGEST_BYTES
        return await self._read(self._leaves, size, at)

    async def rows(self, geometry: Geometry, columns: Sequence[int]) -> list[bytes]:
        """Of drawn columns that follow each other in the draw."""
        size, k = geometry.block_size, geometry.k
        start = self._places[columns[0]]
        data = await self._read(self._columns, len(columns) * k * size, start * k * size)
        return [
            b"".join(data[at * size : (at + 1) * size] for at in range(row, k * len(columns), k))
            for row in range(k)
        ]

    # ---- inside ----

    def _take(self, run: bytes) -> None:
        size, geometry = self._geometry.block_size, self._geometry
        digests = sha256_blocks(run, size)
        self._tree.feed(digests)
        self._write(self._leaves, digests, self.blocks * DIGEST_BYTES)
        for at in range(len(run) // size):
            row, column = geometry.position(self.blocks + at)
            place = self._places.get(column)
            if place is not None:
                block = memoryview(run)[at * size : (at + 1) * size]
                self._write(self._columns, block, (place * geometry.k + row) * size)
        self.blocks += len(run) // size

    def _write(self, file: int, data: bytes | memoryview, at: int) -> None:
        with self._in_use:
            self._check_open()
            try:
                if os.pwrite(file, data, at) != len(data):
                    raise DiskFull("what is kept of a stream was written in part only")
            except OSError as error:
                raise DiskFull(f"what is kept of a stream cannot be written: {error}") from error

    def _check_open(self) -> None:
        if self._is_closed:
            raise BlockMissing("what was kept of a dataset that streamed by is gone")

    async def _read(self, file: int, size: int, at: int) -> bytes:
        """What was never written, pads, reads as zeros."""

        def read() -> bytes:
            with self._in_use:
                self._check_open()
                return os.pread(file, size, at).ljust(size, b"\0")

        return await asyncio.get_running_loop().run_in_executor(self._executor, read)


def _scratch(directory: Path) -> int:
    """A file that nobody else sees and that ends with its descriptor."""
    try:
        file, name = tempfile.mkstemp(prefix="stream-", dir=directory)
    except OSError as error:
        raise DiskFull(f"no file can be made in {directory}: {error}") from error
    Path(name).unlink()
    return file
