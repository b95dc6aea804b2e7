"""A store in a directory: one process at a time, nobody else may read it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from quire.base.clock import Clock
from quire.base.errors import EnvironmentProblem, StoreLocked
from quire.base.events import EventBus
from quire.store.files import DirectoryDisk
from quire.store.meta import Meta, connect_file, connect_file_reader
from quire.store.packs import PACK_BYTES_MAX
from quire.store.rows import mapped
from quire.store.store import Store

DIRECTORY_MODE = 0o700
WORKERS = 6
LOCK, DATABASE, PACKS = "lock", "meta.sqlite", "packs"


class DirectoryStore(Store):
    """A store that also owns its files, its lock and its threads."""

    release_files: Callable[[], None] | None = None

    async def close(self) -> None:
        try:
            await super().close()
        finally:
            if self.release_files is not None:
                self.release_files()


async def open_store(
    directory: Path,
    *,
    quota_bytes: int,
    clock: Clock,
    events: EventBus,
    default_ttl: float | None,
    pack_bytes_max: int = PACK_BYTES_MAX,
) -> Store:
    """Open the store of a data directory, making it when there is none.

    Raises  StoreLocked  another process has it open
            StoreCorrupt  the metadata database is damaged or of a newer format
            EnvironmentProblem  the directory cannot be used
            DiskFull  there is no room even to begin
    """
    lock = _lock(directory)
    disk = DirectoryDisk(directory / PACKS)
    executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="quire-store")

    def release() -> None:
        disk.close()
        executor.shutdown(wait=True)
        os.close(lock)

    meta: Meta | None = None
    try:
        database = directory / DATABASE
        meta = Meta(
            lambda: connect_file(database), connect_reader=lambda: connect_file_reader(database)
        )
        store = await DirectoryStore.open(
            disk,
            meta,
            quota_bytes=quota_bytes,
            clock=clock,
            events=events,
            default_ttl=default_ttl,
            executor=executor,
            pack_bytes_max=pack_bytes_max,
        )
    except BaseException:
        if meta is not None:
            with mapped():
                meta.close()
        release()
        raise
    assert isinstance(store, DirectoryStore)
    store.release_files = release
    return store


def _lock(directory: Path) -> int:
    """Make the directory ours; the descriptor that holds the lock."""
    try:
        (directory / PACKS).mkdir(parents=True, exist_ok=True)
        for path in (directory, directory / PACKS):
            path.chmod(DIRECTORY_MODE)
        lock = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EnvironmentProblem(
            f"the data directory {directory} cannot be used: {error}; "
            "check its path and permissions, or choose another --data-dir"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StoreLocked(f"the data directory {directory} is in use by another process") from None
    return lock
