"""put_file: datasets of ciphertext kept as sealed replicas, from the order to its end.

    put ─► record, durable ─► tick opens links ─► links: send, sign, pay, audit, renew
                                     ▲                        │
                                     └── each change ◄────────┘ ─► map of replicas

Nothing of it needs the key to the file: a repair capability is enough.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from quire.base.errors import BlockMissing, DeadlineExceeded, InputError, Refused, UnknownDataset
from quire.base.events import Event
from quire.formats.cap import RepairCap
from quire.kernels.cipher import NONCE_BYTES
from quire.point.chunk import Wanted
from quire.point.file import FileState, merge
from quire.point.link import LinkState
from quire.point.link_events import Extend, Release, Retry
from quire.point.values import CHUNK_BLOCKS, CHUNK_BLOCKS_LEAST, CHUNK_BLOCKS_MOST, LINK_ID_BYTES
from quire.services.retail.cap_box import CapBox
from quire.services.retail.ciphertext import check_sealable
from quire.services.retail.link_ports import LinkPorts
from quire.services.retail.link_table import LinkTable
from quire.services.retail.map_keeper import MapKeeper, encode_proofs
from quire.services.retail.restoring import Restoring
from quire.services.retail.upload_events import follow
from quire.services.retail.upload_ports import UploadPorts
from quire.services.retail.upload_record import (
    REDUNDANCY_MOST,
    SECONDS_LEAST,
    SECONDS_MOST,
    Upload,
)
from quire.services.retail.upload_status import RELEASED, UploadStatus
from quire.services.retail.upload_table import UploadTable
from quire.services.retail.upload_tick import TickPorts, UploadTick
from quire.services.retail.upload_watch import KEPT_SECONDS, UploadWatch, root_name
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.journal import Note

REDUNDANCY = 3
SECONDS = 30 * 86_400


@dataclass(frozen=True, slots=True)
class UploadOrder:
    """What an owner asks for. `seconds`: of a term; `budget`: most that one term of all replicas
    may cost; None: whatever the price."""

    redundancy: int = REDUNDANCY
    seconds: int = SECONDS
    is_autorenewed: bool = True
    budget: int | None = None
    chunk_blocks: int = CHUNK_BLOCKS

    def check(self) -> None:
        """Raises InputError, with the numbers that would work."""
        limits = {
            "redundancy": (self.redundancy, 1, REDUNDANCY_MOST),
            "a term in seconds": (self.seconds, SECONDS_LEAST, SECONDS_MOST),
            "chunk-blocks": (self.chunk_blocks, CHUNK_BLOCKS_LEAST, CHUNK_BLOCKS_MOST),
        }
        for name, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise InputError(f"{name} is {value}; {least} to {most} would work")
        if self.budget is not None and self.budget < 0:
            raise InputError(f"a budget of {self.budget} is none; leave it out, or give more")


class Uploads:
    """All files that this node keeps as replicas."""

    def __init__(self, ports: UploadPorts) -> None:
        self._ports = ports
        self._table = UploadTable(
            ports.journal, CapBox(ports.private_key), ports.store, ports.events, ports.executor
        )
        link_ports = LinkPorts(
            client=ports.client,
            choice=ports.choice,
            payments=ports.payments,
            chain=ports.chain,
            clock=ports.clock,
            rng=ports.rng,
            events=ports.events,
            file=self._table.file,
        )
        self.links = LinkTable(
            link_ports, ports.domain, ports.journal, ports.events, ports.waits, self._link_changed
        )
        tick_ports = TickPorts(
            self._table, ports.choice, ports.clock, ports.chain, ports.rng, ports.events,
            self._prepare,
        )  # fmt: skip
        self._tick = UploadTick(tick_ports, self.links)
        self._map = MapKeeper(self._table, self.links, ports, lambda key: self._watch.touch(key))
        self._watch = UploadWatch(self._table, self.links, self._tick, self._map, ports)
        self._restoring = Restoring(ports.retrieval, ports.store, ports.clock)
        self.paused = asyncio.Event()  # a link has come to a halt for want of tokens

    async def start(self) -> None:
        """Everything goes on where it was. Raises StoreCorrupt."""
        await self._table.load()
        await self.links.start()
        for upload in self._table.every():
            if not upload.is_released:
                await self._keep(upload)
                self._tick.touch_all(upload)
                self._watch.touch(upload.key)
        self._map.start()
        self._watch.start()
        self._tick.start()

    async def stop(self) -> None:
        """What is under way goes on with the next start."""
        await self._tick.stop()
        await self._watch.stop()
        await self._map.stop()
        await self.links.stop()

    # ---- what owners do ----

    async def put(self, cap: RepairCap, order: UploadOrder) -> str:
        """Keep a dataset of ciphertext as replicas; the id of the upload. Ciphertext and order are
        durable on return. One that is kept already is kept for longer, or more often.

        Raises   InputError     the order, BadManifest the dataset cannot be kept like that
                 UnknownDataset, BlockMissing  the ciphertext is not here, or not all of it
                 DiskFull
        """
        order.check()
        dataset = await self._dataset(cap)
        known = self._table.of_cid(cap.cid)
        if known is not None:
            return (await self._merge(known, order)).key
        upload_id = self._ports.rng.randbytes(LINK_ID_BYTES)
        nonce = self._ports.rng.randbytes(NONCE_BYTES)
        upload = Upload(
            upload_id=upload_id,
            manifest=dataset.manifest_bytes,
            locked_cap=CapBox(self._ports.private_key).lock(cap, upload_id, nonce),
            chunk_blocks=order.chunk_blocks,
            redundancy=order.redundancy,
            seconds=order.seconds,
            wanted_until=int(self._ports.chain.now()) + order.seconds,
            is_autorenewed=order.is_autorenewed,
            budget=order.budget,
            created_at=self._ports.clock.now(),
        )
        await self._ports.store.flush()
        await self._keep(upload)
        await self._table.write_proofs(upload.key, await self._prove(upload))
        copies = f"{order.redundancy} replicas"
        await self._table.write(upload, f"ordered: {copies} for {order.seconds} s")
        self._ports.events.publish(
            "upload.ordered", upload.key, f"{upload.cid} is to have {copies}", cid=str(upload.cid)
        )
        self._tick.touch_all(upload)
        return upload.key

    async def renew(self, key: str, seconds: int | None = None) -> Upload:
        """Keep it for so many more seconds, by default another term. Raises NotFound, Refused."""
        upload = self._not_released(key)
        more = upload.seconds if seconds is None else seconds
        if not SECONDS_LEAST <= more <= SECONDS_MOST:
            raise InputError(f"{more} seconds more; {SECONDS_LEAST} to {SECONDS_MOST} would work")
        until = max(upload.wanted_until, int(self._ports.chain.now())) + more
        return await self._extend(
            key, lambda now: replace(now, wanted_until=until), f"wanted until {until}"
        )

    async def release(self, key: str) -> None:
        """Providers need not keep it any longer, and are paid no more. Raises NotFound."""
        upload = self._table.get(key)
        if not upload.is_released:
            await self._table.change(key, lambda now: replace(now, is_released=True), "released")
            self._ports.events.publish("upload.released", key, "providers need not keep it")
        for link in self.links.of_upload(upload.upload_id):
            if link.is_live:
                await self.links.tell(link, Release())
        await self._ports.store.release(upload.cid, "lease", root_name(upload))
        self._watch.touch(key)

    async def funds_came(self) -> None:
        """Tokens were deposited: who waits for them goes on now."""
        for link in self.links.live():
            if link.is_paused:
                await self.links.tell(link, Retry())

    @property
    def waits_for_funds(self) -> bool:
        """Whether a link cannot go on for want of tokens."""
        return any(link.is_paused for link in self.links.live())

    # ---- looking ----

    def every(self) -> list[UploadStatus]:
        """Oldest first."""
        return [self.status(upload.key) for upload in self._table.every()]

    def status(self, key: str) -> UploadStatus:
        """Raises NotFound."""
        return self._watch.status(self._table.get(key))

    async def wait(self, key: str, deadline: float) -> UploadStatus:
        """Until every chunk has its replicas, and they are found without this node (`deadline` in
        monotonic seconds).

        Raises   NotFound, Refused (released), DeadlineExceeded with what is going on"""
        while True:
            state, words = self._watch.state(self._table.get(key))
            if state == FileState.UPLOADED:
                return self.status(key)
            if state == RELEASED:
                raise Refused(f"the upload {key} was released")
            try:
                async with asyncio.timeout_at(deadline):
                    await self._watch.news.wait()
            except TimeoutError:
                raise DeadlineExceeded(f"the upload is not through: {words}") from None

    def concerning(self, key: str) -> Callable[[Event], bool]:
        """Whether an event is about it or one of its links. Raises NotFound."""
        upload_id = self._table.get(key).upload_id

        def is_ours(event: Event) -> bool:
            if event.subject == key:
                return True
            link = self.links.machines.state(event.subject)
            return link is not None and link.order.upload_id == upload_id

        return is_ours

    def events(self, key: str) -> AsyncGenerator[Event, None]:
        """What happens to it and to its links, from now on. Raises NotFound."""
        return follow(self._ports.events, self.concerning(key))

    async def history(self, key: str) -> list[Note]:
        """What happened to it, oldest first."""
        return await self._table.history(key)

    # ---- odds ----

    async def _dataset(self, cap: RepairCap) -> Dataset:
        dataset = await self._ports.store.dataset(cap.cid)
        if dataset is None:
            raise UnknownDataset(
                f"{cap.cid} is not on this node; put the file here first", cid=str(cap.cid)
            )
        check_sealable(dataset.manifest)
        tree = self._ports.store.tree(dataset.tree_root)
        if tree is None or not tree.present.covers(0, dataset.block_count):
            raise BlockMissing(f"not all of {cap.cid} is on this node; fetch it first")
        return dataset

    async def _prove(self, upload: Upload) -> bytes:
        """The range proofs of all chunks under the tree of the ciphertext."""
        root, store = upload.contents.tree_cid.digest, self._ports.store
        return encode_proofs(
            [await store.prove_range(root, each.first_block, each.blocks) for each in upload.chunks]
        )

    async def _keep(self, upload: Upload) -> None:
        """Ciphertext stays until its replicas are signed, if it is here."""
        if not upload.uploaded_at:
            until = self._ports.clock.now() + KEPT_SECONDS
            root = RetentionRoot("lease", root_name(upload), until)
            try:
                await self._ports.store.retain(upload.cid, root)
            except UnknownDataset:
                return

    async def _merge(self, known: Upload, order: UploadOrder) -> Upload:
        """The same dataset once more: the greater of all that was asked for."""
        until = int(self._ports.chain.now()) + order.seconds
        wanted = Wanted(order.redundancy, until, order.is_autorenewed)
        budgets = (known.budget, order.budget)

        def merged(now: Upload) -> Upload:
            both = merge(now.wanted, wanted)
            return replace(
                now,
                redundancy=both.redundancy,
                seconds=max(now.seconds, order.seconds),
                wanted_until=both.expires_at,
                is_autorenewed=both.is_autorenewed,
                budget=None if None in budgets else max(b for b in budgets if b is not None),
            )

        return await self._extend(known.key, merged, "ordered again")

    async def _extend(self, key: str, change: Callable[[Upload], Upload], note: str) -> Upload:
        upload = await self._table.change(key, change, note)
        for link in self.links.of_upload(upload.upload_id):
            if link.is_live:
                await self.links.tell(link, Extend(upload.wanted_until, upload.is_autorenewed))
        self._tick.touch_all(upload, is_urgent=True)
        self._watch.touch(key)
        return upload

    def _not_released(self, key: str) -> Upload:
        upload = self._table.get(key)
        if upload.is_released:
            raise Refused(f"the upload {key} was released; put the file again")
        return upload

    def _link_changed(self, before: LinkState | None, now: LinkState) -> None:
        key = now.order.upload_id.hex()
        if before is None or before.at is not now.at or before.renewal != now.renewal:
            self._tick.touch(key, now.order.chunk)
            if now.is_held or not now.is_live:
                self._tick.room_came()
        if before is None or before.is_held != now.is_held or before.expires_at != now.expires_at:
            self._map.touch(key)
        if now.is_paused:
            self.paused.set()
        self._watch.touch(key)

    async def _prepare(self, upload: Upload, chunk: int) -> None:
        """Have the ciphertext of a chunk here: our own, or from another replica."""
        file = self._table.file(upload.upload_id)
        place = upload.chunks[chunk]
        if file.ciphertext.is_here(file.ciphertext.extent(place.first_block, place.blocks)):
            return
        words = f"fetching chunk {chunk} from another replica"
        self._ports.events.publish("upload.repair", upload.key, words)
        await self._restoring.bring(
            upload,
            self._table.cap(upload),
            self.links.of_upload(upload.upload_id),
            self._table.proofs(upload.key) or b"",
            chunk,
        )
