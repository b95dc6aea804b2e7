"""Live nodes in memory of which one orders ENCODE and others do it, honestly or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from quire.aggregation.job import Job
from quire.aggregation.order import At, Order
from quire.base.clock import SystemClock
from quire.chain.memory.world import MemoryWorld
from quire.flow.upload import UploadOrder
from quire.formats.aggregator_codes import Service
from quire.formats.cid import Cid
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.memory import MemoryNetwork
from quire.services.aggregating.doer import Doer
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.ordering.aggregators import Aggregators
from quire.services.ordering.encoding import Encoding
from quire.services.ordering.orders import Orders
from quire.sim.liar import Liar, turn
from quire.store.journal_memory import MemoryJournal
from support.live import memory_network
from support.memory_store import random_bytes
from support.memory_world import RIGHT_NOW, TERMS
from support.retail_nodes import RetailNode, introduce, retail_node

CLIENT_KEY, CODER_KEY, SECOND_KEY = (bytes([number]) * 32 for number in (0x51, 0x52, 0x53))
PRICE = AggregatorSettings((Service.ENCODE,), encode_price=1 << 30, first_percent=60)
BLOCK = 4096


@dataclass
class Town:
    """A customer and those who code for it."""

    world: MemoryWorld
    network: MemoryNetwork
    directory: Path
    clients: AsyncExitStack
    journal: MemoryJournal
    coders: list[RetailNode] = field(default_factory=list)

    async def open_client(self) -> None:
        """It runs, with the journal that it has."""
        node = retail_node(
            self.directory / "client", self.world, CLIENT_KEY, self.network, journal=self.journal
        )
        self.client = await self.clients.enter_async_context(node)
        for coder in self.coders:
            await introduce(self.client, coder)

    async def restart_client(self) -> None:
        await self.clients.aclose()
        self.journal = self.journal.reopened()
        await self.open_client()

    @property
    def encoding(self) -> Encoding:
        return self.client.aggregation.encoding

    @property
    def orders(self) -> Orders:
        return self.client.aggregation.orders

    @property
    def aggregators(self) -> Aggregators:
        return self.client.aggregation.aggregators

    def job(self, coder: RetailNode, key: str) -> Job:
        """What a coder has of an order."""
        assert coder.aggregation.jobs is not None
        job = coder.aggregation.jobs.find(bytes.fromhex(key))
        assert job is not None
        return job

    async def offers_of(self, cheap: RetailNode, dearer: RetailNode) -> str:
        """From now on one asks more than the other; the peer of the cheaper one."""
        assert dearer.aggregation.aggregator is not None
        offering = dearer.aggregation.aggregator.offering
        offering.settings = replace(offering.settings, encode_price=1 << 32)
        return cheap.peer

    async def dataset(self, size: int, seed: int = 1, block_size: int = BLOCK) -> Cid:
        """At the client."""
        order = UploadOrder(block_size, filename="a file.bin", mimetype="text/plain")
        data = random_bytes(size, seed)
        return (await self.client.node.uploads.run(pieces(data), order)).manifest_cid

    def promised(self, coder: RetailNode) -> int:
        """The sum of all vouchers to a coder."""
        channel = self.client.retail.payments.channel(coder.hub.account)
        return 0 if channel is None else channel.promised

    async def until(self, key: str, at: At) -> Order:
        while self.orders.get(key).at is not at:
            await asyncio.sleep(0.005)
        return self.orders.get(key)

    async def until_told(self, key: str) -> Order:
        """The order as it ended, when its end was told."""
        while not self.orders.get(key).is_told:
            await asyncio.sleep(0.005)
        return self.orders.get(key)

    def pass_time(self, seconds: int) -> None:
        self.world.set_time(int(self.client.hub.clock.now()) + seconds)
        self.world.mine()


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def lying(lie: str, key: bytes = CODER_KEY, **options: bool) -> Callable[[RetailNode], None]:
    """Makes of a doer one that lies; `key` signs."""

    def of(coder: RetailNode) -> None:
        def wrap(honest: Doer) -> Doer:
            sign = partial(sign_recoverable, key)
            return Liar(honest, coder.node.store, sign, coder.hub.domain, lie, **options)

        assert coder.aggregation.aggregator is not None
        turn(coder.aggregation.aggregator, wrap)

    return of


@asynccontextmanager
async def town(
    directory: Path, coders: tuple[bytes, ...] = (CODER_KEY,), settings: AggregatorSettings = PRICE
) -> AsyncGenerator[Town, None]:
    """A client with money in the hub, and a coder for each key, connected."""
    world, network = MemoryWorld(TERMS, RIGHT_NOW), memory_network()
    for key in (CLIENT_KEY, *coders):
        world.mint(address_of(key), 10**15)
    async with AsyncExitStack() as stack:
        clients = await stack.enter_async_context(AsyncExitStack())
        it = Town(world, network, directory, clients, MemoryJournal(SystemClock()))
        for number, key in enumerate(coders):
            node = retail_node(
                directory / f"coder{number}", world, key, network, aggregating=settings
            )
            it.coders.append(await stack.enter_async_context(node))
        await it.open_client()
        await it.client.hub.deposit(10**12)
        yield it
