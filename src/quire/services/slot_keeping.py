"""The data of slots that are sold: got from whoever has it, or computed; held; dropped.

A slot that lost its host is looked for first: to lose a contract is not to lose the data. Only when
nothing more of it comes is it computed from K others, and only its own row is written.

Where the contract waits until several slots of a request are lost, whoever computes one computes
all of them in the same pass and serves the others for a while: K + f - 1 slots are moved for f lost
ones. Their new hosts wait for that, each a little longer than the one before it.

Source   market.md 5.2, 5.3
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import BadManifest, InputError, PeerError, QuireError
from quire.base.events import EventBus
from quire.chain.abi import id_text, slot_id
from quire.chain.port import Market
from quire.chain.repair_gate import threshold_of
from quire.chain.values import SlotState, StorageRequest
from quire.dataset.geometry import Geometry
from quire.dataset.trouble import name_rows
from quire.flow.fetch import Fetches
from quire.flow.prove import verification_of
from quire.flow.rebuild import Rebuilds
from quire.flow.slot_state import ROOT_KIND, SlotJob
from quire.flow.slots import SlotHolds
from quire.formats.cid import Cid
from quire.market.repair_turn import is_lazy
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
        market: Market,
        events: EventBus,
        *,
        patience_seconds: float,
    ) -> None:
        """`patience_seconds`: without a byte, before a slot that lost its host is computed."""
        self._ports = ports
        self._clock = clock
        self._market = market
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
            if deal.is_repair:
                await self._repair(sale, request, cid, on_bytes)
            else:
                await self._fetch(sale, cid, on_bytes, None)
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
        needed = [
            o.slot_index for o in others if o.deal is not None and o.deal.cid == sale.deal.cid
        ]
        if slot in needed:
            return
        rebuilding = self._ports.rebuilds.of(cid, slot)
        if rebuilding is not None and not rebuilding.has_ended and rebuilding.until is not None:
            if any(each in needed for each in rebuilding.slots):
                rebuilding.spare = (*rebuilding.spare, slot)  # it goes by itself
                return
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
        left = max(0.0, deal.end - self._market.clock.now())
        return self._clock.now() + left + MARGIN_SECONDS

    async def _is_held(self, cid: Cid, slot: int) -> bool:
        state = await self._ports.holds.state(cid, slot)
        return state is not None and state.state == "held"

    async def _repair(
        self, sale: Sale, request: StorageRequest, cid: Cid, on_bytes: Callable[[int], None]
    ) -> None:
        """Get a slot that lost its host, from whoever has it or by computing it."""
        lost = await self._lost(sale, request)
        patience = self._patience_seconds * (1 + lost.index(sale.slot_index))
        if await self._fetch(sale, cid, on_bytes, patience):
            return
        spare = await self._spare(cid, [s for s in lost if s != sale.slot_index], request)
        try:
            await self._rebuild(sale, cid, spare, on_bytes)
        except QuireError as error:
            if not spare:
                raise
            self._tell(sale, f"the lost slots could not be computed together: {error.message}")
            await self._rebuild(sale, cid, [], on_bytes)

    async def _lost(self, sale: Sale, request: StorageRequest) -> list[int]:
        """Slots that are to be repaired together, in order; this one is among them."""
        terms, ask = self._market.terms, request.ask
        alone = [sale.slot_index]
        if not is_lazy(terms) or threshold_of(terms.lazy_repair, ask.max_slot_loss) == 1:
            return alone
        slots = [slot_id(sale.request_id, index) for index in range(ask.slots)]
        states = await self._market.slot_states(slots)
        lost = [index for index, state in enumerate(states) if state is SlotState.REPAIR]
        is_possible = sale.slot_index in lost and len(lost) <= ask.max_slot_loss
        return lost if is_possible else alone

    async def _spare(self, cid: Cid, lost: list[int], request: StorageRequest) -> list[int]:
        """Other lost slots that this node can compute as well: all, or none for want of room."""
        rebuilds = self._ports.rebuilds
        spare = []
        for slot in lost:
            job = rebuilds.of(cid, slot)
            if not await self._is_held(cid, slot) and (job is None or job.has_ended):
                spare.append(slot)
        space = self._ports.store.space()
        room = space.quota_max_bytes - space.quota_used_bytes - space.quota_reserved_bytes
        return spare if len(spare) * request.ask.slot_size <= room else []

    async def _fetch(
        self, sale: Sale, cid: Cid, on_bytes: Callable[[int], None], patience: float | None
    ) -> bool:
        """Take the slot from others; False when nobody has had it for so many seconds. None: that
        somebody comes is hoped for."""
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
            elif patience is not None and now - since > patience:
                await holds.cancel(cid, slot)
                return False
        return _is_done(job, is_hopeful=patience is None)

    async def _rebuild(
        self, sale: Sale, cid: Cid, spare: Sequence[int], on_bytes: Callable[[int], None]
    ) -> None:
        slot, rebuilds = sale.slot_index, self._ports.rebuilds
        job = rebuilds.of(cid, slot)  # another sale's, that computes this slot too
        if job is None or job.has_ended:
            until = self._until(_deal(sale))
            job = await rebuilds.start(cid, [slot], MANIFEST_SECONDS, until=until, spare=spare)
        also = f", and {name_rows(spare)} for other hosts" if spare else ""
        told = f"nobody serves slot {slot} of {cid}: it is computed from others{also}"
        self._tell(sale, told)
        while job.task is not None and not job.has_ended:
            await asyncio.wait([job.task], timeout=LOOK_SECONDS)
            on_bytes(job.verified_bytes // len(job.slots))
        if job.error is not None:
            raise job.error
        if job.state != "complete":
            raise PeerError(f"the rebuilding of slot {slot} was stopped; ask again")

    def _tell(self, sale: Sale, message: str) -> None:
        self._events.publish("sale.rebuilding", id_text(sale.slot_id), message)

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


def _is_done(job: SlotJob, *, is_hopeful: bool) -> bool:
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
