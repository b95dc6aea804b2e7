"""The ways of quire put for one content: as it is, encrypted from a file or from a stream."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from quire.base.clock import SystemClock
from quire.base.errors import InputError
from quire.base.units import MIB
from quire.dataset.envelope.header import Header
from quire.dataset.envelope.records import BLOCK_BYTES
from quire.faces.cli.keyring_options import open_keyring, place_of
from quire.faces.cli.progress import Report
from quire.faces.cli.sending import Order, send_file
from quire.faces.client import Client
from quire.faces.encrypting import (
    Caps,
    content_of_file,
    convergent_plan,
    machine_suite,
    new_file_key,
    random_plan,
)
from quire.faces.keyring import Keyring
from quire.flow.encrypt import Encryption, Spooled, encrypted
from quire.formats.cap import LITERAL_BYTES_MAX, LiteralCap
from quire.formats.catalogue import CatalogueEntry
from quire.formats.cid import Cid

RESUMABLE_BYTES = 8 * MIB  # a smaller file is sent again sooner than it is resumed


@dataclass(frozen=True, slots=True)
class Manner:
    """How a content is to be put; `secret` (32 bytes) makes it convergent."""

    is_encrypted: bool
    secret: bytes | None
    is_padded: bool
    takes_literals: bool

    def __repr__(self) -> str:
        return f"<manner, encrypted: {self.is_encrypted}>"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it. Sizes in bytes of the content."""

    caps: Caps
    size: int
    resumed_bytes: int = 0


class Putting:
    """One content on its way to a node."""

    def __init__(
        self,
        client: Client,
        source: BinaryIO,
        names: tuple[str | None, str | None],
        report: Report,
    ) -> None:
        self._client = client
        self._source = source
        self._name, self._media_type = names
        self._report = report

    async def plain(self, file: str, size: int | None, patience: float) -> Done:
        """As it is."""
        name, media_type = self._name, self._media_type
        if size is not None and size >= RESUMABLE_BYTES:
            order = Order(Path(file), name, media_type, patience)
            sent = await send_file(self._client, order, self._source, self._report)
            return _done_plain(sent.cid, sent.size, sent.resumed_bytes)
        pieces = self._counted(_pieces(self._source))
        cid = await self._client.put(pieces, size=size, filename=name, mimetype=media_type)
        return _done_plain(cid, size or 0, 0)

    async def file(self, path: Path, size: int, manner: Manner, patience: float) -> Done:
        """Encrypted; a large one so that it can be resumed."""
        content = content_of_file(self._source)
        header = Header(size, self._name, self._media_type)
        if manner.secret is not None:
            before = os.fstat(self._source.fileno())
            plan = await convergent_plan(content, size, manner.secret, is_padded=manner.is_padded)
            after = os.fstat(self._source.fileno())
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                # Else another content would be encrypted under the key of the one before.
                raise InputError(f"{path} changed while it was read; put it again")
        else:
            plan = random_plan(header, is_padded=manner.is_padded)
        if size < RESUMABLE_BYTES:
            pieces = self._counted(encrypted(plan, content))
            cid = await self._client.put(pieces, size=plan.dataset_bytes, block_size=BLOCK_BYTES)
            return Done(_caps(plan, cid), size)

        def plan_with(file_key: bytes) -> Encryption:
            if manner.secret is not None:
                return plan
            return random_plan(header, is_padded=manner.is_padded, file_key=file_key)

        words = f"{'convergent' if manner.secret else 'random'} {manner.is_padded} {header.meta!r}"
        order = Order(path, None, None, patience, manner=words, plan=plan_with)
        sent = await send_file(self._client, order, self._source, self._report)
        assert sent.plan is not None  # the order has one
        return Done(_caps(sent.plan, sent.cid), size, min(size, sent.resumed_bytes))

    async def stream(self, manner: Manner, begin: bytes) -> Done:
        """Encrypted, of a length that is not known; the ciphertext waits in a file until it is.
        `begin` was read already."""
        with tempfile.TemporaryFile(prefix="quire-put-") as file:
            spool = Spooled(
                new_file_key(),
                machine_suite(),
                self._name,
                self._media_type,
                is_padded=manner.is_padded,
                file=cast(BinaryIO, file),
            )
            plan = await spool.take(_pieces(self._source, begin))
            pieces = self._counted(spool.ciphertext(plan))
            cid = await self._client.put(pieces, size=plan.dataset_bytes, block_size=BLOCK_BYTES)
        return Done(_caps(plan, cid), plan.header.content_bytes)

    async def _counted(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        sent = 0
        async for piece in pieces:
            yield piece
            sent += len(piece)
            self._report(sent, "")


def begin_of(source: BinaryIO, size: int | None) -> LiteralCap | bytes:
    """The capability that holds all of a small content, or the first bytes that were read of a
    larger one."""
    if size is not None and size > LITERAL_BYTES_MAX:
        return b""
    content = source.read(LITERAL_BYTES_MAX + 1)
    return LiteralCap(content) if len(content) <= LITERAL_BYTES_MAX else content


def readable(name: str) -> str:
    """A file name as text, whatever bytes it is on this disk."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def ring_for_put(
    keyring: Path | None, passphrase_file: Path | None, *, is_needed: bool
) -> Keyring | None:
    """The user's key ring, opened before anything is sent; None when he has none and none is
    needed."""
    if keyring is None and not is_needed and not place_of(None).exists():
        return None
    return open_keyring(keyring, passphrase_file)


def remember(ring: Keyring, caps: Caps, name: str | None, size: int) -> None:
    """Add what was put to the catalogue."""
    if caps.read is not None:
        cid = None if caps.cid is None else str(caps.cid)
        ring.add([CatalogueEntry(name, caps.read.text, size, int(SystemClock().now()), cid)])


def _caps(plan: Encryption, cid: str) -> Caps:
    return Caps.of(plan.read_cap(Cid.parse(cid)))


def _done_plain(cid: str, size: int, resumed_bytes: int) -> Done:
    return Done(Caps(None, None, None, Cid.parse(cid)), size, resumed_bytes)


async def _pieces(source: BinaryIO, begin: bytes = b"") -> AsyncGenerator[bytes, None]:
    """What is left of a file or pipe, behind what was read of it."""
    if begin:
        yield begin
    while piece := source.read(MIB):
        yield piece
