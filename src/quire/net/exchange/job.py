"""A consumer's handle on the fetch of a whole dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quire.base.errors import DeadlineExceeded
from quire.net.exchange.transfer import Transfer
from quire.net.transport import PeerId


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch is; bytes are those that a download returns."""

    verified_bytes: int
    total_bytes: int
    rate_bytes_per_second: float
    eta_seconds: float | None  # None when nothing moves
    peers: dict[PeerId, int]  # verified bytes that each has delivered
    reason: str  # what is being waited for, in words


class FetchJob:
    """Wants the whole dataset until it is complete or cancelled. Several may share one fetch."""

    def __init__(self, transfer: Transfer, monotonic: Callable[[], float]) -> None:
        self._transfer = transfer
        self._monotonic = monotonic
        self._is_attached = True
        transfer.attach()

    @property
    def is_complete(self) -> bool:
        return self._transfer.is_complete

    def progress(self) -> Progress:
        transfer = self._transfer
        manifest = transfer.dataset.manifest
        total = manifest.original_size
        scheduler = transfer.scheduler
        done = scheduler.done.within(0, scheduler.whole_count).count() * manifest.block_size
        now = self._monotonic()
        rate = transfer.meter.shown(now)
        done = min(done, total)
        eta = (total - done) / rate if rate >= 1 else None
        return Progress(
            done,
            total,
            rate,
            0.0 if done == total else eta,
            dict(transfer.received),
            transfer.reason(),
        )

    async def wait(self, deadline: float | None) -> None:
        """Return when all of it is here and durable.

        Raises   DeadlineExceeded  with the reason; this job is then cancelled
                 what made the fetch fail: QuotaExceeded, DiskFull, BlockMissing (deleted)
        """
        try:
            await self._transfer.until_complete(deadline)
        except DeadlineExceeded:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Do not want it any more; other consumers of the same dataset are not touched."""
        if self._is_attached:
            self._is_attached = False
            self._transfer.detach()
