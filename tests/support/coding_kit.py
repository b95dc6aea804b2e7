"""An aggregator that codes in truth: its store, its exchange, and a customer's node beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from quire.aggregation.receipt import decode_receipt, receipt_signer
from quire.aggregation.values import EncodedReceipt, Service
from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.dataset.geometry import Geometry
from quire.flow.protect import Protections, ProtectPorts
from quire.flow.workers import Workers
from quire.formats.aggregator_answers import EncodedAnswer
from quire.formats.aggregator_asking import AcceptEncode, QuoteRequest, StatusRequest
from quire.formats.aggregator_codes import Stage
from quire.formats.cid import Cid
from quire.services.aggregating.coded_lists import CodedLists
from quire.services.aggregating.coding import Coding, CodingPorts
from quire.services.aggregating.doer import Doer
from quire.services.aggregating.pushed import Pushed
from quire.services.workers.local import LocalWorkers
from quire.store.columns import Columns
from quire.store.dataset import Dataset
from quire.store.disk import Buffer
from quire.store.files import DirectoryDisk
from quire.store.slot_files import SlotFiles
from quire.store.store import Store
from support.aggregator_kit import HOUR, JOB, Patron, Workshop
from support.slot_kit import SlotNode

PUSHED_BLOCK = 65536


class Gate(LocalWorkers):
    """Codes the first `left` batches of columns, and never ends with the next."""

    def __init__(self, left: int) -> None:
        super().__init__(Waits(SystemClock()))
        self.left = left

    async def code(self, rows: Sequence[Buffer], geometry: Geometry, columns: range) -> Columns:
        if not self.left:
            await asyncio.Event().wait()
        self.left -= 1
        return await super().code(rows, geometry, columns)


@dataclass
class CodingScene:
    """`own`: the aggregator's node; `theirs`: the customer's."""

    place: Workshop
    own: SlotNode
    theirs: SlotNode
    slots: SlotFiles
    workers: Workers = field(default_factory=lambda: Gate(1 << 30))

    @property
    def store(self) -> Store:
        return self.own.store

    def equip(self, place: Workshop) -> Mapping[Service, Doer]:
        clock = SystemClock()
        ports = ProtectPorts(
            store=self.store,
            slots=self.slots,
            complete=lambda cid: self.own.fetches.whole(cid, 5.0),
            events=self.own.events,
            clock=clock,
            workers=self.workers,
        )
        self.protections = Protections(ports, lifetime_seconds=3600.0)
        place.pushed = self.pushed = Pushed(self.store, clock, place.events)
        self.coding = Coding(
            CodingPorts(
                store=self.store,
                fetches=self.own.fetches,
                protections=self.protections,
                lists=CodedLists(self.store, self.slots),
                pushed=self.pushed,
                hub=place.hub,
                sign=place.sign,
                clock=clock,
            )
        )
        return {Service.ENCODE: self.coding}

    async def restart(self, workers: Workers | None = None) -> None:
        await self.place.close()
        await self.protections.stop()
        self.workers = workers or Gate(1 << 30)
        await self.place.open()

    async def accept(
        self,
        patron: Patron,
        size: int,
        manifest: Cid | None,
        *,
        k: int = 4,
        m: int = 2,
        block_size: int,
    ) -> AcceptEncode:
        offer = await patron.offer(QuoteRequest(Service.ENCODE, size, block_size, k, m))
        return AcceptEncode(patron.customer(offer), manifest, self.place.now + HOUR)

    async def receipt(self, patron: Patron, job_id: bytes = JOB) -> EncodedReceipt:
        """Of a job that is ready, signed by the aggregator."""
        await self.place.until(Stage.READY, job_id)
        body = (await patron.ask(job_id, StatusRequest())).body
        assert isinstance(body, EncodedAnswer)
        domain, payee = self.place.hub.domain, self.place.hub.account
        assert receipt_signer(body.receipt, body.signature, domain) == payee
        return decode_receipt(body.receipt)

    async def kept(self) -> list[Cid]:
        """What the aggregator still has of datasets when everything useless was collected."""
        await self.store.collect()
        return [each.manifest_cid for each in await self.store.datasets()]

    async def data(self, cid: Cid) -> bytes:
        """Of a plain dataset of the aggregator."""
        dataset = await self.store.dataset(cid)
        assert dataset is not None
        assert dataset.is_complete
        blocks = await self.store.read_range(dataset.tree_root, 0, dataset.block_count)
        return blocks[: dataset.manifest.dataset_size]


async def dataset_of(node: SlotNode, data: bytes, block_size: int) -> Dataset:
    upload = node.store.begin_upload(block_size=block_size)
    await upload.write(data)
    return await upload.commit()


@asynccontextmanager
async def coding_scene(directory: Path, **options: object) -> AsyncGenerator[CodingScene, None]:
    trees = directory / "slots"
    trees.mkdir()
    slots = SlotFiles(DirectoryDisk(trees), EventBus(SystemClock()))
    made: list[CodingScene] = []

    def equip(place: Workshop) -> Mapping[Service, Doer]:
        return made[0].equip(place)

    place = Workshop(equip, **options)  # type: ignore[arg-type]
    own = await SlotNode.open(place.network, directory, "own")
    theirs = await SlotNode.open(place.network, directory, "theirs")
    await own.connect(theirs)
    made.append(CodingScene(place, own, theirs, slots))
    await slots.follow(own.store)
    await place.open()
    try:
        yield made[0]
    finally:
        for patron in place.patrons:
            await patron.leave()
        await place.close()
        await made[0].protections.stop()
        await own.fetches.stop()
        await slots.close()
        await theirs.close()
        await own.close()
