"""The files that are kept as replicas: their records, and what links need of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor

from quire.base.errors import BadEncoding, NotFound
from quire.base.events import EventBus
from quire.formats.cap import RepairCap
from quire.formats.cid import Cid
from quire.services.retail.cap_box import CapBox
from quire.services.retail.ciphertext import Ciphertext
from quire.services.retail.link_ports import FileAtHand
from quire.services.retail.piece_cache import PieceCache
from quire.services.retail.upload_record import Upload, decode_upload, encode_upload
from quire.store.journal import Journal, Note, Record
from quire.store.port import BlockStore

KIND, PROOFS = "upload", "upload-proofs"


class UploadTable:
    """Durable. `executor`: for sealing."""

    def __init__(
        self,
        journal: Journal,
        box: CapBox,
        store: BlockStore,
        events: EventBus,
        executor: Executor | None,
    ) -> None:
        self._journal = journal
        self._box = box
        self._store = store
        self._events = events
        self._executor = executor
        self._uploads: dict[str, Upload] = {}
        self._proofs: dict[str, bytes] = {}
        self._files: dict[bytes, FileAtHand] = {}
        self._pieces = PieceCache()

    async def load(self) -> None:
        """Raises StoreCorrupt."""
        for key, data in (await self._journal.read(KIND)).items():
            try:
                self._uploads[key] = decode_upload(data)
            except BadEncoding as error:
                self._events.publish("upload.unreadable", key, error.message)
        self._proofs = await self._journal.read(PROOFS)

    def every(self) -> list[Upload]:
        """Oldest first."""
        return list(self._uploads.values())

    def find(self, key: str) -> Upload | None:
        return self._uploads.get(key)

    def get(self, key: str) -> Upload:
        """Raises NotFound."""
        upload = self._uploads.get(key)
        if upload is None:
            raise NotFound(f"this node has no upload {key[:80]}; quire uploads shows those it has")
        return upload

    def of_cid(self, cid: Cid) -> Upload | None:
        """The one of a dataset that was not released."""
        return next((u for u in self._uploads.values() if u.cid == cid and not u.is_released), None)

    async def write(self, upload: Upload, note: str = "") -> None:
        """Durable on return. Raises DiskFull."""
        await self._journal.write([Record(KIND, upload.key, encode_upload(upload), note)])
        self._uploads[upload.key] = upload

    async def change(self, key: str, change: Callable[[Upload], Upload], note: str = "") -> Upload:
        """The record as it is after a change of what it is now."""
        upload = change(self.get(key))
        await self.write(upload, note)
        return upload

    async def write_proofs(self, key: str, proofs: bytes) -> None:
        """The range proofs of all chunks, in the order of the chunks, as `map_of` reads them."""
        await self._journal.write([Record(PROOFS, key, proofs)])
        self._proofs[key] = proofs

    def proofs(self, key: str) -> bytes | None:
        return self._proofs.get(key)

    async def history(self, key: str) -> list[Note]:
        return await self._journal.history(KIND, key)

    # ---- what links need ----

    def cap(self, upload: Upload) -> RepairCap:
        """Raises StoreCorrupt."""
        return self._box.open(upload.locked_cap, upload.upload_id)

    def file(self, upload_id: bytes) -> FileAtHand:
        """Raises NotFound, StoreCorrupt."""
        file = self._files.get(upload_id)
        if file is None:
            upload = self.get(upload_id.hex())
            ciphertext = Ciphertext(self._store, upload.contents, self._pieces, self._executor)
            file = self._files[upload_id] = FileAtHand(ciphertext, self.cap(upload).seal_root)
        return file
