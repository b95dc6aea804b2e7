"""Transfers under way between clients and this node, as people watch them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class ActiveTransfer:
    """One upload or download. `done_bytes` grows while it lasts."""

    id: int  # unique among those of its kind since the node started
    subject: str  # the CID of a download, the file name of an upload
    total_bytes: int | None  # None when the client did not say
    since: float  # monotonic seconds
    done_bytes: int = 0


class ActiveTransfers:
    """The transfers of one kind, oldest first."""

    def __init__(self) -> None:
        self._serial = 0
        self._open: dict[int, ActiveTransfer] = {}

    @contextmanager
    def watch(self, subject: str, total_bytes: int | None, now: float) -> Iterator[ActiveTransfer]:
        """Listed for the length of the block; the block counts `done_bytes`."""
        self._serial += 1
        transfer = ActiveTransfer(self._serial, subject, total_bytes, now)
        self._open[transfer.id] = transfer
        try:
            yield transfer
        finally:
            del self._open[transfer.id]

    def __iter__(self) -> Iterator[ActiveTransfer]:
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)
