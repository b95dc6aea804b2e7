"""ENCODE for this node: datasets are coded by aggregators, one after the other until one is right.

    find ─► order ─► checked ─► the verifiable dataset        cheated, late, refused ─► the next one
Source   market.md 6.4, 6.5
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from quire.aggregation.order import ENDS, At, Order
from quire.aggregation.stripes import CONFIDENCE, SECRET_BYTES, check_confidence, draw
from quire.aggregation.values import EncodeWork, JobId
from quire.base.clock import Clock
from quire.base.errors import BlockMissing, Cancelled, QuireError, Refused, UnknownDataset
from quire.base.events import EventBus
from quire.base.units import MIB
from quire.chain.hub import HubDomain
from quire.chain.port import ChainClock
from quire.chain.values import Address
from quire.dataset.geometry import Geometry, check_protection
from quire.dataset.protected import refuse_protected
from quire.flow.fetch import Fetches
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Service
from quire.formats.cid import Cid
from quire.formats.replica_parts import BLOCK_BYTES
from quire.formats.varint import Buffer
from quire.net.exchange.engine import Exchange
from quire.services.ordering.affordable import Affordable
from quire.services.ordering.encode_orders import EncodeOrderPorts, EncodeOrders, encoded_of
from quire.services.ordering.encoded_lists import EncodedLists
from quire.services.ordering.new_order import new_order
from quire.services.ordering.orders import Orders
from quire.services.ordering.originals import Original, stored_original
from quire.services.ordering.ports import AskAggregator, Choice, Found
from quire.services.ordering.pushing import Pushing, Streamed
from quire.services.ordering.served_blocks import ServedBlocks
from quire.services.ordering.streamed import StreamedOriginal
from quire.store.dataset import Dataset
from quire.store.store import Store

ATTEMPTS = 3  # orders, one after the other, at another aggregator unless its offer was stale
SERVE_SECONDS = 86_400  # that hosts have to take the blocks
SPARE_SECONDS = 300  # beyond what the aggregator says that it needs
UPLOAD_BYTES_A_SECOND = 1 * MIB  # slower ones are too slow


@dataclass(frozen=True, slots=True)
class EncodingPorts:
    """What ordering ENCODE stands on. `account`: who pays; `domain`: of the hub; `scratch`: a
    directory for what is kept of datasets that stream by."""

    orders: Orders
    client: AskAggregator
    choice: Choice
    store: Store
    fetches: Fetches
    exchange: Exchange
    domain: HubDomain
    account: Address
    chain: ChainClock
    clock: Clock
    rng: random.Random
    events: EventBus
    scratch: Path
    executor: Executor | None = None


@dataclass(frozen=True, slots=True)
class EncodeTerms:
    """How a dataset is to be coded, and by whom.

    via         peers that alone are asked; empty: everybody who can be found
    confidence  with which one wrong column in a hundred is to be found
    max_price   tokens that are paid, at most; 0: any
    """

    k: int
    m: int
    via: Sequence[str] = ()
    max_price: int = 0
    confidence: float = CONFIDENCE
    serve_seconds: int = SERVE_SECONDS


class Encoding:
    """One node's orders of ENCODE. To be made before `orders.start`."""

    def __init__(self, ports: EncodingPorts) -> None:
        self._ports = ports
        self._running: dict[tuple[bytes, int, int], asyncio.Task[Cid]] = {}
        self._streams: dict[JobId, StreamedOriginal] = {}
        self._pushing = Pushing(ports.client, ports.orders, ports.clock)
        lists = EncodedLists(ports.store, ports.fetches, ports.clock, ports.executor)
        self._handler = EncodeOrders(
            EncodeOrderPorts(
                store=ports.store,
                lists=lists,
                served=ServedBlocks(ports.exchange, ports.clock, ports.rng),
                original=self._original,
                domain=ports.domain,
                chain=ports.chain,
                clock=ports.clock,
                events=ports.events,
            )
        )
        ports.orders.handle(Service.ENCODE, self._handler)

    async def stop(self) -> None:
        """Nobody waits for a result any more; orders are the journal's."""
        for task in list(self._running.values()):
            task.cancel()
            await asyncio.wait([task])

    async def encode(self, cid: Cid, terms: EncodeTerms) -> Cid:
        """Have a dataset of this node coded; the verifiable dataset, checked. Its manifest is here
        and its blocks are at the aggregator, who serves them until hosts have them. Whoever asks
        for the same joins in, also after a restart.

        Raises   BadProtection, InsufficientBlocks, InputError  it cannot be coded like that
                 UnknownDataset, BlockMissing  the dataset is not here, or not all of it
                 Refused    nobody does it; says why
                 Cancelled  the order was cancelled
        """
        await self.check(cid, terms)
        key = (cid.digest, terms.k, terms.m)
        task = self._running.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._run(cid, terms), name="encode")
            self._running[key] = task
            task.add_done_callback(lambda done: self._over(key, done))
        return await asyncio.shield(task)

    def give_up(self, cid: Cid, terms: EncodeTerms) -> None:
        """Nobody wants it coded like that any more; whoever waits for it is cancelled. Orders that
        were begun are the journal's."""
        task = self._running.get((cid.digest, terms.k, terms.m))
        if task is not None:
            task.cancel()

    async def stream(
        self, wanted: Streamed, pieces: AsyncIterable[Buffer], terms: EncodeTerms
    ) -> Cid:
        """Have a dataset coded that streams by and is not kept here: pushed to one aggregator,
        checked by what was kept of it. It is not tried again: what has gone by is gone.

        Raises   as `encode`; InputError  the stream has not as many bytes as was said
                 DiskFull  what is kept of it cannot be
        """
        check_confidence(terms.confidence)
        blocks = -(-wanted.size // BLOCK_BYTES)
        check_protection(terms.k, terms.m, blocks, BLOCK_BYTES)
        work = EncodeWork(None, terms.k, terms.m, wanted.size, BLOCK_BYTES)
        found = await self._find(work, terms, wanted.subject, {})
        if found is None:
            what = f"{wanted.size} bytes that are pushed"
            raise Refused(f"no aggregator offers to code {what}{self._why_none(terms)}")
        order = self._order(work, terms, found, wanted.subject)
        geometry = Geometry(blocks, terms.k, terms.m, BLOCK_BYTES)
        drawn = draw(order.secret, geometry, order.confidence)
        original = StreamedOriginal(drawn, self._ports.scratch, self._ports.executor)
        self._streams[order.job_id] = original
        try:
            await self._ports.orders.begin(order)
            return await self._push(order, original, wanted, pieces)
        except BaseException:
            await asyncio.shield(self._give_up(order))
            raise
        finally:
            del self._streams[order.job_id]
            original.close()

    async def check(self, cid: Cid, terms: EncodeTerms) -> Dataset:
        """The dataset, if it can be coded like that. Raises as `encode` does before it begins."""
        check_confidence(terms.confidence)
        dataset = await self._ports.store.dataset(cid)
        if dataset is None:
            raise UnknownDataset(f"{cid} is not on this node; fetch it first", cid=str(cid))
        refuse_protected(dataset.manifest)
        check_protection(terms.k, terms.m, dataset.block_count, dataset.manifest.block_size)
        if not dataset.is_complete:
            missing = dataset.block_count - dataset.present_count
            raise BlockMissing(f"{missing} blocks of {cid} are not here; fetch them first")
        return dataset

    def hosts_have(self, encoded: Cid) -> None:
        """Its purchase has started: every slot has a host."""
        self._handler.hosts_have(encoded)

    def not_needed(self, key: str) -> None:
        """Whoever ordered it needs the blocks at the aggregator no more: if they are still served,
        the rest is paid. Raises NotFound."""
        self._ports.orders.get(key)
        self._handler.not_needed(key)

    # ---- inside ----

    async def _original(self, order: Order) -> Original:
        streamed = self._streams.get(order.job_id)
        if streamed is not None:
            return streamed
        if not isinstance(order.work, EncodeWork) or order.work.original is None:
            raise UnknownDataset(f"what streamed by for the order {order.key} was not kept")
        return await stored_original(self._ports.store, order.work.original)

    async def _push(
        self,
        order: Order,
        original: StreamedOriginal,
        wanted: Streamed,
        pieces: AsyncIterable[Buffer],
    ) -> Cid:
        order = await self._ports.orders.until_taken(order.key)
        if order.at is At.WAITING:
            await self._pushing.push(order, original, wanted, pieces)
            order = await self._ports.orders.until_checked(order.key)
        encoded = encoded_of(order)
        if encoded is None:
            words = self._ports.orders.words(order)
            raise Refused(f"what was pushed was not coded by {order.peer}: {words}")
        return encoded

    async def _give_up(self, order: Order) -> None:
        """Whatever it is good for: who streams is not there any more."""
        with suppress(QuireError):
            await self._ports.orders.cancel(order.key)

    async def _run(self, cid: Cid, terms: EncodeTerms) -> Cid:
        known = self._under_way(cid, terms)
        used: dict[str, str] = {}  # peers, and what became of them
        for _ in range(ATTEMPTS):
            if known is None:
                known = await self._begin(cid, terms, used)
            order = await self._ports.orders.until_checked(known.key)
            encoded = encoded_of(order)
            if encoded is not None:
                return encoded
            words = self._ports.orders.words(order)
            if order.at is At.CANCELLED:
                raise Cancelled(f"the order {order.key} was cancelled")
            if order.at is At.FAILED:
                raise Refused(f"{cid} was not coded by {order.peer}: {words}")
            known = None
            if order.is_stale:
                self._ports.choice.renew(order.peer)  # it was started again: for another offer
            else:
                used[order.peer] = f"{order.at.value}: {words}"
        raise Refused(f"{cid} was coded by nobody: {_told(used) or words}")

    def _under_way(self, cid: Cid, terms: EncodeTerms) -> Order | None:
        """An order for the same that has not ended."""
        for order in reversed(self._ports.orders.all()):
            work = order.work
            if (
                isinstance(work, EncodeWork)
                and (work.original, work.k, work.m) == (cid, terms.k, terms.m)
                and order.at not in ENDS
            ):
                return order
        return None

    async def _begin(self, cid: Cid, terms: EncodeTerms, used: dict[str, str]) -> Order:
        dataset = await self._ports.store.dataset(cid)
        if dataset is None:
            raise UnknownDataset(f"{cid} was deleted meanwhile")
        manifest = dataset.manifest
        work = EncodeWork(cid, terms.k, terms.m, manifest.dataset_size, manifest.block_size)
        found = await self._find(work, terms, str(cid), used)
        if found is None:
            why = self._why_none(terms)
            if used:
                told = f"{_told(used)}; nobody else offers it{why}"
                raise Refused(f"{cid} was coded by nobody: {told}")
            what = f"{cid} with {terms.k} + {terms.m}"
            raise Refused(f"no aggregator offers to code {what}{why}")
        order = self._order(work, terms, found, str(cid))
        await self._ports.orders.begin(order)
        return order

    def _why_none(self, terms: EncodeTerms) -> str:
        choice = Affordable(self._ports.choice, terms.max_price)
        why = choice.why_none(Service.ENCODE, terms.via)
        return f": {why}" if why else "; none is known or found"

    async def _find(
        self, work: EncodeWork, terms: EncodeTerms, subject: str, used: dict[str, str]
    ) -> Found | None:
        """The best who offers it and was not tried. Raises BadConfig: a peer in `via` is none."""
        choice = Affordable(self._ports.choice, terms.max_price)
        quote = QuoteRequest(Service.ENCODE, work.size, work.block_size, work.k, work.m)
        candidates = await choice.find(quote, via=terms.via, subject=subject, exclude=list(used))
        return candidates[0] if candidates else None

    def _order(self, work: EncodeWork, terms: EncodeTerms, found: Found, subject: str) -> Order:
        """A new one, with a secret of its own."""
        ports, offer = self._ports, found.offer.offer
        seconds = 2 * offer.seconds + SPARE_SECONDS + work.size // UPLOAD_BYTES_A_SECOND
        deadline = int(ports.chain.now()) + seconds
        return replace(
            new_order(found, work, ports.rng, ports.account, subject, deadline),
            serve_seconds=terms.serve_seconds,
            secret=ports.rng.randbytes(SECRET_BYTES),
            confidence=terms.confidence,
        )

    def _over(self, key: tuple[bytes, int, int], task: asyncio.Task[Cid]) -> None:
        self._running.pop(key, None)
        if not task.cancelled():
            task.exception()  # seen: who asked may be gone


def _told(used: dict[str, str]) -> str:
    return "; ".join(f"{peer} {words}" for peer, words in used.items())
