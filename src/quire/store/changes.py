"""Who is told that datasets come, become complete, and go."""

from __future__ import annotations

from collections.abc import Callable

from quire.base.events import EventBus
from quire.formats.cid import CODEC_MANIFEST, Cid
from quire.formats.manifest import decode_manifest
from quire.formats.multihash import HASH_SHA256
from quire.store.catalog import DatasetRow
from quire.store.dataset import Dataset
from quire.store.port import Listener

_SAID = {
    "added": "the dataset is registered in the store",
    "complete": "all blocks of the dataset are in the store",
    "deleted": "the dataset is deleted from the store",
}


def cid_of_dataset(digest: bytes) -> Cid:
    """The manifest CID that the index keeps as a digest."""
    return Cid(1, CODEC_MANIFEST, HASH_SHA256, digest)


def dataset_of(row: DatasetRow) -> Dataset:
    """The record that other layers see."""
    return Dataset(
        manifest_cid=cid_of_dataset(row.cid),
        manifest=decode_manifest(row.manifest),
        manifest_bytes=row.manifest,
        created_at=row.created_at,
        roots=row.roots,
        present_count=row.present_count,
    )


class Changes:
    """Calls listeners on the loop's thread, after the change is durable."""

    def __init__(self, events: EventBus) -> None:
        self._events = events
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def tell(self, kind: str, dataset: Dataset) -> None:
        self._events.publish(f"store.{kind}", str(dataset.manifest_cid), _SAID[kind])
        for listener in list(self._listeners):
            listener(kind, dataset)
