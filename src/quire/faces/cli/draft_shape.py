"""How the blocks of a dataset and the bytes of the file that is received belong together.

Plain: the same bytes. Encrypted: a block is a record, which opens to a part of the file; from a
part that is here the block is made again, because under one key it is always the same.
"""

from __future__ import annotations

from typing import Protocol

from quire.dataset.envelope.records import BLOCK_BYTES, RECORD_BYTES, RecordWriter
from quire.faces.cli.verifier import root_of
from quire.faces.remote import EncryptedRemote, Remote
from quire.flow.decrypt import EncryptedContent
from quire.formats.manifest import Manifest
from quire.kernels.hashing import sha256_blocks

DIGEST_BYTES = 32


class Shape(Protocol):
    """Blocks [0, block_count) hold the `size` bytes of the file."""

    size: int
    block_count: int

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes of the file that blocks [start, stop) hold."""

    def whole_blocks(self, size: int) -> int:
        """How many blocks the first `size` bytes of the file are all of."""

    def leaves(self, start: int, data: bytes) -> bytes:
        """Digests of the blocks from `start` on, made of their part of the file."""

    def received(self, start: int, blocks: bytes) -> bytes:
        """The part of the file that is in blocks. Raises IntegrityError."""

    def is_right(self) -> bool:
        """Whether all that went through `leaves` and `received` is the file."""


class PlainShape:
    """Implements `Shape`: bytes as they are. Digests are noted for the root, at the end."""

    def __init__(self, manifest: Manifest) -> None:
        self.size = manifest.original_size
        self.block_count = manifest.original_block_count
        self._block_size = manifest.block_size
        self._root = manifest.original_tree_cid.digest
        self._digests = bytearray(self.block_count * DIGEST_BYTES)

    def span(self, start: int, stop: int) -> tuple[int, int]:
        return start * self._block_size, min(stop * self._block_size, self.size)

    def whole_blocks(self, size: int) -> int:
        return self.block_count if size == self.size else size // self._block_size

    def leaves(self, start: int, data: bytes) -> bytes:
        leaves = sha256_blocks(data, self._block_size)
        self._digests[start * DIGEST_BYTES : start * DIGEST_BYTES + len(leaves)] = leaves
        return leaves

    def received(self, start: int, blocks: bytes) -> bytes:
        self.leaves(start, blocks)
        return blocks

    def is_right(self) -> bool:
        return root_of(bytes(self._digests)) == self._root


class EncryptedShape:
    """Implements `Shape`: what opens is right. Blocks of padding alone are not wanted."""

    def __init__(self, content: EncryptedContent) -> None:
        self.size = content.size
        self.block_count = content.record_count
        self._content = content

    def span(self, start: int, stop: int) -> tuple[int, int]:
        return self._content.content_span(start, stop - start)

    def whole_blocks(self, size: int) -> int:
        if size == self.size:
            return self.block_count
        return (self._content.begin + size) // RECORD_BYTES

    def leaves(self, start: int, data: bytes) -> bytes:
        content = self._content
        head = content.header_bytes if start == 0 else b""
        stop = start + self._count(start, len(data))
        whole = min(stop * RECORD_BYTES, content.opener.stream_bytes) - start * RECORD_BYTES
        stream = (head + data).ljust(whole, b"\0")
        writer = RecordWriter(content.keys, start)
        made = writer.write(stream)
        is_end = stop == content.opener.count
        made += writer.finish() if is_end else writer.write(b"\0")
        return sha256_blocks(made, BLOCK_BYTES)

    def received(self, start: int, blocks: bytes) -> bytes:
        return self._content.of_records(start, blocks)

    def is_right(self) -> bool:
        return True

    def _count(self, start: int, size: int) -> int:
        """Records from `start` on that so many bytes of the content are in."""
        end = max(start * RECORD_BYTES, self._content.begin) + size
        return max(1, -(-end // RECORD_BYTES) - start)


def shape_of(remote: Remote) -> Shape:
    if isinstance(remote, EncryptedRemote):
        return EncryptedShape(remote.opened)
    return PlainShape(remote.source.manifest)
