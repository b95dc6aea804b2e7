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

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from quire.base.rng import seeded_rng
from quire.chain.memory.world import MemoryWorld, Transaction
from quire.net.identity import Identity
from quire.net.memory import MemoryNetwork
from quire.net.memory_channel import Link
from quire.services.providing.settings import ProviderSettings
from quire.sim.clock import CALENDAR_START, SimClock
from quire.sim.loop import SimLoop, run
from quire.sim.net import Weather
from quire.sim.node import NodeSizes, SimNode, Surroundings
from quire.sim.rng import Streams
from quire.sim.tally import Tally
from quire.sim.trace import Trace
from quire.store.journal_memory import MemoryJournal
from support.memory_world import TERMS
from support.retail_people import MIB, EncryptedFile, Keeper, TownNode

T = TypeVar("T")
T_Node = TypeVar("T_Node", bound="TownNode")
TOKENS = 10**18
DISK_BYTES = 512 * MIB


class _Wire(Link):
    """All wires of a town: as quick as thought, until they are slowed down."""

    bytes_per_second = 0.0

    def delay(self, size_bytes: int, now: float) -> float:
        return size_bytes / self.bytes_per_second if self.bytes_per_second else 0.0


class SimChain(MemoryWorld):
    """Its time is that of the simulation; every transaction is in a block at once."""

    def __init__(self, clock: SimClock) -> None:
        super().__init__(TERMS, int(CALENDAR_START), automine=True)
        self._sim_clock = clock

    def send(self, transaction: Transaction) -> None:
        self.set_time(int(self._sim_clock.now()))
        super().send(transaction)


class RetailTown:
    """All nodes of one test. Build it inside the running loop."""

    def __init__(self, loop: SimLoop, seed: int) -> None:
        self.streams = Streams(seed)
        self.clock = SimClock(loop)
        tally = Tally()
        trace = Trace(self.clock)
        weather = Weather(self.streams, tally)
        weather.is_calm = True
        self._wire = _Wire()
        self.network = MemoryNetwork(self.clock, lambda _sender, _receiver: self._wire)
        self._around = Surroundings(loop, self.streams, self.network, weather, trace, tally)
        self.trace = trace
        self.chain = SimChain(self.clock)
        self.nodes: dict[str, TownNode] = {}

    def add(self, name: str, *, tokens: int = TOKENS) -> TownNode:
        """A node that is not started. `tokens`: of its account, outside the hub."""
        return self._add(TownNode(self, self._sim(name), *self._keys(name)), tokens)

    def add_keeper(self, name: str, *, key: bytes | None = None, **settings: Any) -> Keeper:
        """A provider that is not started. `key`: of the account that is paid."""
        identity, own, journal = self._keys(name)
        terms = ProviderSettings(**{"price_byte_second": 1, "price_get_byte": 1,
                                    "fee_put_byte": 1, **settings})  # fmt: skip
        keeper = Keeper(self, self._sim(name), identity, key or own, journal, settings=terms)
        self._add(keeper, TOKENS)
        return keeper

    def _sim(self, name: str) -> SimNode:
        number = len(self.nodes) + 1
        sizes = NodeSizes(DISK_BYTES, DISK_BYTES)
        return SimNode(name, f"/ip4/10.{number}.0.1/tcp/8070", self._around, sizes)

    def _keys(self, name: str) -> tuple[Identity, bytes, MemoryJournal]:
        identity = Identity.of(self.streams.stream(f"{name}/identity").randbytes(32))
        return (
            identity,
            self.streams.stream(f"{name}/account").randbytes(32),
            MemoryJournal(self.clock),
        )

    def _add(self, node: T_Node, tokens: int) -> T_Node:
        sim = node.sim
        sim.peer_id = node.identity.peer_id
        self.chain.mint(node.account, tokens)
        sim.services = node.join
        sim.neighbours = tuple(other.sim for other in self.nodes.values())
        for other in self.nodes.values():
            other.sim.neighbours = (*other.sim.neighbours, sim)
        self.nodes[node.sim.name] = node
        return node

    def slow_down(self, bytes_per_second: float = 20e6) -> None:
        """From now on messages take their time."""
        self._wire.bytes_per_second = bytes_per_second

    async def providers(self, count: int, **settings: Any) -> list[Keeper]:
        """Providers P1, P2 ..., known to all that come after them."""
        found = []
        for number in range(1, count + 1):
            keeper = self.add_keeper(f"P{number}", **settings)
            await keeper.start()
            found.append(keeper)
        return found

    async def client(
        self, name: str = "client", *, tokens: int = TOKENS, deposit: int = TOKENS // 10
    ) -> TownNode:
        """A node with tokens, `deposit` of them in the hub."""
        node = self.add(name, tokens=tokens)
        await node.start()
        if deposit:
            await node.deposit(deposit)
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
    assert loop.failures == [], loop.failures


__all__ = ["MIB", "EncryptedFile", "Keeper", "RetailTown", "TownNode", "play"]
