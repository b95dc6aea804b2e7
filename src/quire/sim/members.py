"""Nodes that pay and are paid on the chain in memory, and order of aggregators or are such: joined
by `node/` as real ones are. The proofs are those of the simulator, and take their time.

A *member* is what survives the lives of its node: the account, and the journal on its disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from quire.base.waits import Waits
from quire.chain.memory.bonds import MemoryBonds
from quire.chain.memory.faults import MarketFaults
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.chain.values import Address
from quire.dataset.circuit import CircuitParameters
from quire.dataset.proof_input import ProofInput
from quire.flow.prove import AnyProver, ProvePorts, Prover
from quire.formats.aggregator_codes import Service
from quire.kernels.signing import address_of, sign_recoverable
from quire.market.availability import Availability
from quire.market.validation import Share
from quire.net.identity import Identity
from quire.net.known_peer import KnownPeer
from quire.node.aggregating import Able, join_aggregating
from quire.node.aggregation import Aggregation
from quire.node.aggregation_join import join_ordering
from quire.node.profile import Protocols
from quire.node.retail import Retail, RetailPorts, RetailSettings, join_retail
from quire.node.trading import Trading, join_selling, join_trading, join_validating
from quire.services.aggregating.aggregator import Aggregator
from quire.services.aggregating.proof_checks import ProofChecks
from quire.services.aggregating.proving import Proving
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.aggregating.submitting import Submitting, SubmittingPorts
from quire.services.ordering.delegation import Delegation, DelegationPorts
from quire.services.ordering.proof_orders import ProofOrders
from quire.services.ordering.remote_prover import (
    OwnProver,
    RemotePorts,
    RemoteProver,
)
from quire.services.proof_maker import ProvingMeans
from quire.services.prover import Proofs
from quire.services.sale_ports import SaleSettings
from quire.services.workers.local import LocalWorkers
from quire.sim.executor import SimExecutor
from quire.sim.liar import Liar, turn
from quire.sim.parts import Parts
from quire.sim.prover import SimProver, bad_in_batch, holds
from quire.store.journal_memory import MemoryJournal

OUTSIDE_AT_ONCE = 8  # as a real node
PROTOCOLS = Protocols(exchange="/quire/exchange/1.0.0", kad="/kad")

Sign: TypeAlias = Callable[[bytes], bytes]
Forge: TypeAlias = Callable[[ProofInput, bytes | None], bytes]


class TimedWorkers(LocalWorkers):
    """Their proofs take as long as they are told to; with `forge`, they are what that says."""

    def __init__(self, waits: Waits, seconds: float, forge: Forge | None = None) -> None:
        super().__init__(waits, proving=SimExecutor(1), proofs_at_once=1)
        self._seconds = seconds
        self._forge = forge

    async def prove(
        self, prover: Prover, made: ProofInput, host: bytes | None
    ) -> tuple[bytes, tuple[bytes, ...]]:
        await asyncio.sleep(self._seconds)
        proof, public = await super().prove(prover, made, host)
        return (proof if self._forge is None else self._forge(made, host)), public


@dataclass(frozen=True, slots=True)
class Hosting:
    """A host. `own_seconds`: that a proof takes on this node; None: it cannot make any."""

    offer: Availability
    own_seconds: float | None


@dataclass(slots=True)
class Gathering:
    """An aggregator. `way`: what it is like, in words.

    seconds  that a proof takes
    goes     it may be gone for good
    forge    the proofs that it makes instead of right ones
    sign     with what it signs promises, made of how it should
    market   what it reaches the chain with
    lie      of what it codes (liar.LIES); "": none
    """

    settings: AggregatorSettings
    seconds: float
    way: str = "honest"
    goes: bool = False
    forge: Forge | None = None
    sign: Callable[[Sign], Sign] = lambda sign: sign
    market: type[MemoryMarket] = MemoryMarket
    lie: str = ""

    def __str__(self) -> str:
        coding = f", lies about the {self.lie} of what it codes" if self.lie else ""
        stays = ", may be gone" if self.goes else ""
        return f"{self.way}, {self.seconds:.0f} s for a proof{coding}{stays}"


@dataclass(slots=True)
class Life:
    """What a member has while its node runs."""

    trading: Trading
    retail: Retail
    aggregation: Aggregation


@dataclass(slots=True)
class Member:
    """One account and what its node does with it; a host, an aggregator, a validator or none."""

    name: str
    key: bytes
    chain: MemoryWorld
    circuit: CircuitParameters
    journal: MemoryJournal
    aggregators: Sequence[KnownPeer] = ()
    hosting: Hosting | None = None
    gathering: Gathering | None = None
    share: Share | None = None
    faults: MarketFaults = field(default_factory=MarketFaults)
    life: Life | None = None
    on_joined: Callable[[Member], None] = lambda _: None

    @property
    def account(self) -> Address:
        return address_of(self.key)

    @property
    def identity(self) -> Identity:
        return Identity.of(self.key)

    def sign(self, digest: bytes) -> bytes:
        return sign_recoverable(self.key, digest)

    def fence(self) -> None:
        """What a life that has ended still writes is lost."""
        self.journal, self.life = self.journal.reopened(), None

    async def join(self, parts: Parts) -> Callable[[float], Awaitable[object]]:
        """Everything that it has, on what its last life left behind; what stops that."""
        self.journal = self.journal.reopened()
        life = self.life = self._joined(parts)
        self.on_joined(self)
        await life.trading.start()
        await life.retail.start()
        await life.aggregation.start()
        await life.trading.follow()
        sales, hosting = life.trading.sales, self.hosting
        if sales is not None and hosting is not None and not sales.offers.ledger.accounts():
            await sales.offers.create(hosting.offer)

        async def stop(_: float) -> None:
            await life.aggregation.stop()
            await life.retail.stop()
            await life.trading.stop()

        return stop

    # ---- inside ----

    def _joined(self, parts: Parts) -> Life:
        ground, joined, chain = parts.ground.shared, parts.joined, self.chain
        of_market = MemoryMarket if self.gathering is None else self.gathering.market
        market = of_market(chain, self.account, ground.clock)
        hub = MemoryHub(chain, self.account, ground.clock)
        bonds = MemoryBonds(chain, self.account, ground.clock)
        for port in (market, hub, bonds):
            port.faults = self.faults
        trading = join_trading(market, self.journal, ground, joined)
        ports = RetailPorts(hub, self.journal, self.sign, joined.transport, PROTOCOLS)
        retail = join_retail(ports, RetailSettings(), ground)
        rest = (self.identity, ground, joined)
        aggregation = join_ordering(
            ports, retail, trading.purchases, *rest, Path("unused"), self.aggregators
        )
        aggregation.bonds = bonds
        life = Life(trading, retail, aggregation)
        if self.share is not None:
            join_validating(trading, self.share, ground)
        if self.hosting is not None:
            self._join_hosting(parts, life, self.hosting)
        if self.gathering is not None:
            able = self._able(parts, life, self.gathering)
            aggregator = join_aggregating(ports, retail, self.gathering.settings, able, *rest)
            aggregation.serve(aggregator, ports)
            aggregation.submitting = able.submitting
            if self.gathering.lie:
                self._lie(parts, life, aggregator, self.gathering.lie)
        return life

    def _join_hosting(self, parts: Parts, life: Life, hosting: Hosting) -> None:
        """Proofs are made and submitted by others; it sells."""
        ground, joined = parts.ground.shared, parts.joined
        trading, aggregation, hub = life.trading, life.aggregation, life.retail.hub
        own_prover = SimProver(self.circuit)
        handler = ProofOrders(own_prover.key_hash, holds, hub.clock, ground.clock, ground.waits)
        aggregation.orders.handle(Service.PROVE, handler)
        own = None
        if hosting.own_seconds is not None:
            workers = TimedWorkers(ground.waits, hosting.own_seconds)
            own = OwnProver(own_prover, workers)
        remote = aggregation.prover = RemoteProver(
            RemotePorts(
                orders=aggregation.orders,
                choice=aggregation.aggregators,
                account=self.account,
                chain=hub.clock,
                clock=ground.clock,
                events=ground.events,
                rng=ground.rng,
            ),
            self.circuit,
            handler,
            own=own,
        )

        async def the_prover() -> AnyProver:
            return remote

        proofs = Proofs(
            ProvePorts(parts.store, joined.slot_files),
            ground.events,
            ground.waits,
            ground.clock,
            ground.rng,
            joined.workers,
            outside_at_once=OUTSIDE_AT_ONCE,
        )
        means = ProvingMeans(proofs, the_prover, parts.store.dataset)
        join_selling(trading, means, SaleSettings(), ground, joined)
        assert trading.feed is not None
        assert trading.prover is not None
        assert aggregation.bonds is not None
        aggregation.delegation = Delegation(
            DelegationPorts(
                market=trading.market,
                bonds=aggregation.bonds,
                feed=trading.feed,
                orders=aggregation.orders,
                choice=aggregation.aggregators,
                rng=ground.rng,
                events=ground.events,
            )
        )
        trading.prover.give_to(aggregation.delegation)

    def _lie(self, parts: Parts, life: Life, aggregator: Aggregator, lie: str) -> None:
        domain = life.retail.hub.domain
        turn(aggregator, lambda doer: Liar(doer, parts.store, self.sign, domain, lie))

    def _able(self, parts: Parts, life: Life, gathering: Gathering) -> Able:
        """What it does besides coding."""
        ground, trading = parts.ground.shared, life.trading
        assert trading.feed is not None
        assert life.aggregation.bonds is not None
        able = Able({}, {})
        workers = TimedWorkers(ground.waits, gathering.seconds, gathering.forge)
        able.doers[Service.PROVE] = Proving(
            SimProver(self.circuit), workers, trading.market.clock, ground.clock, ground.waits
        )
        able.submitting = able.doers[Service.SUBMIT] = Submitting(
            SubmittingPorts(
                market=trading.market,
                bonds=life.aggregation.bonds,
                feed=trading.feed,
                checks=ProofChecks(bad_in_batch, ground.rng),
                sign=gathering.sign(self.sign),
                jobs=able.jobs,
                clock=ground.clock,
                events=ground.events,
                waits=ground.waits,
            )
        )
        return able
