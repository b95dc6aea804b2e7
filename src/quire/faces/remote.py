"""What a CID or a read capability names, behind a node that need not be trusted.

Plain: blocks are proved against the tree, or the caller hashes. Encrypted: every record is
authentic under the file key, which the node never sees; only record 0 is proved as well, so that a
wrong key is told from a lying node.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from quire.base.errors import BadCap, IntegrityError
from quire.base.units import MIB
from quire.dataset.envelope.records import BLOCK_BYTES
from quire.faces.client import Client
from quire.faces.replicas import Replicas, is_here
from quire.flow.decrypt import EncryptedContent
from quire.formats.cap import DatasetCap, ReadCap
from quire.formats.cid import Cid
from quire.formats.manifest import Manifest
from quire.kernels.hashing import verify_range

PROVED_BYTES = 8 * MIB  # in one answer


@dataclass(frozen=True, slots=True)
class Source:
    """One dataset behind a node. `timeout`: how long the network may be asked, in seconds."""

    client: Client
    cid: Cid
    manifest: Manifest
    timeout: float | None

    async def proved(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes [start, stop) of the dataset, proved against its tree.

        Raises   IntegrityError  the node sent other bytes
        """
        size = self.manifest.block_size
        first, last = start // size, -(-stop // size)
        step = max(1, PROVED_BYTES // size)
        for at in range(first, last, step):
            blocks = await self._blocks(at, min(step, last - at))
            yield blocks[max(0, start - at * size) : stop - at * size]

    async def _blocks(self, start: int, count: int) -> bytes:
        query = {"start": str(start), "count": str(count)}
        path = f"/datasets/{self.cid}/blocks"
        async with self.client.open(path, query=query, timeout_seconds=self.timeout) as answer:
            cut = int(answer.headers["Quire-Proof-Bytes"])
            body = await answer.read()
        manifest, size = self.manifest, self.manifest.block_size
        proof, data = body[:cut], body[cut:]
        root = manifest.tree_cid.digest
        if len(data) != count * size or (
            verify_range(data, size, start, manifest.block_count, proof, root) is None
        ):
            raise IntegrityError(f"the node sent blocks that are not of {self.cid}")
        return data

    async def stream(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes [start, stop) as the node says; the caller checks them."""
        if start == stop:
            return
        async with self.client.get(
            str(self.cid), start=start, stop=stop, timeout_seconds=self.timeout
        ) as download:
            if download.size != stop - start:
                raise IntegrityError(f"the node answered another range of {self.cid}")
            async for piece in download.pieces():
                yield piece


@dataclass(frozen=True, slots=True)
class ReplicaSource(Source):
    """A dataset at the holders of its replicas. The node checked what they sent; that it is what
    was put, every record shows under the file key."""

    cap: ReadCap

    def proved(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self.stream(start, stop)

    def stream(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return Replicas(self.client).read(self.cap, start, stop, self.timeout)


@dataclass(frozen=True, slots=True)
class PlainRemote:
    """A dataset as it is. `read` and `verified` give proved bytes, `content` what the node says."""

    source: Source

    @property
    def size(self) -> int:
        return self.source.manifest.original_size

    @property
    def name(self) -> str | None:
        return self.source.manifest.filename

    @property
    def media_type(self) -> str | None:
        return self.source.manifest.mimetype

    async def read(self, offset: int, length: int) -> bytes:
        return await _joined(self.source.proved(offset, offset + length))

    def content(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self.source.stream(start, stop)

    def verified(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self.source.proved(start, stop)


@dataclass(frozen=True, slots=True)
class EncryptedRemote:
    """A dataset under its key. All bytes that come out are authentic."""

    source: Source
    opened: EncryptedContent

    @property
    def size(self) -> int:
        return self.opened.size

    @property
    def name(self) -> str | None:
        return self.opened.header.name

    @property
    def media_type(self) -> str | None:
        return self.opened.header.media_type

    async def read(self, offset: int, length: int) -> bytes:
        return await _joined(self.content(offset, offset + length))

    def content(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self.opened.read(start, stop, self.source.stream)

    def verified(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self.content(start, stop)


Remote: TypeAlias = PlainRemote | EncryptedRemote


async def open_remote(client: Client, target: Cid | DatasetCap, timeout: float | None) -> Remote:
    """What a CID or a read capability names.

    Raises   BadCap          the capability does not read
             WrongKey        it does not fit the dataset; only its first record was asked for
             IntegrityError  the node describes another dataset, or it is not what it should be
    """
    if isinstance(target, Cid):
        manifest = await client.manifest(target, timeout_seconds=timeout)
        return PlainRemote(Source(client, target, manifest, timeout))
    cap = reading(target)
    source = await _source_of(client, cap, timeout)
    manifest = source.manifest
    opened = await EncryptedContent.open(cap, manifest.original_size, source.proved)
    return EncryptedRemote(source, opened)


async def _source_of(client: Client, cap: ReadCap, timeout: float | None) -> Source:
    """Where a file is read from: the node itself, the holders of its replicas, or else whoever has
    the dataset."""
    if not await is_here(client, cap):
        found = await Replicas(client).find(cap, timeout)
        if found is not None:
            return ReplicaSource(client, cap.cid, found, timeout, cap)
    manifest = await client.manifest(cap.cid, timeout_seconds=timeout)
    if manifest.block_size != BLOCK_BYTES:
        raise IntegrityError(
            f"{cap.cid} has blocks of {manifest.block_size} bytes; encrypted datasets have "
            f"{BLOCK_BYTES}"
        )
    return Source(client, cap.cid, manifest, timeout)


def reading(cap: DatasetCap) -> ReadCap:
    """Raises   BadCap  it does not read"""
    if isinstance(cap, ReadCap):
        return cap
    words = {"p": "a repair", "v": "a verify"}[cap.kind]
    raise BadCap(f"{words} capability does not read; ask for the read capability (pn1r:…)")


async def _joined(pieces: AsyncGenerator[bytes, None]) -> bytes:
    async with aclosing(pieces):
        return b"".join([piece async for piece in pieces])
