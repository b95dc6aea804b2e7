"""Uploads that outlive their client, a lost connection, and the end of the node.

What is durable of such an upload is in its row (`unfinished.py`): whole blocks as a staged tree,
the rest as the row's tail. A `ResumableUpload` is open only while bytes come in; whoever opens it
next, after a pause or a crash, begins from the row. Space for the whole of it is reserved from its
creation on when its length is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace

from quire.base.errors import Busy, NotFound, QuireError, QuotaExceeded
from quire.store.committer import Change
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.disk import Buffer
from quire.store.intake import (
    MANIFEST_BYTES_EXPECTED,
    Intake,
    IntakePorts,
    check_block_size,
    padded,
)
from quire.store.meta import Tables
from quire.store.publish import Publication, Staged, load_staged, publish_change
from quire.store.quota import Reservation
from quire.store.unfinished import UploadRow
from quire.store.upload import publication_of


class UnknownUpload(NotFound):
    code = "unknown-upload"
    hint = "uploads that can be resumed: GET /api/quire/v1/uploads"


class Resumables:
    """All resumable uploads of a store."""

    def __init__(
        self,
        ports: IntakePorts,
        default_root: Callable[[], RetentionRoot],
        ended: Callable[[], None],
    ) -> None:
        self._ports = ports
        self._core = ports.core
        self._default_root = default_root
        self._ended = ended  # a write that may have pinned blocks is over
        self._reservations: dict[str, Reservation] = {}
        self._open: dict[str, ResumableUpload] = {}

    async def load(self) -> None:
        """Reserve again what was promised before the start."""
        for row in await self.every():
            if not row.is_complete:
                reservation = self._reservations[row.id] = Reservation(self._core.quota)
                try:
                    reservation.cover(_still_needed(row))
                except QuotaExceeded:
                    continue  # the quota was made smaller; whoever opens it is told

    async def create(self, row: UploadRow) -> None:
        """Begin an upload. Raises InputError for the block size, QuotaExceeded."""
        check_block_size(row.block_size)
        reservation = Reservation(self._core.quota)
        reservation.cover(_still_needed(row))
        self._reservations[row.id] = reservation

        def failed(_: BaseException) -> None:
            self._let_go(row.id)

        await self._core.committer.run(
            Change(lambda tables: tables.uploads.add(row), failed=failed)
        )

    async def find(self, upload_id: str) -> UploadRow:
        """Raises UnknownUpload."""
        row = await self._core.off_loop(self._core.meta.reading.uploads.find, upload_id)
        if row is None:
            raise UnknownUpload(f"there is no upload {upload_id[:64]!r}; it may have expired")
        return row

    async def every(self) -> list[UploadRow]:
        """All uploads, oldest first."""
        return await self._core.off_loop(self._core.meta.reading.uploads.every)

    async def set_length(self, upload_id: str, length: int) -> None:
        """The length of an upload that is not open has become known. Raises QuotaExceeded,
        UnknownUpload."""
        row = replace(await self.find(upload_id), length=length)
        reservation = self._reservations[upload_id]
        reservation.cover(_still_needed(row))
        change = Change(lambda tables: tables.uploads.set_length(upload_id, length))
        try:
            await self._core.committer.run(change)
        except QuireError:
            reservation.shrink(MANIFEST_BYTES_EXPECTED)
            raise

    async def open(self, upload_id: str, lifetime_seconds: float) -> ResumableUpload:
        """Go on with an upload from what is durable of it; every step prolongs its life.

        Raises   UnknownUpload  ·  QuotaExceeded
                 Busy           it is open already, or a block of it went bad on the disk
        """
        row = await self.find(upload_id)
        if upload_id in self._open or row.is_complete:
            raise Busy(f"upload {upload_id} is being written to, or is complete")

        def load() -> tuple[Staged, bytes]:
            tables = self._core.meta.reading
            tail = tables.uploads.tail(upload_id)
            leaf_count = (row.position - len(tail)) // row.block_size
            return load_staged(tables.trees, row.tree_id, leaf_count), tail

        staged, tail = await self._core.off_loop(load)
        if upload_id in self._open:
            raise Busy(f"upload {upload_id} is being written to")
        reservation = self._reservations[upload_id]
        reservation.cover(_still_needed(row))
        upload = ResumableUpload(
            self._ports,
            reservation,
            Resumption(row, staged, tail, lifetime_seconds),
            self._default_root,
            self._closed,
        )
        self._open[upload_id] = upload
        return upload

    async def remove(self, upload_id: str) -> bool:
        """Leave nothing of an upload that is not open; a dataset that came of it stays. False
        when there is no such upload."""

        def apply(tables: Tables) -> bool:
            row = tables.uploads.find(upload_id)
            if row is None:
                return False
            if row.tree_id is not None:
                tables.trees.condemn(row.tree_id)
            tables.uploads.remove(upload_id)
            return True

        def done(_: bool) -> None:
            self._let_go(upload_id)

        return await self._core.committer.run(Change(apply, frees_space=True, done=done))

    async def close(self) -> None:
        """Make durable what open uploads have taken."""
        for upload in list(self._open.values()):
            await upload.close()

    def _closed(self, upload: ResumableUpload, is_complete: bool) -> None:
        self._open.pop(upload.row.id, None)
        if is_complete:
            self._let_go(upload.row.id)
        self._ended()

    def _let_go(self, upload_id: str) -> None:
        reservation = self._reservations.pop(upload_id, None)
        if reservation is not None:
            reservation.end()


def _still_needed(row: UploadRow) -> int:
    """Bytes of quota for what is not in the index."""
    whole = row.position // row.block_size * row.block_size
    rest = 0 if row.length is None else max(0, padded(row.length, row.block_size) - whole)
    return rest + MANIFEST_BYTES_EXPECTED


@dataclass(frozen=True, slots=True)
class Resumption:
    """From where an upload goes on."""

    row: UploadRow
    staged: Staged
    tail: bytes
    lifetime_seconds: float


class ResumableUpload:
    """An open upload: write, then `close` or `commit`. Not to be used by two tasks at once."""

    def __init__(
        self,
        ports: IntakePorts,
        reservation: Reservation,
        start: Resumption,
        default_root: Callable[[], RetentionRoot],
        closed: Callable[[ResumableUpload, bool], None],
    ) -> None:
        self.row = start.row
        self._core = ports.core
        self._lifetime_seconds = start.lifetime_seconds
        self._default_root = default_root
        self._closed = closed
        self._is_over = False
        self._closing: asyncio.Task[None] | None = None
        self._intake = Intake(
            ports,
            reservation,
            start.row.block_size,
            expected_bytes=start.row.length,
            staged=start.staged,
            tail=start.tail,
            note=self._note,
        )

    @property
    def position(self) -> int:
        """Bytes taken."""
        return self._intake.received_bytes

    @property
    def durable_bytes(self) -> int:
        """Bytes that are there after a crash."""
        return self._intake.durable_bytes

    async def write(self, data: Buffer) -> None:
        """Take bytes. After an error only `close` makes sense. Raises QuotaExceeded, DiskFull."""
        await self._intake.write(data)

    async def checkpoint(self) -> None:
        """Everything taken is durable when this returns. Raises DiskFull, Busy."""
        await self._intake.checkpoint()

    def hold(self) -> None:
        """Nothing becomes durable until `approve`: what comes may turn out to be wrong."""
        self._intake.is_held = True

    def approve(self) -> None:
        """What came since `hold` is right."""
        self._intake.is_held = False

    async def commit(self, root: RetentionRoot | None = None) -> Dataset:
        """Make the dataset visible and durable, and note that the upload is complete. `root`: why
        it is kept; None: as any upload.

        Raises InputError, QuotaExceeded, DiskFull, Busy; what was durable before still is."""
        try:
            row = self.row
            publication = await publication_of(
                self._intake, row.filename, row.mimetype, root or self._default_root()
            )
        except BaseException:
            self._intake.is_broken = True  # its last block may be padded
            await self.close()
            raise
        self._is_over = True
        length = self.position
        change = publish_change(
            self._core,
            self._intake.batch,
            publication,
            lambda: self._closed(self, True),
            lambda _: self._lost(),
            lambda tables: self._note_end(tables, length, publication),
        )
        return (await self._core.committer.run(change)).dataset

    async def close(self) -> None:
        """Keep what was taken, unless it is on `hold`; at least what is durable stays. Goes on to
        its end when it is cancelled."""
        if not self._is_over:
            self._is_over = True
            self._closing = _task(self._close())
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _close(self) -> None:
        intake = self._intake
        try:
            if not intake.is_broken and not intake.is_held and self.position > self.durable_bytes:
                await intake.checkpoint()
        except QuireError as error:
            self._core.events.publish(
                "upload.cut-back", self.row.id, f"the end of an upload was lost: {error.message}"
            )
        finally:
            await intake.discard()
            if self.row.length is None:
                intake.reservation.shrink(MANIFEST_BYTES_EXPECTED)
            self._closed(self, False)

    def _note(self, tables: Tables, staged: Staged, tail: bytes) -> None:
        position = staged.leaf_count * self.row.block_size + len(tail)
        expires_at = self._core.clock.now() + self._lifetime_seconds
        if not tables.uploads.advance(self.row.id, position, staged.tree_id, tail, expires_at):
            raise UnknownUpload(f"upload {self.row.id} was removed while it was written to")

    def _note_end(self, tables: Tables, length: int, publication: Publication) -> None:
        expires_at = self._core.clock.now() + self._lifetime_seconds
        digest = publication.manifest_digest
        tables.uploads.complete(self.row.id, length, digest, expires_at)

    def _lost(self) -> None:
        """The last transaction failed: back to what was durable."""
        self._intake.give_back()
        if self.row.length is None:
            self._intake.reservation.shrink(MANIFEST_BYTES_EXPECTED)
        self._closed(self, False)


def _task(work: Coroutine[object, object, None]) -> asyncio.Task[None]:
    return asyncio.get_running_loop().create_task(work, name="upload close")
