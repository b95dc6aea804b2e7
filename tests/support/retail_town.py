"""Clients and providers of sealed replicas in virtual time: real services on simulated machines.

    def test_...() -> None:
        async def scene(town: RetailTown) -> None:
            await town.providers(5)
            client = await town.client()
            file = await client.encrypt(40 * MIB)
            key = await client.put(file, redundancy=3)
            ...
        play(scene)

A node can be killed and started again: its disk, its journal and its keys survive.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from quire.base.events import Event
from quire.base.rng import seeded_rng
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld, Transaction
from quire.dataset.envelope.derive import repair_of
from quire.dataset.envelope.header import Header
from quire.flow.decrypt import EncryptedContent
from quire.flow.encrypt import Encryption, encrypted
from quire.formats.cap import ReadCap, RepairCap, Suite
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.identity import Identity
from quire.net.memory import MemoryNetwork
from quire.net.memory_channel import Link
from quire.node.keeping import Keeping
from quire.node.profile import Protocols
from quire.node.retail import Retail, RetailPorts, RetailSettings, join_client, join_retail
from quire.node.retail_choice import selection_secret
from quire.services.retail.offer_client import OfferClient
from quire.services.retail.providers import ProviderPorts, Providers
from quire.services.retail.replica_client import ReplicaClient
from quire.services.retail.upload_status import UploadStatus
from quire.services.retail.uploads import UploadOrder, Uploads
from quire.sim.clock import CALENDAR_START, SimClock
from quire.sim.loop import SimLoop, run
from quire.sim.net import Weather
from quire.sim.node import NodeSizes, SimNode, Surroundings
from quire.sim.parts import Parts
from quire.sim.rng import Streams
from quire.sim.tally import Tally
from quire.sim.trace import Trace
from quire.store.journal_memory import MemoryJournal
from support.memory_world import TERMS

T = TypeVar("T")
MIB = 1 << 20
TOKENS = 10**18
PROTOCOLS = Protocols(exchange="/quire/exchange/1.0.0", kad="/kad")


class SimChain(MemoryWorld):
    """Its time is that of the simulation; every transaction is in a block at once."""

    def __init__(self, clock: SimClock) -> None:
        super().__init__(TERMS, int(CALENDAR_START), automine=True)
        self._sim_clock = clock

    def send(self, transaction: Transaction) -> None:
        self.set_time(int(self._sim_clock.now()))
        super().send(transaction)


@dataclass
class EncryptedFile:
    """What a user put: the content and the capability of it."""

    content: bytes
    cap: ReadCap

    @property
    def repair(self) -> RepairCap:
        return repair_of(self.cap)


@dataclass
class TownNode:
    """One node through its lives. `deposit`: tokens of its account."""

    town: RetailTown
    sim: SimNode
    identity: Identity
    key: bytes
    journal: MemoryJournal
    retail: Retail | None = None
    events: list[Event] = field(default_factory=list)

    @property
    def peer(self) -> str:
        return self.sim.peer_id

    @property
    def account(self) -> bytes:
        return address_of(self.key)

    @property
    def parts(self) -> Parts:
        life = self.sim.life
        assert life is not None
        assert life.parts is not None
        return life.parts

    # ---- life ----

    async def start(self) -> None:
        self.journal = self.journal.reopened()
        await self.sim.start()

    async def stop(self) -> None:
        await self.sim.stop()

    def kill(self, notice_seconds: float = 0.0) -> None:
        """The process is gone at this instant."""
        self.sim.crash(loses_power=False, notice_seconds=notice_seconds)

    async def join(self, parts: Parts) -> Callable[[float], Awaitable[object]]:
        """What runs beside the parts of a node: payments, keeping."""
        ground, joined = parts.ground.shared, parts.joined
        ground.events.listen(self.events.append)
        hub = MemoryHub(self.town.chain, self.account, ground.clock)
        ports = RetailPorts(hub, self.journal, self.sign, joined.transport, PROTOCOLS)
        retail = self.retail = join_retail(ports, RetailSettings(), ground)
        client = ReplicaClient(retail.requests, PROTOCOLS.replica, ground.clock)
        choice = Providers(
            ProviderPorts(
                transport=joined.transport,
                finder=joined.finder,
                ask_offer=OfferClient(client, ground.clock).ask,
                domain=hub.domain,
                chain=hub.clock,
                journal=self.journal,
                clock=ground.clock,
                events=ground.events,
                waits=ground.waits,
            ),
            selection_secret(self.identity),
        )
        join_client(retail, choice, ports, self.identity, ground, joined)
        await retail.start()

        async def stop(_: float) -> None:
            await retail.stop()

        return stop

    def sign(self, digest: bytes) -> bytes:
        return sign_recoverable(self.key, digest)

    # ---- what users do ----

    @property
    def keeping(self) -> Keeping:
        assert self.retail is not None
        assert self.retail.keeping is not None
        return self.retail.keeping

    @property
    def uploads(self) -> Uploads:
        return self.keeping.uploads

    async def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """As the node: what it begins ends with it."""
        return await self.sim.call(lambda _: work())

    async def encrypt(self, size: int, seed: int = 0) -> EncryptedFile:
        """A random content of so many bytes, encrypted and put into the node's store."""
        rng = random.Random(f"{size}/{seed}")
        content = rng.randbytes(size)
        plan = Encryption.of(rng.randbytes(32), Suite.AES_256_GCM, Header(size, "a.bin"))

        async def source(start: int) -> AsyncGenerator[bytes, None]:
            yield content[start:]

        async def put() -> EncryptedFile:
            upload = self.parts.store.begin_upload(block_size=65536)
            async for piece in encrypted(plan, source):
                await upload.write(piece)
            dataset = await upload.commit()
            return EncryptedFile(content, plan.read_cap(dataset.manifest_cid))

        return await self.call(put)

    async def put(self, file: EncryptedFile, **order: Any) -> str:
        return await self.call(lambda: self.uploads.put(file.repair, UploadOrder(**order)))

    async def until_safe(self, key: str, seconds: float = 600.0) -> UploadStatus:
        deadline = self.sim.clock.monotonic() + seconds
        return await self.call(lambda: self.uploads.wait(key, deadline))

    async def read(self, cap: ReadCap, start: int = 0, stop: int | None = None) -> bytes:
        """The content of a file, by its capability, from the holders of its replicas."""
        retrieval, repair = self.keeping.retrieval, repair_of(cap)

        async def read() -> bytes:
            found = await retrieval.find(repair)
            async with retrieval.reading(repair, found) as file:
                size = found.manifest.dataset_size

                def part(low: int, high: int) -> AsyncGenerator[memoryview, None]:
                    return file.stream(low, high - low)

                opened = await EncryptedContent.open(cap, size, part)
                end = opened.size if stop is None else stop
                return b"".join([piece async for piece in opened.read(start, end, part)])

        return await self.call(read)

    def said(self, kind: str) -> list[str]:
        """The words of the events of a kind that this node has published."""
        return [event.message for event in self.events if event.kind == kind]


class RetailTown:
    """All nodes of one test. Build it inside the running loop."""

    def __init__(self, loop: SimLoop, seed: int) -> None:
        self.streams = Streams(seed)
        self.clock = SimClock(loop)
        tally = Tally()
        trace = Trace(self.clock)
        weather = Weather(self.streams, tally)
        weather.is_calm = True
        self.network = MemoryNetwork(self.clock, lambda _sender, _receiver: Link())
        self._around = Surroundings(loop, self.streams, self.network, weather, trace, tally)
        self.trace = trace
        self.chain = SimChain(self.clock)
        self.nodes: dict[str, TownNode] = {}
        self.hub_addresses: dict[str, bytes] = {}

    def add(self, name: str, *, disk_bytes: int = 512 * MIB, tokens: int = TOKENS) -> TownNode:
        """A node that is not started."""
        number = len(self.nodes) + 1
        address = f"/ip4/10.0.{number}.1/tcp/8070"
        sim = SimNode(name, address, self._around, NodeSizes(disk_bytes, disk_bytes))
        identity = Identity.of(self.streams.stream(f"{name}/identity").randbytes(32))
        sim.peer_id = identity.peer_id
        key = self.streams.stream(f"{name}/account").randbytes(32)
        node = TownNode(self, sim, identity, key, MemoryJournal(self.clock))
        self.chain.mint(node.account, tokens)
        sim.services = node.join
        for other in self.nodes.values():
            other.sim.neighbours = (*other.sim.neighbours, sim)
        sim.neighbours = tuple(other.sim for other in self.nodes.values())
        self.nodes[name] = node
        return node

    async def client(self, name: str = "client", **how: Any) -> TownNode:
        node = self.add(name, **how)
        await node.start()
        return node

    async def close(self) -> None:
        for node in self.nodes.values():
            if node.sim.life is not None:
                await node.stop()
            node.sim.close()


def play(scene: Callable[[RetailTown], Coroutine[Any, Any, None]], seed: int = 0) -> None:
    """A scene in virtual time; nothing may be left behind."""
    loop = SimLoop(seeded_rng(seed))

    async def main() -> None:
        town = RetailTown(loop, seed)
        try:
            await scene(town)
        finally:
            await town.close()

    run(loop, main())
    assert loop.failures == []
