"""Buys storage: from a dataset of this node to a request that hosts fill, until its money is back.

    quote (nothing signed) -> protect K + M -> request, id and nonce in the journal -> transaction
    -> `PurchaseMachine`, told by blocks and by time

The protected dataset, its manifest included, is kept until the request has ended.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import BadCid, Busy, QuireError
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import id_text, request_id, slot_id
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
from quire.services.machines import Machines
from quire.services.purchase_effects import PurchaseEffects, content_cid
from quire.store.dataset import Dataset
from quire.store.journal import Journal, Note
from quire.store.store import Store

LOAD_RETRY_SECONDS = 5.0
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
        self._machines: Machines[Purchase, Event, Effect] = Machines(
            self._machine,
            ports.journal,
            self._effects.perform,
            clock=ports.clock,
            chain=ports.market.clock,
            events=ports.events,
            waits=ports.waits,
        )
        self._machines.listen(self._tell)
        self._is_doubtful = asyncio.Event()  # whether the journal has all that the chain lists
        self._is_doubtful.set()
        self._loading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on with what the journal knows; in the background, look for what it does not."""
        await self._machines.start()
        self._loading = asyncio.get_running_loop().create_task(self._load(), name="purchases")

    async def stop(self) -> None:
        """Purchases stay as they are, for the next start."""
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait([self._loading])
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
        deadline = self._machine.deadline(purchase)
        if deadline is None:
            return None
        if deadline.chain_time is not None:
            return deadline.reason, deadline.chain_time
        entered = self._machines.entered(id_text(purchase.request_id))
        return deadline.reason, entered + (deadline.after_seconds or 0.0)

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

    # ---- hearing ----

    async def hear(self, batch: Batch) -> None:
        """Blocks came: purchases that they concern look again, and those whose time has come."""
        told = _concerned(batch.events)
        if batch.is_rewound:
            self._is_doubtful.set()
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

    # ---- loading ----

    async def _load(self) -> None:
        """Tidy; then, now and after each re-organisation, compare with what the chain lists."""
        is_tidy = False
        while True:
            await self._is_doubtful.wait()
            self._is_doubtful.clear()
            try:
                if not is_tidy:
                    await self._tidy()
                    is_tidy = True
                await self._take_in(await self._market.my_requests())
            except QuireError as error:
                if not error.retry:
                    self._ports.events.publish("purchase.unlisted", "", error.message)
                self._is_doubtful.set()
                await asyncio.sleep(LOAD_RETRY_SECONDS)

    async def _tidy(self) -> None:
        """What is kept is what the journal says."""
        for purchase in self.all():
            if self._machine.has_ended(purchase):
                await self._release(purchase)
            else:
                await self._effects.keep(purchase)

    async def _release(self, purchase: Purchase) -> None:
        """A crash between the end of a purchase and its release left the root."""
        cid = content_cid(purchase.request)
        dataset = None if cid is None else await self._ports.store.dataset(cid)
        key = id_text(purchase.request_id)
        if dataset is not None and any(root.name == key for root in dataset.roots):
            await self._effects.release(purchase)

    async def _take_in(self, found: Sequence[RequestId]) -> None:
        for each in found:
            key, known = id_text(each), self.find(each)
            if known is None:
                await self._machines.begin(key, Purchase(each, At.UNKNOWN))
            elif self._machine.has_ended(known):
                # The contract lists what was not withdrawn.
                await self._machines.post(key, Rewound() if known.is_withdrawn else Changed())


def _concerned(events: Sequence[MarketEvent]) -> dict[str, None]:
    """Keys of the requests whose state the events change."""
    kinds = (StorageRequested, RequestFulfilled, RequestFailed, RequestCancelled)
    return {id_text(event.request_id): None for event in events if isinstance(event, kinds)}
