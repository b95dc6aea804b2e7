"""The store as others see it: satisfies `BlockStore`, and takes uploads and deletions besides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext

from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.base.ranges import RangeSet
from quire.formats.cid import Cid, is_manifest, tree_cid
from quire.store.audit import Report, audit
from quire.store.ballast import BALLAST_BYTES, Ballast
from quire.store.changes import Changes, cid_of_dataset, dataset_of
from quire.store.committer import Change, Committer
from quire.store.core import Core
from quire.store.dataset import Dataset, Holding, RetentionRoot, Space, TreeState
from quire.store.disk import Buffer, Disk
from quire.store.holds import Holds
from quire.store.intake import IntakePorts, check_block_size
from quire.store.leaflists import LeafLists
from quire.store.mend import Mended, mend_change
from quire.store.meta import Meta, Tables
from quire.store.packs import PACK_BYTES_MAX, Packs
from quire.store.partial import PartialWriter
from quire.store.pins import Pins
from quire.store.port import Listener
from quire.store.proof import Prover
from quire.store.protecting import Protecting
from quire.store.quarantine import quarantine_change
from quire.store.quota import Quota
from quire.store.read import Reader
from quire.store.reclaim import Reclaimer
from quire.store.recovery import recover, set_running
from quire.store.resumable import Resumables
from quire.store.retention import COLLECT_MAX, Retention, check_root
from quire.store.scan import Scanned, Wound, present_bytes, scan, wounds
from quire.store.segment import SegmentWriter
from quire.store.shed import shed
from quire.store.treecache import TreeCache
from quire.store.upload import Upload
from quire.store.usage import Doomed, Usage, doomed, usage
from quire.store.withheld import Withheld

BLOCK_BYTES_DEFAULT = 65_536
SEGMENTS_IN_FLIGHT_MAX = 6  # of all uploads together


class Store:
    """Made by `Store.open`, or for a directory by `open_store`; ends with `close`."""

    def __init__(self, core: Core, default_ttl: float | None) -> None:
        self._core = core
        self._default_ttl = default_ttl or None
        writer = SegmentWriter(core.packs, core.pins, core.meta.reading.blocks)
        self._reader = Reader(core)
        self._prover = Prover(core)
        self._reclaimer = Reclaimer(core)
        self._leaf_lists = LeafLists(core)
        self._partial = PartialWriter(core, writer, self._leaf_lists, self._reclaimer.write_ended)
        self.retention = Retention(core, self._reclaimer)
        self._uploads: dict[Upload, None] = {}
        self._intake_ports = IntakePorts(
            core=core,
            writer=writer,
            slots=asyncio.Semaphore(SEGMENTS_IN_FLIGHT_MAX),
            buffers=[],
        )
        self.resumables = Resumables(
            self._intake_ports, self._default_root, self._reclaimer.write_ended
        )
        self.protecting = Protecting(core, writer, self._reclaimer.write_ended)
        core.committer.on_garbage = self._reclaimer.wake
        core.holds.on_end = self._reclaimer.hold_ended

    @classmethod
    async def open(
        cls,
        disk: Disk,
        meta: Meta,
        *,
        quota_bytes: int,
        clock: Clock,
        events: EventBus,
        default_ttl: float | None,
        executor: Executor | None = None,
        pack_bytes_max: int = PACK_BYTES_MAX,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> Store:
        """Recover what a crash left behind, and begin. Takes over `meta`, which `close` closes.

        default_ttl  seconds that an upload is kept when nothing else is said; None or 0: for ever
        """
        packs, quota = Packs(disk, pack_bytes_max), Quota(quota_bytes)
        ballast = Ballast(disk, ballast_bytes)
        core = Core(
            disk=disk,
            meta=meta,
            packs=packs,
            pins=Pins(),
            holds=Holds(),
            quota=quota,
            ballast=ballast,
            committer=Committer(meta, packs, ballast, quota, executor),
            trees=TreeCache(meta),
            changes=Changes(events),
            clock=clock,
            events=events,
            executor=executor,
            withheld=Withheld(),
        )
        recovered = await core.off_loop(recover, disk, meta, ballast)
        await core.off_loop(packs.adopt, recovered.packs)
        quota.update(await core.off_loop(meta.reading.catalog.counts))
        if not recovered.was_clean:
            events.publish(
                "store.recovered",
                "",
                f"the store was not closed in good order; {recovered.garbage_bytes} bytes of "
                "unfinished writes were cleared",
            )
        for pack in recovered.missing_packs:
            events.publish(
                "store.pack-missing", "", f"pack file {pack} is gone; its blocks count as missing"
            )
        await core.off_loop(core.trees.warm)
        for root in await core.off_loop(meta.reading.catalog.withheld):
            core.withheld.add(root)
        store = cls(core, default_ttl)
        await store.resumables.load()
        store._reclaimer.wake()
        return store

    async def close(self) -> None:
        """Abort running uploads, make the rest durable, and mark the store as closed."""
        for upload in list(self._uploads):
            await upload.abort()
        await self.resumables.close()
        await self.protecting.close()
        try:
            await self._partial.flush()
        finally:
            await self._reclaimer.stop()
            await self._core.committer.idle()
            await self._core.off_loop(set_running, self._core.meta, False)
            self._core.meta.close()

    def begin_upload(
        self, *, block_size: int = BLOCK_BYTES_DEFAULT, expected_bytes: int | None = None
    ) -> Upload:
        """Start to take a dataset. Raises QuotaExceeded when the expected bytes do not fit."""
        check_block_size(block_size)
        upload = Upload(
            self._intake_ports, block_size, expected_bytes, self._default_root, self._upload_ended
        )
        self._uploads[upload] = None
        return upload

    def tree(self, root: bytes) -> TreeState | None:
        entry = self._core.trees.entry(root)
        if entry is None:
            return None
        padding = RangeSet() if entry.is_complete else entry.padding.copy()
        is_replica = root in self._core.withheld
        return TreeState(
            root,
            entry.leaf_count,
            entry.block_size,
            entry.present.copy(),
            padding,
            is_replica,
            is_replica and self._core.withheld.is_on,
        )

    async def read_range(self, root: bytes, start: int, count: int) -> bytes:
        return await self._reader.read_range(root, start, count)

    async def read_ranges(self, root: bytes, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Several ranges (start, count) of a tree at once, each as `read_range` has it."""
        return await self._reader.read_ranges(root, ranges)

    async def prove_range(self, root: bytes, start: int, count: int) -> bytes:
        return await self._prover.prove_range(root, start, count)

    async def read_block(self, cid: Cid) -> bytes:
        return await self._reader.read_block(cid)

    async def put_manifest(self, data: bytes, root: RetentionRoot) -> Dataset:
        check_root(root)
        dataset = await self._partial.put_manifest(data, root)
        if dataset.is_replica and dataset.present_count == 0:
            self._core.withheld.add(dataset.tree_root)
        return dataset

    async def put_range(
        self, root: bytes, start: int, data: Buffer, digests: Buffer, proof: Buffer
    ) -> None:
        await self._partial.put_range(root, start, data, digests, proof)

    async def put_block_range(self, root: bytes, start: int, data: Buffer) -> None:
        await self._partial.put_block_range(root, start, data)

    async def leaves(self, root: bytes) -> bytes | None:
        return await self._leaf_lists.whole(root)

    async def read_leaves(self, root: bytes, start: int, count: int) -> bytes:
        return await self._leaf_lists.read(root, start, count)

    async def unknown_leaves(self, root: bytes) -> RangeSet:
        return await self._leaf_lists.unknown(root)

    async def put_leaves(self, root: bytes, digests: Buffer) -> None:
        await self._leaf_lists.put(root, digests)

    async def put_leaf_range(self, root: bytes, start: int, digests: Buffer, proof: Buffer) -> None:
        await self._leaf_lists.put_range(root, start, digests, proof)

    async def shed(self, root: bytes, start: int, count: int, *, spares_held: bool = False) -> int:
        """Give up blocks [start, start + count) of a tree whose dataset stays; how many were here.
        Their space is given back soon. With `spares_held` none while somebody reads or fetches the
        tree. Raises InputError."""
        await self.flush()
        count = await shed(self._core, root, start, count, spares_held=spares_held)
        self._reclaimer.wake()
        return count

    async def flush(self) -> None:
        await self._partial.flush()

    def on_change(self, listener: Listener) -> Callable[[], None]:
        return self._core.changes.listen(listener)

    async def dataset(self, manifest_cid: Cid) -> Dataset | None:
        """The dataset of a manifest, None when it is not here."""
        if not is_manifest(manifest_cid):
            return None
        find = self._core.meta.reading.catalog.find
        row = await self._core.off_loop(find, manifest_cid.digest)
        return None if row is None else dataset_of(row)

    async def datasets(self) -> list[Dataset]:
        """All datasets, oldest first."""

        def load() -> list[Dataset]:
            return [dataset_of(row) for row in self._core.meta.reading.catalog.every()]

        return await self._core.off_loop(load)

    async def page(self, after: int, limit: int | None) -> tuple[list[Dataset], int]:
        """At most `limit` datasets, oldest first, and the number of the last: `after` of the next
        page. Numbers only grow, so that a page misses nothing and repeats nothing."""

        def load() -> tuple[list[Dataset], int]:
            rows = self._core.meta.reading.catalog.every(after, limit)
            return [dataset_of(row) for row in rows], rows[-1].id if rows else after

        return await self._core.off_loop(load)

    async def holdings(self) -> list[Holding]:
        """What the network is told of all datasets, newest first. Much faster than `datasets`."""

        def load() -> list[Holding]:
            return [
                Holding(cid_of_dataset(cid), tree_cid(root), bool(has_blocks))
                for cid, root, has_blocks in self._core.meta.reading.catalog.holdings()
            ]

        return await self._core.off_loop(load)

    async def delete(self, manifest_cid: Cid) -> bool:
        return await self.retention.delete(manifest_cid)

    async def retain(self, manifest_cid: Cid, root: RetentionRoot) -> None:
        await self.retention.retain(manifest_cid, root)

    async def release(self, manifest_cid: Cid, kind: str, name: str) -> bool:
        return await self.retention.release(manifest_cid, kind, name)

    async def collect(self, batch: int = COLLECT_MAX) -> int:
        return await self.retention.collect(batch)

    @contextmanager
    def holding(self, root: bytes) -> Iterator[None]:
        """See BlockStore.holding."""
        entry = self._core.trees.entry(root)
        with nullcontext() if entry is None else self._core.holds.hold(entry):
            yield

    def is_held(self, root: bytes) -> bool:
        """Whether somebody reads or fetches a tree; see `holding`."""
        return self._core.holds.entry(root) is not None

    async def doomed(self, datasets_max: int) -> Doomed:
        """What `collect` would delete now, and what that gives back."""
        return await self._core.off_loop(doomed, self._core, datasets_max)

    async def usage(self) -> Usage:
        """Where the bytes are."""
        return await self._core.off_loop(usage, self._core)

    def space(self) -> Space:
        """What is used and promised, as the Codex API counts it."""
        return self._core.quota.space()

    def offer(self, size_bytes: int, to: str = "hosts") -> None:
        """Keep so much of the quota free for others to rent, and refuse writes that need it; for
        each kind of tenants `to`."""
        self._core.quota.offer(size_bytes, to)

    def withhold_replicas(self, is_on: bool) -> None:
        """Whether the exchange withholds sealed replicas; it does until this is called."""
        self._core.withheld.is_on = is_on

    async def reclaimed(self) -> None:
        """Wait until the space of everything deleted so far is given back."""
        await self._core.committer.idle()
        await self._reclaimer.idle()

    async def verify(self, *, read_blocks: bool = True) -> Report:
        """Check index, counters and files against each other, and every block when asked."""

        def check() -> Report:
            return audit(self._core, self._core.meta.reading, read_blocks=read_blocks)

        await self.flush()
        await self.reclaimed()
        return await self._core.off_loop(check)

    async def mend(self) -> Mended:
        """Check the index while nothing else changes it, and put right what does not agree."""
        await self.flush()
        await self.reclaimed()
        return await self._core.committer.run(mend_change(self._core))

    async def scan(self, position: int, bytes_max: int) -> Scanned:
        """Read some of what is held from the medium; what is bad counts as missing then."""
        step = await self._core.off_loop(scan, self._core, position, bytes_max)
        if step.suspects:
            change = quarantine_change(self._core, step.suspects)
            step.lost_leaves = len((await self._core.committer.run(change)).losses)
        return step

    async def present_bytes(self) -> int:
        """How many bytes a scan from position 0 reads."""
        return await self._core.off_loop(present_bytes, self._core)

    async def wounds(self) -> list[Wound]:
        """What datasets have lost to the disk and not got back."""
        return await self._core.off_loop(wounds, self._core)

    async def setting(self, name: str) -> object:
        """A value that was noted in the index, None when there is none."""
        return await self._core.off_loop(self._core.meta.reading.catalog.setting, name)

    async def note(self, values: Mapping[str, object]) -> None:
        """Note values in the index, all together."""

        def apply(tables: Tables) -> None:
            for name, value in values.items():
                tables.catalog.set_setting(name, value)

        await self._core.committer.run(Change(apply))

    def _default_root(self) -> RetentionRoot:
        ttl = self._default_ttl
        return RetentionRoot("lease", "", None if ttl is None else self._core.clock.now() + ttl)

    def _upload_ended(self, upload: Upload) -> None:
        self._uploads.pop(upload, None)
        self._reclaimer.write_ended()
