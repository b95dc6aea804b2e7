"""Watches what becomes of files: safe, degraded, paused, going on; and says it, durable.

A file is safe when every chunk has its replicas and their map is where those who have a capability
find it. One that is safe for the first time does not hold its ciphertext here any longer than other
data of this node is held.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from quire.point.chunk import ChunkView, consider
from quire.point.file import FileState, FileView, file_view
from quire.point.link import LinkState
from quire.point.values import BLOCK_BYTES
from quire.services.background import Background
from quire.services.retail.link_table import LinkTable
from quire.services.retail.map_keeper import MapKeeper
from quire.services.retail.upload_ports import UploadPorts
from quire.services.retail.upload_record import Upload
from quire.services.retail.upload_status import (
    PAUSED,
    RELEASED,
    LinkStatus,
    UploadStatus,
)
from quire.services.retail.upload_table import UploadTable
from quire.services.retail.upload_tick import UploadTick

# How long ciphertext is kept for an upload that does not get on; begun anew with each start.
KEPT_SECONDS = 30 * 86_400.0


class UploadWatch:
    """`news` is set, for whoever waits just then, when something changed."""

    def __init__(
        self,
        table: UploadTable,
        links: LinkTable,
        tick: UploadTick,
        maps: MapKeeper,
        ports: UploadPorts,
    ) -> None:
        self._table = table
        self._links = links
        self._tick = tick
        self._maps = maps
        self._ports = ports
        self._touched: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._paused: dict[str, None] = {}
        self._task = Background("upload-watch", self._run, ports.events)
        self.news = asyncio.Event()

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    def touch(self, key: str) -> None:
        self._touched[key] = None
        self._wake.set()
        news, self.news = self.news, asyncio.Event()
        news.set()

    # ---- looking ----

    def views(self, upload: Upload) -> list[ChunkView]:
        """Of every chunk, as it stands now."""
        now = int(self._ports.chain.now())
        return [
            consider(
                self._links.of(upload.upload_id, chunk.index),
                upload.wanted,
                now,
                was_uploaded=bool(upload.uploaded_at),
                is_out_of_candidates=self._tick.waits_for_providers(upload.key, chunk.index),
            )
            for chunk in upload.chunks
        ]

    def state(self, upload: Upload) -> tuple[str, str]:
        """Of the file, and in words."""
        links = self._links.of_upload(upload.upload_id)
        view = file_view(self.views(upload), upload.redundancy, is_begun=bool(links))
        return _state(upload, view, links)

    def status(self, upload: Upload) -> UploadStatus:
        """The same with every link."""
        links = self._links.of_upload(upload.upload_id)
        chunks = self.views(upload)
        view = file_view(chunks, upload.redundancy, is_begun=bool(links))
        state, words = _state(upload, view, links)
        sent = sum(link.acked_count for link in links if link.is_live) * BLOCK_BYTES
        return UploadStatus(
            upload_id=upload.key,
            cid=str(upload.cid),
            state=state,
            words=words,
            redundancy=upload.redundancy,
            size_bytes=upload.contents.dataset_size,
            expires_at=_expires_at(upload, links),
            is_autorenewed=upload.is_autorenewed,
            budget=upload.budget,
            created_at=upload.created_at,
            replicas=tuple(chunk.signed for chunk in chunks),
            sent_bytes=sent,
            paid=sum(link.paid for link in links),
            map_version=upload.map_version,
            links=tuple(self._link(link) for link in links),
        )

    def _link(self, link: LinkState) -> LinkStatus:
        order, machines = link.order, self._links.machines
        key = order.link_id.hex()
        trouble = machines.trouble(key)
        return LinkStatus(
            link_id=key,
            chunk=order.chunk,
            peer=order.peer,
            replica=order.replica,
            state=link.at.value,
            words=self._links.machine.words(link),
            acked_blocks=link.acked_count,
            blocks=order.blocks,
            expires_at=link.expires_at,
            paid=link.paid,
            next_deadline=machines.next_deadline(key),
            trouble="" if trouble is None else trouble.message,
        )

    # ---- saying ----

    async def _run(self) -> None:
        while True:
            touched, self._touched = self._touched, {}
            for key in touched:
                upload = self._table.find(key)
                if upload is not None and not upload.is_released:
                    await self._look(upload)
            if not self._touched:
                self._wake.clear()
                await self._wake.wait()

    async def _look(self, upload: Upload) -> None:
        links = self._links.of_upload(upload.upload_id)
        view = file_view(self.views(upload), upload.redundancy)
        is_safe = view.state is FileState.UPLOADED
        if is_safe and _is_unconfirmed(upload):
            if self._maps.is_placed(upload.key):
                await self._confirm(upload, view.words)
            else:
                self._maps.hurry(upload.key)
        elif not is_safe and upload.uploaded_at and not upload.is_degraded:
            await self._table.change(
                upload.key, lambda old: replace(old, is_degraded=True), view.words
            )
            self._tell("degraded", upload, view.words)
        self._look_at_funds(upload, links)

    async def _confirm(self, upload: Upload, words: str) -> None:
        now = int(self._ports.chain.now())

        def safe(old: Upload) -> Upload:
            return replace(old, uploaded_at=old.uploaded_at or now, is_degraded=False)

        await self._table.change(upload.key, safe, words)
        await self._ports.store.release(upload.cid, "lease", root_name(upload))
        self._tell("uploaded", upload, words)

    def _look_at_funds(self, upload: Upload, links: list[LinkState]) -> None:
        paused = next((link for link in links if link.is_live and link.is_paused), None)
        if paused is not None and upload.key not in self._paused:
            self._paused[upload.key] = None
            self._tell("paused", upload, paused.why)
        elif paused is None and self._paused.pop(upload.key, self) is None:
            self._tell("resumed", upload, "the payment channels have room again")

    def _tell(self, what: str, upload: Upload, words: str) -> None:
        self._ports.events.publish(f"upload.{what}", upload.key, words, cid=str(upload.cid))
        news, self.news = self.news, asyncio.Event()
        news.set()


def root_name(upload: Upload) -> str:
    """Of the retention root that keeps the ciphertext until its replicas are signed."""
    return f"upload-{upload.key}"


def _state(upload: Upload, view: FileView, links: list[LinkState]) -> tuple[str, str]:
    if upload.is_released:
        return RELEASED, "released: providers need not keep it"
    paused = next((link for link in links if link.is_live and link.is_paused), None)
    if paused is not None and view.state is not FileState.UPLOADED:
        return PAUSED, f"paused, {view.signed} of {view.wanted} replicas are safe: {paused.why}"
    if view.state is FileState.UPLOADED and _is_unconfirmed(upload):
        state = FileState.DEGRADED if upload.uploaded_at else FileState.UPLOADING
        return state.value, f"{view.words}; the map of them is being handed out"
    return view.state.value, view.words


def _is_unconfirmed(upload: Upload) -> bool:
    """Whether that it is safe, or safe again, was not written down yet."""
    return not upload.uploaded_at or upload.is_degraded


def _expires_at(upload: Upload, links: list[LinkState]) -> int:
    """When the first replica that counts ends; what is wanted before there is one."""
    return min((x.expires_at for x in links if x.is_held), default=upload.wanted_until)
