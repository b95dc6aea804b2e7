"""What ENCODE adds to the life of an order: the handler of its orders.

accept  the original is kept and served until the end
check   receipt, lists, drawn columns (encoded_lists.py), a few blocks (served_blocks.py)
watch   until hosts have the blocks, or the time is over, with a few blocks now and then
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from quire.aggregation.order import At, Good, Order, Served, Wrong
from quire.aggregation.receipt import decode_receipt
from quire.aggregation.receipt_check import check_parameters, open_receipt
from quire.aggregation.stripes import draw
from quire.aggregation.values import EncodedReceipt, EncodeWork
from quire.base.clock import Clock
from quire.base.errors import BadEncoding, Bug, UnknownDataset
from quire.base.events import EventBus
from quire.chain.hub import HubDomain
from quire.chain.port import ChainClock
from quire.dataset.geometry import Geometry
from quire.formats.aggregator_asking import AcceptEncode, Customer
from quire.formats.aggregator_codes import Reason
from quire.formats.cid import Cid
from quire.services.ordering.encoded_lists import EncodedLists
from quire.services.ordering.originals import Original
from quire.services.ordering.served_blocks import ServedBlocks
from quire.store.dataset import Dataset, RetentionRoot
from quire.store.shape import DIGEST_BYTES
from quire.store.store import Store

LOOK_SECONDS = 600.0  # between two looks whether blocks are served
AGAIN_SECONDS = 60.0  # when they were not
WITHHELD_SECONDS = 1800.0  # for which an aggregator may be away, while there is time
LAST_SECONDS = 600  # before the end of the service, of which it is looked at for the last time
LEASE = "lease"
SPARE_SECONDS = 86_400.0  # that a manifest stays beyond the service

_GOOD = (At.PAYING, At.SERVING, At.SETTLING, At.SETTLED)


@dataclass(frozen=True, slots=True)
class EncodeOrderPorts:
    """`original`: of an order; raises UnknownDataset when it is gone."""

    store: Store
    lists: EncodedLists
    served: ServedBlocks
    original: Callable[[Order], Awaitable[Original]]
    domain: HubDomain
    chain: ChainClock
    clock: Clock
    events: EventBus


class EncodeOrders:
    """Implements `ports.Handler`."""

    def __init__(self, ports: EncodeOrderPorts) -> None:
        self._ports = ports
        self._held: dict[Cid, None] = {}  # hosts have these
        self._ended: dict[str, None] = {}  # orders whose blocks nobody needs to serve any more
        self._waiting: dict[asyncio.Future[None], None] = {}

    def hosts_have(self, encoded: Cid) -> None:
        """Every slot of it is filled and has proved itself."""
        self._held[encoded] = None
        self._nudge()

    def not_needed(self, key: str) -> None:
        """Nobody needs to be served for this order any more."""
        self._ended[key] = None
        self._nudge()

    # ---- the handler ----

    async def accept(self, order: Order, customer: Customer) -> AcceptEncode:
        work = _work(order)
        if work.original is not None:
            left = order.deadline - self._ports.chain.now() + SPARE_SECONDS
            root = RetentionRoot(LEASE, _name(order), self._ports.clock.now() + left)
            await self._ports.store.retain(work.original, root)
        else:
            await self._ports.original(order)  # it must still stream by
        return AcceptEncode(customer, work.original, order.deadline)

    async def check(self, order: Order) -> Good | Wrong:
        ports = self._ports
        original = await ports.original(order)
        receipt = open_receipt(order, original.cid, ports.domain)
        if isinstance(receipt, Wrong):
            return receipt
        encoded = check_parameters(receipt, original.manifest, _work(order))
        if isinstance(encoded, Wrong):
            return encoded
        geometry = Geometry.of(encoded)
        lists = await self._fetch_lists(order, receipt, geometry)
        if isinstance(lists, Wrong):
            return lists
        drawn = draw(order.secret, geometry, order.confidence)
        found = await ports.lists.check(
            encoded, drawn, original, lists, lambda words: self._tell(order, words)
        )
        if isinstance(found, Wrong):
            return found
        self._tell(order, "it is coded right; a few blocks are fetched")
        dataset = await self._register(order, receipt)
        problem = await ports.served.problem(dataset)
        if problem:
            return Wrong(Reason.WITHHELD, f"its coded blocks are not served: {problem}")
        return Good(found)

    async def watch(self, order: Order) -> Served | Wrong:
        ports, receipt = self._ports, decode_receipt(order.result)
        last = order.serve_until - min(LAST_SECONDS, order.serve_seconds // 10)
        dataset = await self._register(order, receipt)
        failing_since: float | None = None
        while receipt.encoded not in self._held:
            is_last = order.key in self._ended or ports.chain.now() >= last
            problem = await self._look(receipt.encoded, dataset)
            if receipt.encoded in self._held:
                break  # they were there before they were not
            now = ports.clock.monotonic()
            failing_since = (failing_since or now) if problem else None
            is_over = failing_since is not None and now - failing_since >= WITHHELD_SECONDS
            if problem and (is_last or is_over):
                return Wrong(Reason.WITHHELD, f"blocks that were paid are not served: {problem}")
            if is_last:
                break
            if problem:
                self._tell(order, f"its blocks are not served now: {problem}")
            if order.key not in self._ended:
                await self._until(last, AGAIN_SECONDS if problem else LOOK_SECONDS)
        return Served()

    async def closing(self, order: Order) -> None:
        """What was kept for the check goes; a dataset that is good stays."""
        store, name = self._ports.store, _name(order)
        self._ended.pop(order.key, None)
        work = _work(order)
        if work.original is not None:
            await store.release(work.original, LEASE, name)
        try:
            receipt = decode_receipt(order.result)
        except BadEncoding:
            return  # there is none
        for cid in (receipt.leaf_list, receipt.digest_list):
            await self._drop(cid, name)
        if order.at is At.CHEATED:
            await self._drop(receipt.encoded, name)

    # ---- inside ----

    async def _fetch_lists(
        self, order: Order, receipt: EncodedReceipt, geometry: Geometry
    ) -> tuple[Dataset, Dataset] | Wrong:
        size = geometry.total * DIGEST_BYTES
        root = RetentionRoot(LEASE, _name(order), self._ports.clock.now() + SPARE_SECONDS)
        self._tell(order, "its lists are fetched")
        leaves = await self._ports.lists.fetch(receipt.leaf_list, size, root)
        if isinstance(leaves, Wrong):
            return leaves
        digests = await self._ports.lists.fetch(receipt.digest_list, size, root)
        return digests if isinstance(digests, Wrong) else (leaves, digests)

    async def _register(self, order: Order, receipt: EncodedReceipt) -> Dataset:
        """The verifiable dataset is known here, without any of its blocks, as purchases want it."""
        lasts = self._ports.clock.now() + order.serve_seconds + SPARE_SECONDS
        root = RetentionRoot(LEASE, _name(order), lasts)
        return await self._ports.store.put_manifest(receipt.manifest, root)

    async def _drop(self, cid: Cid, name: str) -> None:
        """Unless it is kept for another reason than passing through."""
        store = self._ports.store
        try:
            await store.release(cid, LEASE, name)
        except UnknownDataset:
            return
        dataset = await store.dataset(cid)
        if dataset is not None and all(root.kind == "cache" for root in dataset.roots):
            await store.delete(cid)

    async def _look(self, encoded: Cid, dataset: Dataset) -> str:
        """Why blocks are not served, or ""; cut short when hosts turn out to have them."""
        loop = asyncio.get_running_loop()
        look = loop.create_task(self._ports.served.problem(dataset), name="look at served blocks")
        heard: asyncio.Future[None] = loop.create_future()
        self._waiting[heard] = None
        try:
            while not look.done() and encoded not in self._held:
                await asyncio.wait((look, heard), return_when=asyncio.FIRST_COMPLETED)
                if heard.done():  # perhaps of another dataset
                    del self._waiting[heard]
                    heard = loop.create_future()
                    self._waiting[heard] = None
            return look.result() if look.done() else ""
        finally:
            del self._waiting[heard]
            look.cancel()
            await asyncio.wait((look,))

    async def _until(self, chain_time: int, seconds: float) -> None:
        """Until something was heard, it is time to look again, or the chain is as far."""
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = loop.create_future()
        self._waiting[heard] = None
        late = loop.create_task(self._ports.chain.until(chain_time), name="end of the service")
        try:
            await asyncio.wait((heard, late), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._waiting[heard]
            late.cancel()
            await asyncio.wait((late,))

    def _nudge(self) -> None:
        for heard in list(self._waiting):
            if not heard.done():
                heard.set_result(None)

    def _tell(self, order: Order, words: str) -> None:
        self._ports.events.publish("order.check", order.key, words)


def encoded_of(order: Order) -> Cid | None:
    """The verifiable dataset of an order whose result is good."""
    if order.at not in _GOOD or not isinstance(order.work, EncodeWork):
        return None
    return decode_receipt(order.result).encoded


def _work(order: Order) -> EncodeWork:
    if not isinstance(order.work, EncodeWork):
        raise Bug(f"the order {order.key} is not for coding")
    return order.work


def _name(order: Order) -> str:
    """Of what is kept for it."""
    return f"order {order.key}"
