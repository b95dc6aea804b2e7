"""Stage 1, in parts: an upload that survives its client, its connection and its node.

    create -> append ... append -> complete
       `-> expired | removed

Whoever comes last has the upload: a client that was cut off comes back before the node has noticed,
so a new request ends the one that still waits for bytes, and goes on after what that one has
received. Everything that an answer says is here is durable.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import random
from collections import OrderedDict
from collections.abc import AsyncIterable
from contextlib import ExitStack, suppress
from typing import TypeAlias

from quire.base.clock import Clock
from quire.base.errors import (
    Busy,
    InputError,
    QuireError,
    TooLarge,
)
from quire.base.events import EventBus
from quire.base.units import GIB, format_size
from quire.base.waits import Waits
from quire.flow.active import ActiveTransfers
from quire.flow.part import (
    ChecksumMismatch,
    LargerThanQuota,
    OffsetMismatch,
    Part,
    UploadGone,
    UploadPlan,
)
from quire.flow.turns import Turn, Turns
from quire.formats.cid import manifest_cid_of
from quire.formats.tus import Checksum
from quire.store.resumable import ResumableUpload, UnknownUpload
from quire.store.store import Store
from quire.store.unfinished import UploadRow

Buffer: TypeAlias = bytes | bytearray | memoryview

UNFINISHED_MAX = 1000
COMPLETE_KEPT = 1000  # whose CID can still be asked for
GONE_KEPT = 1000  # of which we still know that they expired
CHECKPOINT_SECONDS = 5.0  # apart, within one long request
CHECKED_BYTES_MAX = 4 * GIB  # of one body with a checksum: it counts as a whole or not at all
LOOK_SECONDS = 60.0  # between two looks for uploads past their time
READY, RECEIVING, COMPLETE = "ready", "receiving", "complete"


class ResumableUploads:
    """All resumable uploads of one node."""

    def __init__(
        self,
        store: Store,
        events: EventBus,
        waits: Waits,
        clock: Clock,
        rng: random.Random,
        *,
        lifetime_seconds: float,
    ) -> None:
        self._store = store
        self._events = events
        self._waits = waits
        self._clock = clock
        self._rng = rng
        self._lifetime_seconds = lifetime_seconds
        self.active = ActiveTransfers()  # requests that are sending bytes
        self._turns = Turns()
        self._idle: dict[str, ExitStack] = {}  # the registered waits for clients
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._is_closing = False

    def max_bytes(self, block_size: int) -> int:
        """The largest upload that could ever fit."""
        quota = self._store.space().quota_max_bytes
        return max(0, (quota - 512) // block_size * block_size)

    async def create(self, plan: UploadPlan) -> UploadRow:
        """Begin an upload, with all its space reserved when the length is known.

        Raises LargerThanQuota, QuotaExceeded, InputError, Busy when there are too many."""
        self._check_open()
        if plan.length is not None and plan.length > self.max_bytes(plan.block_size):
            raise LargerThanQuota(
                f"{format_size(plan.length)} are more than the whole quota of this node"
            )
        unfinished = sum(not row.is_complete for row in await self._store.resumables.every())
        if unfinished >= UNFINISHED_MAX:
            raise Busy(f"{unfinished} uploads are unfinished; finish or delete some of them first")
        now = self._clock.now()
        row = UploadRow(
            id=self._rng.randbytes(16).hex(),
            created_at=now,
            expires_at=now + self._lifetime_seconds,
            block_size=plan.block_size,
            length=plan.length,
            position=0,
            tree_id=None,
            cid=None,
            filename=plan.filename,
            mimetype=plan.mimetype,
            headers=plan.headers,
        )
        await self._store.resumables.create(row)
        if plan.length == 0:
            try:
                return await self._complete(row)
            except BaseException:
                await self._store.resumables.remove(row.id)
                raise
        self._expect(row)
        return row

    async def state(self, upload_id: str) -> UploadRow:
        """How much is here, durable. Ends a request that still sends to it.

        Raises UploadGone, UnknownUpload."""
        async with self._turns.of(upload_id):
            row = await self._find(upload_id)
            if not row.is_complete and row.length == row.position:
                row = await self._complete(row)
            return row

    async def append(
        self, upload_id: str, part: Part, pieces: AsyncIterable[Buffer] | None
    ) -> UploadRow:
        """Take the bytes of one request; the state after it. All of them count when the request
        breaks off, unless they came with a checksum.

        Raises   OffsetMismatch, ChecksumMismatch, UploadGone, UnknownUpload
                 TooLarge       more bytes than the upload has left
                 QuotaExceeded, DiskFull  ·  Busy  the node stops, or another request took over
                 what `pieces` raises
        """
        self._check_open()
        async with self._turns.of(upload_id) as turn:
            row = await self._find(upload_id)
            if part.offset != row.position:
                raise OffsetMismatch(
                    f"the upload has {row.position} bytes, these would begin at {part.offset}",
                    offset=row.position,
                )
            if part.length is not None and part.length != row.length:
                row = await self._set_length(row, part.length)
            if row.length is not None and part.offset + (part.size or 0) > row.length:
                raise TooLarge(f"{part.size} bytes are more than the upload has left")
            if row.is_complete:
                return row
            self._met(row.id)
            try:
                return await self._append(turn, row, part, pieces)
            finally:
                with suppress(QuireError):
                    self._expect(await self._store.resumables.find(row.id))

    async def remove(self, upload_id: str) -> None:
        """Forget an upload and free what it took; the dataset of a complete one stays.

        Raises UploadGone, UnknownUpload."""
        async with self._turns.of(upload_id):
            row = await self._find(upload_id)
            await self._remove(row, "upload.removed", "was removed on request")

    async def every(self) -> list[tuple[UploadRow, str, int]]:
        """All uploads, oldest first, each with its state and the bytes received so far."""
        found = []
        for row in await self._store.resumables.every():
            turn = self._turns.find(row.id)
            is_receiving = turn is not None and turn.reading is not None
            state = COMPLETE if row.is_complete else RECEIVING if is_receiving else READY
            received = row.position if turn is None else max(row.position, turn.received)
            found.append((row, state, received))
        return found

    async def run(self) -> None:
        """Remove uploads past their time, for ever."""
        for row in await self._store.resumables.every():
            if not row.is_complete:
                self._expect(row)
        while True:
            await asyncio.sleep(min(LOOK_SECONDS, self._lifetime_seconds / 4))
            with suppress(QuireError):  # the disk may be full; the next look tries again
                await self.expire()

    async def expire(self) -> int:
        """Remove what is past its time, and the oldest complete ones; how many."""
        rows = await self._store.resumables.every()
        complete = [row.id for row in rows if row.is_complete]
        spare = dict.fromkeys(complete[: max(0, len(complete) - COMPLETE_KEPT)])
        count = 0
        for row in rows:
            is_late = row.expires_at <= self._clock.now() and self._turns.find(row.id) is None
            if is_late or row.id in spare:
                await self._remove(row, "upload.expired", "was not resumed in time")
                count += 1
        return count

    async def drain(self, _deadline: float) -> None:
        """Refuse new bytes, and make durable what was received."""
        self._is_closing = True
        await self._turns.end()
        for upload_id in list(self._idle):
            self._met(upload_id)

    # ---- inside ----

    async def _append(
        self,
        turn: Turn,
        row: UploadRow,
        part: Part,
        pieces: AsyncIterable[Buffer] | None,
    ) -> UploadRow:
        upload = await self._store.resumables.open(row.id, self._lifetime_seconds)
        try:
            if part.checksum is not None:
                upload.hold()
            if pieces is not None:
                digest = await self._receive(turn, upload, row, part, pieces)
                if part.checksum is not None:
                    _check(part.checksum, digest)
                    upload.approve()
            if upload.position == row.length:
                return await self._commit(upload)
            await upload.checkpoint()
        finally:
            await upload.close()
        return await self._store.resumables.find(row.id)

    async def _receive(
        self,
        turn: Turn,
        upload: ResumableUpload,
        row: UploadRow,
        part: Part,
        pieces: AsyncIterable[Buffer],
    ) -> bytes:
        """Take the body, which the next request may cut short; its digest."""
        hasher = hashlib.new(part.checksum.algorithm) if part.checksum else None
        limit = self.max_bytes(row.block_size) if row.length is None else row.length
        if hasher is not None:
            limit = min(limit, upload.position + CHECKED_BYTES_MAX)

        async def read() -> None:
            checkpoint_at = self._clock.monotonic() + CHECKPOINT_SECONDS
            async for piece in pieces:
                if upload.position + len(piece) > limit:
                    raise TooLarge(
                        f"the upload may have {limit} bytes at this point, and more were sent"
                    )
                if hasher is not None:
                    hasher.update(piece)
                await upload.write(piece)
                turn.received = shown.done_bytes = upload.position
                if self._clock.monotonic() >= checkpoint_at and hasher is None:
                    await upload.checkpoint()
                    checkpoint_at = self._clock.monotonic() + CHECKPOINT_SECONDS

        now = self._clock.monotonic()
        with self.active.watch(row.filename or row.id, row.length, now) as shown:
            await turn.read(read())
        return b"" if hasher is None else hasher.digest()

    async def _complete(self, row: UploadRow) -> UploadRow:
        """All bytes are here, the dataset is not: the node ended at that moment."""
        upload = await self._store.resumables.open(row.id, self._lifetime_seconds)
        try:
            return await self._commit(upload)
        finally:
            await upload.close()

    async def _commit(self, upload: ResumableUpload) -> UploadRow:
        dataset = await upload.commit()
        self._met(upload.row.id)
        size = dataset.manifest.dataset_size
        self._events.publish(
            "upload.done",
            str(dataset.manifest_cid),
            f"stored {format_size(size)} in {dataset.block_count} blocks",
            bytes=size,
            upload=upload.row.id,
        )
        return await self._store.resumables.find(upload.row.id)

    async def _set_length(self, row: UploadRow, length: int) -> UploadRow:
        if row.length is not None:
            raise InputError(f"the upload has {row.length} bytes; its length cannot be changed")
        if length < row.position:
            raise InputError(f"the upload has {row.position} bytes already, more than {length}")
        if length > self.max_bytes(row.block_size):
            raise LargerThanQuota(f"{format_size(length)} are more than the whole quota")
        await self._store.resumables.set_length(row.id, length)
        return await self._store.resumables.find(row.id)

    async def _find(self, upload_id: str) -> UploadRow:
        try:
            row = await self._store.resumables.find(upload_id)
        except UnknownUpload:
            if upload_id in self._gone:
                raise UploadGone(f"upload {upload_id} was removed, or its time was up") from None
            raise
        if row.expires_at <= self._clock.now():
            await self._remove(row, "upload.expired", "was not resumed in time")
            raise UploadGone(f"upload {upload_id} was not resumed in time and was removed")
        return row

    async def _remove(self, row: UploadRow, kind: str, what: str) -> None:
        await self._store.resumables.remove(row.id)
        self._met(row.id)
        self._gone[row.id] = None
        while len(self._gone) > GONE_KEPT:
            self._gone.popitem(last=False)
        if not row.is_complete:
            had = f"an upload of which {format_size(row.position)} were here"
            self._events.publish(kind, row.id, f"{had} {what}", bytes=row.position)

    def _expect(self, row: UploadRow) -> None:
        """Register that the client is to go on."""
        self._met(row.id)
        if row.is_complete or self._is_closing:
            return
        length = "an unknown number" if row.length is None else str(row.length)
        deadline = self._clock.monotonic() + max(0.0, row.expires_at - self._clock.now())
        stack = self._idle[row.id] = ExitStack()
        reason = f"the client goes on with its upload: {row.position} of {length} bytes are here"
        stack.enter_context(self._waits.waiting(f"upload {row.id}", reason, deadline))

    def _met(self, upload_id: str) -> None:
        """The client is here again, or is not waited for any more."""
        stack = self._idle.pop(upload_id, None)
        if stack is not None:
            stack.close()

    def _check_open(self) -> None:
        if self._is_closing:
            raise Busy("the node is stopping and takes no bytes; go on when it is back")


def cid_text(row: UploadRow) -> str | None:
    """The manifest CID of a complete upload."""
    return None if row.cid is None else str(manifest_cid_of(row.cid))


def _check(wanted: Checksum, digest: bytes) -> None:
    if not hmac.compare_digest(wanted.digest, digest):
        raise ChecksumMismatch(
            f"the body is not what its {wanted.algorithm} checksum says; nothing of it was kept"
        )
