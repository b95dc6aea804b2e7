"""Stage 2: what this node holds complete is told to the network.

The manifest CID and the tree CID are published, never single blocks. A dataset of which this node
holds only a part is not announced: who asks for it would be sent to the wrong place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire.net.discovery import Announcer
    from quire.store.dataset import Dataset
    from quire.store.store import Store


class Announcing:
    """Keeps the announcer in step with the store, from `start` until `stop`."""

    def __init__(self, store: Store, announcer: Announcer) -> None:
        self._store = store
        self._announcer = announcer
        self._unlisten: Callable[[], None] | None = None
        self._holders: dict[bytes, int] = {}  # tree root -> complete datasets over that tree
        self._announced: set[bytes] = set()  # manifest CIDs, encoded

    async def start(self) -> None:
        """Announce everything that is complete, and follow the store from now on."""
        self._unlisten = self._store.on_change(self._changed)
        for dataset in await self._store.datasets():
            if dataset.is_complete:
                self._add(dataset)

    def stop(self) -> None:
        if self._unlisten is not None:
            self._unlisten()
            self._unlisten = None

    def _changed(self, kind: str, dataset: Dataset) -> None:
        if kind == "deleted":
            self._remove(dataset)
        elif dataset.is_complete:
            self._add(dataset)

    def _add(self, dataset: Dataset) -> None:
        name = dataset.manifest_cid.encode()
        if name in self._announced:
            return
        self._announced.add(name)
        self._holders[dataset.tree_root] = self._holders.get(dataset.tree_root, 0) + 1
        self._announcer.announce(dataset.manifest_cid)
        self._announcer.announce(dataset.manifest.tree_cid)

    def _remove(self, dataset: Dataset) -> None:
        name = dataset.manifest_cid.encode()
        if name not in self._announced:
            return
        self._announced.remove(name)
        self._announcer.withdraw(dataset.manifest_cid)
        left = self._holders[dataset.tree_root] - 1
        if left:
            self._holders[dataset.tree_root] = left
        else:
            del self._holders[dataset.tree_root]
            self._announcer.withdraw(dataset.manifest.tree_cid)
