"""The data of slots that are sold: got from whoever has it, or computed; held; dropped.

A slot that lost its host is looked for first: to lose a contract is not to lose the data. Only when
nothing more of it comes is it computed from K others, and only its own row is written.

Source   market.md 5.2
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import BadManifest, InputError, PeerError, QuireError
from quire.base.events import EventBus
from quire.chain.abi import id_text
from quire.chain.port import ChainClock
from quire.chain.values import StorageRequest
from quire.dataset.geometry import Geometry
from quire.flow.fetch import Fetches
from quire.flow.prove import verification_of
from quire.flow.rebuild import Rebuilds
from quire.flow.slot_state import ROOT_KIND, SlotJob
from quire.flow.slots import SlotHolds
from quire.formats.cid import Cid
from quire.market.sale import Deal, Sale
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.store import Store

MANIFEST_SECONDS = 120.0  # for the manifest and the list of leaves
LOOK_SECONDS = 1.0  # between two looks at how far a slot is
MARGIN_SECONDS = 86_400.0  # that data is held beyond its contract: the chain may be slow


@dataclass(frozen=True, slots=True)
class KeepingPorts:
    """Where a slot's data comes from, and where it stays."""

    store: Store
    fetches: Fetches
    holds: SlotHolds
    rebuilds: Rebuilds


class SlotKeeping:
    """The data of all slots that this node sells."""

    def __init__(
        self,
        ports: KeepingPorts,
        clock: Clock,
        chain: ChainClock,
        events: EventBus,
        *,
        patience_seconds: float,
    ) -> None:
        """`patience_seconds`: without a byte, before a slot that lost its host is computed."""
        self._ports = ports
        self._clock = clock
        self._chain = chain
        self._events = events
        self._patience_seconds = patience_seconds

    async def get(
        self, sale: Sale, request: StorageRequest, on_bytes: Callable[[int], None]
    ) -> None:
        """Get a slot, check it, and hold it until the contract may end.

        on_bytes  is told how much of it is here, now and then
        Raises    BadManifest  the request is not for the dataset that it names
                  QuireError   as flow.slots and flow.rebuild
        """
        deal, slot = _deal(sale), sale.slot_index
        cid = Cid.decode(deal.cid)
        dataset = await self._ports.fetches.manifest(cid, MANIFEST_SECONDS)
        check_request(dataset, request)
        if not await self._is_held(cid, slot):
            if deal.is_repair and not await self._fetch(sale, cid, on_bytes, is_hopeful=False):
                await self._rebuild(sale, cid, on_bytes)
            elif not deal.is_repair:
                await self._fetch(sale, cid, on_bytes, is_hopeful=True)
        await self.extend(sale)

    async def extend(self, sale: Sale) -> None:
        """Hold a slot that is here until its contract ends, or longer. Raises UnknownDataset."""
        deal = _deal(sale)
        root = RetentionRoot(ROOT_KIND, str(sale.slot_index), self._until(deal))
        await self._ports.store.retain(Cid.decode(deal.cid), root)

    async def drop(self, sale: Sale, others: Sequence[Sale]) -> None:
        """Stop getting a slot and give its data up, unless another sale needs it or somebody holds
        it without an end."""
        if sale.deal is None:
            return
        try:
            cid = Cid.decode(sale.deal.cid)
        except InputError:
            return
        slot = sale.slot_index
        mine = (sale.deal.cid, slot)
        if any(o.deal is not None and (o.deal.cid, o.slot_index) == mine for o in others):
            return
        rebuilding = self._ports.rebuilds.of(cid, slot)
        if rebuilding is not None and rebuilding.until is not None:
            await self._ports.rebuilds.cancel(rebuilding)
        job = self._ports.holds.of(cid, slot)
        if job is not None and not job.has_ended and job.until is None:
            return
        dataset = await self._ports.store.dataset(cid)
        if dataset is not None and _is_held_for_ever(dataset, slot):
            return
        await self._ports.holds.drop(cid, slot)

    # ---- inside ----

    def _until(self, deal: Deal) -> float:
        """When the contract is over for certain, by this node's clock."""
        left = max(0.0, deal.end - self._chain.now())
        return self._clock.now() + left + MARGIN_SECONDS

    async def _is_held(self, cid: Cid, slot: int) -> bool:
        state = await self._ports.holds.state(cid, slot)
        return state is not None and state.state == "held"

    async def _fetch(
        self, sale: Sale, cid: Cid, on_bytes: Callable[[int], None], *, is_hopeful: bool
    ) -> bool:
        """Take the slot from others; False when nobody has it, unless that is hoped for."""
        holds, slot = self._ports.holds, sale.slot_index
        job = await holds.start(cid, slot, MANIFEST_SECONDS, until=self._until(_deal(sale)))
        here, since = -1, self._clock.monotonic()
        while job.task is not None and not job.has_ended:
            await asyncio.wait([job.task], timeout=LOOK_SECONDS)
            found = await self._verified(cid, slot)
            on_bytes(found)
            now = self._clock.monotonic()
            if found != here or job.state == "hashing":
                here, since = found, now
            elif not is_hopeful and now - since > self._patience_seconds:
                await holds.cancel(cid, slot)
                return False
        return _is_done(job, is_hopeful)

    async def _rebuild(self, sale: Sale, cid: Cid, on_bytes: Callable[[int], None]) -> None:
        self._events.publish(
            "sale.rebuilding",
            id_text(sale.slot_id),
            f"nobody serves slot {sale.slot_index} of {cid}: it is computed from others",
        )
        until = self._until(_deal(sale))
        job = await self._ports.rebuilds.start(
            cid, [sale.slot_index], MANIFEST_SECONDS, until=until
        )
        while job.task is not None and not job.has_ended:
            await asyncio.wait([job.task], timeout=LOOK_SECONDS)
            on_bytes(job.verified_bytes)
        if job.error is not None:
            raise job.error
        if job.state != "complete":
            raise PeerError(f"the rebuilding of slot {sale.slot_index} was stopped; ask again")

    async def _verified(self, cid: Cid, slot: int) -> int:
        state = None
        with suppress(QuireError):  # the manifest may be gone again
            state = await self._ports.holds.state(cid, slot)
        return 0 if state is None else state.verified_bytes


def check_request(dataset: Dataset, request: StorageRequest) -> None:
    """Raise BadManifest unless a request describes the dataset that it names: else no proof of it
    could be right."""
    try:
        verification = verification_of(dataset.manifest)
    except InputError as error:
        raise BadManifest(f"{dataset.manifest_cid}: {error.message}") from None
    geometry, ask = Geometry.of(dataset.manifest), request.ask
    told = (ask.slots, ask.slot_size, request.content.merkle_root)
    found = (geometry.slots, geometry.slot_size, verification.verify_root.digest)
    if told != found:
        raise BadManifest(
            f"the request is for {told[0]} slots of {told[1]} bytes with root {told[2].hex()}; the "
            f"dataset {dataset.manifest_cid} has {found[0]} of {found[1]} with {found[2].hex()}"
        )


def _deal(sale: Sale) -> Deal:
    assert sale.deal is not None
    return sale.deal


def _is_done(job: SlotJob, is_hopeful: bool) -> bool:
    if job.state == "held":
        return True
    if not is_hopeful:
        return False
    raise job.error or PeerError(f"the taking of slot {job.slot} was stopped; ask again")


def _is_held_for_ever(dataset: Dataset, slot: int) -> bool:
    return any(
        root.kind == ROOT_KIND and root.name == str(slot) and root.expires_at is None
        for root in dataset.roots
    )
