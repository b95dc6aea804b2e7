"""A file that is being received: FILE.part, and beside it a note of what it is to become.

What a draft holds is never trusted: each block is made and hashed again, and proved against the
tree's root with a few digests from the node. Blocks that cannot be proved are received again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from quire.base.errors import InputError, NotFound
from quire.base.ranges import RangeSet
from quire.faces.cli.draft_shape import DIGEST_BYTES, Shape
from quire.faces.cli.note import decode_note, encode_note
from quire.faces.remote import Source
from quire.formats.cid import Cid
from quire.kernels.hashing import verify_leaves

BATCH_BLOCKS = 256
BAD_MAX = 16  # in one batch: beyond that the whole batch is received again


class Draft:
    """An open draft of one file."""

    def __init__(self, file: BinaryIO, source: Source, shape: Shape) -> None:
        self.file = file
        self.shape = shape
        self._source = source

    @property
    def size(self) -> int:
        return self.shape.size

    async def proved(self) -> RangeSet:
        """Blocks that are here and right."""
        here = os.fstat(self.file.fileno()).st_size
        if here > self.size:
            self.file.truncate(self.size)
            here = self.size
        good = RangeSet()
        count = self.shape.whole_blocks(here)
        for start in range(0, count, BATCH_BLOCKS):
            stop = min(start + BATCH_BLOCKS, count)
            low, high = self.shape.span(start, stop)
            self.file.seek(low)
            leaves = self.shape.leaves(start, self.file.read(high - low))
            for first, last in await self._proved_in(start, leaves):
                good.add(first, last)
        return good

    async def _proved_in(self, start: int, leaves: bytes) -> RangeSet:
        """The runs of a batch that lead to the root, found by halving."""
        count = len(leaves) // DIGEST_BYTES
        good = RangeSet()
        bad = 0
        open_runs = [(0, count)]
        while open_runs and bad <= BAD_MAX:
            low, high = open_runs.pop()
            part = leaves[low * DIGEST_BYTES : high * DIGEST_BYTES]
            if await self._is_right(start + low, part):
                good.add(start + low, start + high)
            elif high - low == 1:
                bad += 1
            else:
                middle = (low + high) // 2
                open_runs += [(middle, high), (low, middle)]
        return good

    async def _is_right(self, start: int, leaves: bytes) -> bool:
        try:
            count = len(leaves) // DIGEST_BYTES
            proof = await self._source.client.proof(str(self._source.cid), start, count)
        except NotFound:
            return False
        manifest = self._source.manifest
        root = manifest.tree_cid.digest
        return verify_leaves(leaves, start, manifest.block_count, proof, root)


@contextmanager
def draft_of(output: Path, cid: Cid) -> Iterator[tuple[BinaryIO, Path]]:
    """The draft of a file, ours alone, and where it is. It stays when the block ends.

    Raises InputError when it cannot be written, belongs to somebody else, or is being written."""
    path = output.with_name(output.name + ".part")
    note = note_of(path)
    if path.exists() and not note.exists():
        raise InputError(
            f"{path} exists and is not a draft of quire; move it away, or write to another file"
        )
    try:
        with note.open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"another quire get writes {path} at this moment") from None
            with path.open("r+b" if path.exists() else "x+b") as file:
                if decode_note(note.read_bytes(), "cid") != str(cid):
                    file.truncate(0)
                    note.write_bytes(encode_note("cid", str(cid)))
                yield file, path
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from None


def discard(path: Path) -> None:
    """Nothing of the draft is worth keeping."""
    for each in (path, note_of(path)):
        each.unlink(missing_ok=True)


def note_of(draft: Path) -> Path:
    return draft.with_name(draft.name + ".json")
