"""Aggregators that make proofs, and a host that orders them: real protocols, jobs, orders, channels
and vouchers on a network and a chain in memory, in virtual time. Proofs are those of the simulator,
which take as long as they are told to, unless a scene brings a real prover."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from quire.aggregation.order import Order
from quire.aggregation.values import Service
from quire.base.clock import Clock
from quire.base.events import EventBus
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.chain.memory.clock import MemoryChainClock
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.world import MemoryWorld
from quire.dataset.proof_input import ProofInput
from quire.dataset.storage_proof import Claim
from quire.flow.prove import Prover
from quire.flow.workers import Workers
from quire.formats.aggregator import AggregatorRequest, decode_request
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.discovery import Finder
from quire.net.identity import Identity
from quire.net.known_peer import KnownPeer
from quire.net.memory import MemoryNetwork, MemoryTransport
from quire.node.parts import Ground
from quire.node.profile import load_profile
from quire.node.retail import RetailPorts, RetailSettings, join_retail
from quire.services.aggregating.aggregator import Aggregator, serve_aggregator
from quire.services.aggregating.ports import AggregatorPorts
from quire.services.aggregating.proving import Proving
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.ordering.affordable import Affordable
from quire.services.ordering.aggregator_client import AggregatorClient
from quire.services.ordering.aggregators import AggregatorPorts as ChoicePorts
from quire.services.ordering.aggregators import Aggregators
from quire.services.ordering.orders import Orders
from quire.services.ordering.ports import OrderPorts
from quire.services.ordering.proof_orders import ProofOrders, Verify
from quire.services.ordering.remote_prover import (
    OwnProver,
    RemotePorts,
    RemoteProver,
)
from quire.services.paying.payer import place_of
from quire.sim.clock import SimClock
from quire.sim.loop import SimLoop, run
from quire.sim.prover import SimProver, proof_of_public
from quire.store.journal_memory import MemoryJournal
from support.memory_world import RIGHT_NOW, TERMS
from support.offering import key_of
from support.proof_evidence import evidence
from support.prove_kit import ENTROPY, SMALL

PROTOCOLS = load_profile("quire").protocols
TOKENS = 10**12
PRICE = 1000
SECONDS = 10.0  # that a proof takes
PERIOD = 600.0  # that there is for one

Forge = Callable[[ProofInput, bytes | None], bytes]


def public_of(made: ProofInput, host: bytes | None) -> tuple[bytes, ...]:
    return Claim(made.entropy, made.dataset_root, made.slot_index, host).public()


class TimedWorkers:
    """Workers whose proofs take virtual time; with `forge`, they are what that says."""

    proofs_at_once = 1

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self.forge: Forge | None = None
        self.begun = self.made = self.cancelled = 0

    async def prove(
        self, prover: Prover, made: ProofInput, host: bytes | None
    ) -> tuple[bytes, tuple[bytes, ...]]:
        self.begun += 1
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.made += 1
        if self.forge is not None:
            return self.forge(made, host), public_of(made, host)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, prover.begin(made, host).run)


class Town:
    """The network, the chain, and the clock of everybody."""

    def __init__(self, clock: Clock, prover: Prover | None = None) -> None:
        self.clock = clock
        self.prover = prover or SimProver(SMALL)
        self.network = MemoryNetwork(clock)
        self.world = MemoryWorld(TERMS, RIGHT_NOW)
        self._chain = MemoryChainClock(self.world, clock)
        self.makers: list[Maker] = []

    def tick(self) -> None:
        """A block of now, by which everybody sets the clock that he goes by between blocks."""
        self.world.set_time(int(self._chain.now()) + 1)
        self.world.mine()

    async def maker(self, price: int = PRICE, **options: Any) -> Maker:
        """One more aggregator, open."""
        maker = Maker(self, len(self.makers), price, **options)
        self.makers.append(maker)
        await maker.open()
        return maker

    async def host(self, **options: Any) -> ProofHost:
        """Who orders, and knows all aggregators of now."""
        host = ProofHost(self, **options)
        await host.open()
        return host


class _Side:
    """A node with an account, whose journal outlives it."""

    def __init__(self, town: Town, name: str) -> None:
        self.town = town
        self.name = name
        self.key = key_of(f"account {name}")
        self.identity = Identity.of(key_of(f"peer {name}"))
        self.account = address_of(self.key)
        town.world.mint(self.account, TOKENS)
        self.hub = MemoryHub(town.world, self.account, town.clock)
        self.journal = MemoryJournal(town.clock)
        self.events = EventBus(town.clock)
        self.waits = Waits(town.clock)
        self.starts = 0

    @property
    def peer(self) -> str:
        return self.identity.peer_id

    def sign(self, digest: bytes) -> bytes:
        return sign_recoverable(self.key, digest)

    def join(self) -> None:
        """Transport and channels of a node that starts now."""
        self.town.tick()
        self.starts += 1
        clock = self.town.clock
        self.address = f"/memory/{self.name}"
        self.transport = MemoryTransport(self.town.network, self.peer, self.address)
        self.ground = Ground(clock, seeded_rng(self.starts), self.events, self.waits)
        ports = RetailPorts(self.hub, self.journal, self.sign, self.transport, PROTOCOLS)
        self.retail = join_retail(ports, RetailSettings(), self.ground)

    def said(self, kind: str) -> list[str]:
        return [event.message for event in self.events.history() if event.kind == kind]

    async def leave(self) -> None:
        await self.retail.stop()
        await self.transport.stop(self.town.clock.monotonic() + 5)


class Maker(_Side):
    """An aggregator that makes proofs. `requests`: what it was asked, oldest first."""

    def __init__(
        self,
        town: Town,
        number: int,
        price: int,
        *,
        seconds: float = SECONDS,
        workers: Workers | None = None,
    ) -> None:
        super().__init__(town, f"maker-{number}")
        self.price = price
        self.workers = TimedWorkers(seconds)
        self._works_with: Any = workers or self.workers
        self.requests: list[AggregatorRequest] = []
        self.bytes: list[bytes] = []

    async def open(self) -> None:
        self.join()
        clock = self.town.clock
        proving = Proving(
            self.town.prover,
            self._works_with,
            self.hub.clock,
            clock,
            self.waits,
        )
        ports = AggregatorPorts(
            journal=self.journal,
            hub=self.hub,
            income=self.retail.income,
            identity=self.identity,
            sign=self.sign,
            clock=clock,
            events=self.events,
            waits=self.waits,
        )
        settings = AggregatorSettings((Service.PROVE,), prove_price=self.price)
        self.aggregator = Aggregator(ports, settings, {Service.PROVE: proving})
        answer = self.aggregator.answer

        async def overheard(peer: str, payload: memoryview) -> Sequence[Any]:
            self.bytes.append(bytes(payload))
            self.requests.append(decode_request(bytes(payload)))
            return await answer(peer, payload)

        self.aggregator.answer = overheard  # type: ignore[method-assign]
        self.answering = serve_aggregator(self.transport, PROTOCOLS.aggregator, self.aggregator)
        await self.transport.start()
        await self.retail.start()
        await self.aggregator.start()

    async def close(self) -> None:
        """Gone; what it had in its journal stays."""
        await self.answering.stop()
        await self.aggregator.stop()
        await self.leave()

    @property
    def earned(self) -> int:
        """That the best voucher of the host promises."""
        return self.retail.income.received(HOST_ACCOUNT)


HOST_ACCOUNT = address_of(key_of("account host"))


class ProofHost(_Side):
    """A node that orders its proofs. `own`: what it has to prove with by itself; `max_price`: of a
    proof, 0: any."""

    def __init__(
        self,
        town: Town,
        *,
        own: TimedWorkers | None = None,
        via: Sequence[str] = (),
        max_price: int = 0,
        verify: Verify | None = None,
    ) -> None:
        super().__init__(town, "host")
        assert self.account == HOST_ACCOUNT
        self.own = own
        self.via = via
        self.max_price = max_price
        self.verify = verify or _verify

    async def open(self) -> None:
        self.join()
        clock = self.town.clock
        await self.transport.start()
        client = AggregatorClient(self.retail.requests, PROTOCOLS.aggregator, clock)
        rng = seeded_rng(self.starts)
        choice = ChoicePorts(
            own_peer=self.peer,
            finder=Finder(self.transport, clock, rng, self.events, waits=self.waits),
            client=client,
            domain=self.hub.domain,
            chain=self.hub.clock,
            journal=self.journal,
            clock=clock,
            events=self.events,
            waits=self.waits,
        )
        listed = [KnownPeer(each.peer, (each.address,)) for each in self.town.makers]
        self.choice = Aggregators(choice, listed=listed)
        self.orders = Orders(
            OrderPorts(
                client=client,
                choice=self.choice,
                payments=self.retail.payments,
                journal=self.journal,
                chain=self.hub.clock,
                clock=clock,
                events=self.events,
                waits=self.waits,
                place=place_of(self.hub),
            )
        )
        prover = self.town.prover
        handler = ProofOrders(
            prover.key_hash, self.verify, self.hub.clock, clock, self.waits, others=self.orders.all
        )
        self.orders.handle(Service.PROVE, handler)
        ports = RemotePorts(
            orders=self.orders,
            choice=Affordable(self.choice, self.max_price),
            account=self.account,
            chain=self.hub.clock,
            clock=clock,
            events=self.events,
            rng=rng,
        )
        workers: Any = self.own
        own = None if workers is None else OwnProver(prover, workers)
        self.prover = RemoteProver(ports, prover.parameters, handler, self.via, own)
        await self.retail.start()
        if self.starts == 1:
            await self.hub.deposit(10**9)
        await self.choice.start()
        await self.orders.start()
        self.prover.start()

    async def close(self) -> None:
        self.prover.stop()
        await self.orders.stop()
        await self.leave()

    async def prove(
        self, slot: int = 0, entropy: bytes = ENTROPY, *, seconds: float = PERIOD
    ) -> bytes:
        """The proof of a slot; it is right for what was asked, whoever made it."""
        ask, made = evidence(slot, entropy, self.town.prover.parameters)
        deadline = self.town.clock.monotonic() + seconds
        proof, public = await self.prover.order(ask, made, deadline)
        assert public == ask.claim.public()
        assert self.verify(b"".join(public), proof)
        return proof

    async def settled(self) -> list[Order]:
        """All orders, when the aggregators know how they ended."""
        async with asyncio.timeout(60):
            while any(not each.is_told for each in self.orders.all() if each.at != "settled"):
                await asyncio.sleep(0.05)
            while any(each.at == "paying" for each in self.orders.all()):
                await asyncio.sleep(0.05)
        return self.orders.all()


def _verify(public: bytes, proof: bytes) -> bool:
    words = [public[at : at + 32] for at in range(0, len(public), 32)]
    return proof == proof_of_public(words)


def play(scene: Callable[[Town], Coroutine[Any, Any, None]], prover: Prover | None = None) -> None:
    """A scene in virtual time."""
    evidence()
    loop = SimLoop(seeded_rng(1))

    async def whole() -> None:
        await scene(Town(SimClock(loop), prover))

    run(loop, whole())
