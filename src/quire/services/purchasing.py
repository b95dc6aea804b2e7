"""Buys storage: from a dataset of this node to a request that hosts fill, until its money is back.

    quote (nothing signed) -> protect K + M -> request, id and nonce in the journal -> transaction
    -> `PurchaseMachine`, told by blocks and by time

The protected dataset, its manifest included, is kept until the request has ended.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import BadCid, Busy, QuireError
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import address_text, id_text, request_id, slot_id
from quire.chain.events import (
    MarketEvent,
    RequestCancelled,
    RequestFailed,
    RequestFulfilled,
    StorageRequested,
)
from quire.chain.port import Batch, Market
from quire.chain.values import Address, Content, RequestId, SlotState, StorageRequest
from quire.dataset.geometry import Geometry
from quire.flow.fetch import Fetches
from quire.flow.protect import Protections
from quire.formats.cid import Cid
from quire.market.bid import Bid, check_dataset, check_protected, check_terms
from quire.market.purchase import At, Changed, Effect, Event, Purchase, PurchaseMachine, Rewound
from quire.market.quote import Planned, Quote, check_affordable, planned
from quire.services.machines import Listener, Machines
from quire.services.purchase_effects import PurchaseEffects, content_cid
from quire.services.purchase_recovery import PurchaseRecovery
from quire.store.dataset import Dataset
from quire.store.journal import Journal, Note
from quire.store.store import Store

REWOUND_SECONDS = 3600.0  # withdrawals of this age are looked at again after a re-organisation
FIND_SECONDS = 60.0  # to find the manifest of a dataset that is not here, unless somebody says


@dataclass(frozen=True, slots=True)
class PurchasePorts:
    """What purchasing stands on."""

    market: Market
    journal: Journal
    store: Store
    fetches: Fetches
    protections: Protections
    events: EventBus
    waits: Waits
    clock: Clock
    rng: random.Random


@dataclass(frozen=True, slots=True)
class BoughtSlot:
    """A slot of a request at this moment; nobody holds it: `host` is None."""

    index: int
    slot_id: bytes
    state: SlotState
    host: Address | None


class Purchases:
    """All purchases of one node. `hear` is to be called with each batch of blocks."""

    def __init__(self, ports: PurchasePorts) -> None:
        self._ports = ports
        self._market = ports.market
        self._effects = PurchaseEffects(ports.market, ports.store, ports.clock)
        self._machine = PurchaseMachine()
        terms = ports.market.terms
        self._machines: Machines[Purchase, Event, Effect] = Machines(
            self._machine,
            ports.journal,
            self._effects.perform,
            clock=ports.clock,
            chain=ports.market.clock,
            events=ports.events,
            waits=ports.waits,
            place=f"{terms.chain_id}/{address_text(terms.contract)}",
        )
        self._machines.listen(self._tell)
        self._recovery = PurchaseRecovery(
            self._machine, self._machines, self._effects, ports.market, ports.store, ports.events
        )

    async def start(self) -> None:
        """Go on with what the journal knows; in the background, look for what it does not."""
        await self._machines.start()
        self._recovery.start()

    async def stop(self) -> None:
        """Purchases stay as they are, for the next start."""
        await self._recovery.stop()
        await self._machines.stop()

    @property
    def account(self) -> Address:
        """Who pays."""
        return self._market.account

    # ---- buying ----

    async def quote(self, cid: Cid, bid: Bid, find_seconds: float = FIND_SECONDS) -> Quote:
        """What a request would cost. Nothing is signed, coded or sent.

        Raises   BadTerms, BadProtection  with what would work
                 UnknownDataset, DeadlineExceeded  nobody has the dataset"""
        check_terms(bid, self._market.terms)
        quote, _ = await self._quote(cid, bid, find_seconds)
        return quote

    async def plan(
        self, cid: Cid, nines: float, duration: int, find_seconds: float = FIND_SECONDS
    ) -> Planned:
        """Nodes, tolerance and proof probability for a dataset. Raises CannotPromise,
        UnknownDataset."""
        manifest = (await self._ports.fetches.manifest(cid, find_seconds)).manifest
        size, block_size = manifest.original_size, manifest.block_size
        return planned(nines, duration, size, block_size, self._market.terms)

    async def buy(self, cid: Cid, bid: Bid, find_seconds: float = FIND_SECONDS) -> RequestId:
        """Protect the dataset if it is not, and ask for hosts. The request is in the journal and
        on its way to the chain when this returns; coding may take minutes before.

        Raises   as `quote`; InsufficientFunds, DiskFull, Busy (stopping)"""
        check_terms(bid, self._market.terms)
        quote, dataset = await self._quote(cid, bid, find_seconds)
        check_affordable(quote)
        if not dataset.manifest.is_verifiable:
            job = await self._ports.protections.start(cid, bid.k, bid.m)
            dataset = await self._ports.protections.wait(job)
        request = self._request(bid, dataset)
        purchase = Purchase(request_id(request), At.PENDING, request)
        if not await self._machines.begin(id_text(purchase.request_id), purchase):
            raise Busy(f"the request {id_text(purchase.request_id)} exists already; ask again")
        return purchase.request_id

    def _request(self, bid: Bid, dataset: Dataset) -> StorageRequest:
        protection = dataset.manifest.protection
        if protection is None or protection.verification is None:
            raise BadCid(f"{dataset.manifest_cid} has no slots")
        return StorageRequest(
            client=self._market.account,
            ask=bid.ask(Geometry.of(dataset.manifest)),
            content=Content(
                cid=dataset.manifest_cid.encode(),
                merkle_root=protection.verification.verify_root.digest,
            ),
            expiry=bid.expiry,
            nonce=self._ports.rng.randbytes(32),
        )

    async def _quote(self, cid: Cid, bid: Bid, find_seconds: float) -> tuple[Quote, Dataset]:
        dataset = await self._ports.fetches.manifest(cid, find_seconds)
        manifest = dataset.manifest
        if manifest.is_verifiable:
            geometry = Geometry.of(manifest)
            check_protected(bid, geometry)
        else:
            geometry = check_dataset(bid, manifest.block_count, manifest.block_size)
        waiting = sum(
            purchase.request.ask.max_price
            for purchase in self.all()
            if purchase.at is At.PENDING and purchase.request is not None
        )
        quote = Quote(
            bid=bid,
            ask=bid.ask(geometry),
            dataset_size=manifest.original_size,
            balance=max(0, await self._market.balance() - waiting),
            gas_balance=await self._market.gas_balance(),
            period=self._market.terms.period,
        )
        return quote, dataset

    # ---- looking ----

    def all(self) -> list[Purchase]:
        """Every purchase that is remembered, oldest first."""
        return list(self._machines.states().values())

    def find(self, wanted: RequestId) -> Purchase | None:
        return self._machines.state(id_text(wanted))

    def words(self, purchase: Purchase) -> str:
        """What is going on, for people."""
        return self._machine.words(purchase)

    def next_deadline(self, purchase: Purchase) -> tuple[str, float] | None:
        """What is waited for, and unix seconds of the chain or of this machine; None at the end."""
        return self._machines.next_deadline(id_text(purchase.request_id))

    def trouble(self, purchase: Purchase) -> QuireError | None:
        """Why something is being tried again."""
        return self._machines.trouble(id_text(purchase.request_id))

    async def history(self, purchase: Purchase) -> list[Note]:
        return await self._machines.history(id_text(purchase.request_id))

    async def slots(self, purchase: Purchase) -> list[BoughtSlot]:
        """The slots as the chain has them now. Raises ChainUnreachable."""
        if purchase.request is None or purchase.at in (At.PENDING, At.ERRORED):
            return []
        count = purchase.request.ask.slots
        ids = [slot_id(purchase.request_id, index) for index in range(count)]
        states = await self._market.slot_states(ids)
        hosts = await asyncio.gather(*(self._market.host(each) for each in ids))
        return [BoughtSlot(*row) for row in zip(range(count), ids, states, hosts, strict=True)]

    def listen(self, listener: Listener[Purchase]) -> Callable[[], None]:
        """Call `listener(key, before, now)` after each change; returns what ends it."""
        return self._machines.listen(listener)

    # ---- hearing ----

    async def hear(self, batch: Batch) -> None:
        """Blocks came: purchases that they concern look again, and those whose time has come."""
        told = _concerned(batch.events)
        if batch.is_rewound:
            self._recovery.doubt()
        for key, purchase in self._machines.states().items():
            if batch.is_rewound and self._is_recent(key, purchase):
                await self._machines.post(key, Rewound())
            elif key in told or self._is_late(purchase, batch.head.timestamp):
                await self._machines.post(key, Changed())

    def _is_recent(self, key: str, purchase: Purchase) -> bool:
        age = self._ports.clock.now() - self._machines.entered(key)
        return not self._machine.has_ended(purchase) or age < REWOUND_SECONDS

    def _is_late(self, purchase: Purchase, chain_time: int) -> bool:
        """Whether it is time for another state, or something failed that may work now."""
        deadline = self._machine.deadline(purchase)
        if deadline is None:
            return False
        if deadline.chain_time is not None:
            return chain_time >= deadline.chain_time
        return bool(purchase.error)

    def _tell(self, key: str, before: Purchase | None, now: Purchase) -> None:
        """Say under the dataset's CID too that its owner may leave."""
        if now.at is not At.STARTED or (before is not None and before.at is At.STARTED):
            return
        cid = str(content_cid(now.request) or "")
        for subject in (key, cid) if cid else (key,):
            self._ports.events.publish(
                "purchase.safe",
                subject,
                "every slot is filled and has proved itself: this node may leave",
                requestId=key,
                cid=cid,
            )


def _concerned(events: Sequence[MarketEvent]) -> dict[str, None]:
    """Keys of the requests whose state the events change."""
    kinds = (StorageRequested, RequestFulfilled, RequestFailed, RequestCancelled)
    return {id_text(event.request_id): None for event in events if isinstance(event, kinds)}
