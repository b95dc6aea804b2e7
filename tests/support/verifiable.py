"""A dataset with slots, as a value: made once, with its store, which is not needed any more."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from quire.store.dataset import Dataset
from support.prove_kit import protected_in


@cache
def verifiable_dataset() -> Dataset:
    """3 + 2 slots in blocks of 4096 bytes. Made in a thread, as a loop may be running in this."""
    found: list[Dataset] = []

    async def make(directory: Path) -> None:
        async with protected_in(directory) as held:
            found.append(held.dataset)

    def work() -> None:
        with TemporaryDirectory(prefix="quire-dataset-") as directory:
            asyncio.run(make(Path(directory)))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    return found[0]
