"""Stage 2: the network is told what this node holds.

The manifest CID is published from when the manifest is here, the tree CID from when blocks of it
are, never single blocks: what is announced is what a peer can have from us. Deleting withdraws.
"""

from __future__ import annotations

from collections.abc import Callable

from quire.net.discovery import Announcer
from quire.store.store import Store


class Announcing:
    """Keeps the announcer in step with the store, from `start` until `stop`."""

    def __init__(self, store: Store, announcer: Announcer) -> None:
        self._store = store
        self._announcer = announcer
        self._unlisten: Callable[[], None] | None = None

    async def start(self) -> None:
        """Follow the store from now on, and announce everything that it holds already."""
        self._unlisten = self._announcer.follow(self._store)
        for held in await self._store.holdings():
            self._announcer.announce_again(held.manifest_cid)
            if held.has_blocks:
                self._announcer.announce_again(held.tree_cid)
                continue
            dataset = await self._store.dataset(held.manifest_cid)
            if dataset is not None:
                self._announcer.announce_dataset(dataset, self._store)

    def stop(self) -> None:
        """Follow no longer; what is announced stays announced."""
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None
