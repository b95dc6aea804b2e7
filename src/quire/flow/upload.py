"""Stage 1: a stream of bytes becomes a dataset.

    pieces -> store.begin_upload -> write ... write -> commit -> (announce.py hears of it)

Nothing is kept of an upload that does not reach its end: a broken stream, a wrong length or a full
quota ends in `abort`, which leaves no block behind. When `run` returns, the dataset is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import TypeAlias

from quire.base.clock import Clock
from quire.base.errors import Busy, InputError
from quire.base.events import EventBus
from quire.base.spans import span
from quire.base.units import format_size
from quire.flow.active import ActiveTransfer, ActiveTransfers
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.store import Store
from quire.store.upload import Upload

Buffer: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class UploadOrder:
    """What is known of an upload before its first byte. Sizes in bytes."""

    block_size: int
    expected_bytes: int | None = None
    filename: str | None = None
    mimetype: str | None = None
    root: RetentionRoot | None = None


class Uploads:
    """Runs uploads and knows how many are under way, so that a stopping node can let them end."""

    def __init__(self, store: Store, events: EventBus, clock: Clock) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._idle = asyncio.Event()
        self._idle.set()
        self._closing = False
        self.active = ActiveTransfers()
        self.finished = 0
        self.failed = 0

    async def run(self, pieces: AsyncIterable[Buffer], order: UploadOrder) -> Dataset:
        """Store everything that `pieces` yields as one dataset.

        Returns  the dataset, durable
        Raises   InputError     not as many as `expected_bytes`
                 QuotaExceeded  it does not fit; known before the first byte when the size is
                 Busy           the node is stopping
        """
        if self._closing:
            raise Busy("the node is stopping and takes no new uploads; try another node")
        started = self._clock.monotonic()
        self._idle.clear()
        try:
            with (
                self.active.watch(order.filename or "", order.expected_bytes, started) as shown,
                span("upload", expectedBytes=order.expected_bytes or 0) as opened,
            ):
                dataset = await self._run(pieces, order, shown)
                opened.note(cid=dataset.manifest_cid, bytes=dataset.manifest.dataset_size)
        except BaseException:
            self.failed += 1
            raise
        finally:
            if not self.active:
                self._idle.set()
        self.finished += 1
        seconds = self._clock.monotonic() - started
        size = dataset.manifest.dataset_size
        self._events.publish(
            "upload.done",
            str(dataset.manifest_cid),
            f"stored {format_size(size)} in {dataset.block_count} blocks",
            bytes=size,
            seconds=round(seconds, 3),
        )
        return dataset

    async def _run(
        self, pieces: AsyncIterable[Buffer], order: UploadOrder, shown: ActiveTransfer
    ) -> Dataset:
        upload = self._store.begin_upload(
            block_size=order.block_size, expected_bytes=order.expected_bytes
        )
        try:
            async for piece in pieces:
                await upload.write(piece)
                shown.done_bytes = upload.received_bytes
            _check_length(upload, order.expected_bytes)
            with span("upload.commit"):
                return await upload.commit(
                    filename=order.filename, mimetype=order.mimetype, root=order.root
                )
        except BaseException as failure:
            await asyncio.shield(upload.abort())
            self._events.publish(
                "upload.aborted",
                "",
                f"an upload ended after {format_size(upload.received_bytes)} and was dropped:"
                f" {str(failure) or 'the client went away'}",
                bytes=upload.received_bytes,
            )
            raise

    async def drain(self, deadline: float) -> bool:
        """Refuse new uploads and wait for those under way; whether all ended by `deadline`."""
        self._closing = True
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock.monotonic())):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def _check_length(upload: Upload, expected_bytes: int | None) -> None:
    received = upload.received_bytes
    if expected_bytes is not None and received != expected_bytes:
        raise InputError(
            f"the upload ended after {received} of the {expected_bytes} bytes that were announced;"
            " nothing was kept, send it again"
        )
