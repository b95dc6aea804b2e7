"""What a simulated node trades with: production services over the market in memory.

A *trader* is what survives the lives of its node: the account, and the journal on its disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.chain.port import Batch
from quire.chain.values import Address
from quire.dataset.circuit import CircuitParameters
from quire.flow.prove import ProvePorts, Prover
from quire.market.availability import Availability
from quire.market.validation import Share
from quire.services.first_proof import FirstProofs
from quire.services.period_prover import PeriodProver
from quire.services.proof_maker import ProvingMeans
from quire.services.prover import Proofs
from quire.services.purchasing import PurchasePorts, Purchases
from quire.services.selling import SalePorts, Sales
from quire.services.slot_keeping import KeepingPorts, SlotKeeping
from quire.services.validating import Validator
from quire.sim.executor import SimExecutor
from quire.sim.parts import Parts
from quire.sim.prover import SimProver
from quire.store.journal_memory import MemoryJournal

PROVERS = 1  # at a time


class SimFeed:
    """Follows the chain once for a node."""

    def __init__(self, market: MemoryMarket) -> None:
        self._market = market
        self._listeners: list[Callable[[Batch], Awaitable[None]]] = []
        self._task: asyncio.Task[None] | None = None

    def listen(self, listener: Callable[[Batch], Awaitable[None]]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="feed")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        async for batch in self._market.follow(None):
            for listener in list(self._listeners):
                await listener(batch)


@dataclass(slots=True)
class Trader:
    """One account and what its node does with it. `offer`: what it sells from its first life on."""

    name: str
    account: Address
    world: MemoryWorld
    circuit: CircuitParameters
    journal: MemoryJournal
    offer: Availability | None = None
    share: Share | None = None  # of a validator
    is_cut_off: bool = False  # from the chain
    life: Trading | None = None

    def cut_off(self, is_so: bool) -> None:
        """Whether this node cannot reach the chain."""
        self.is_cut_off = is_so
        if self.life is not None:
            self.life.market.faults.is_unreachable = is_so


@dataclass(slots=True)
class Trading:
    """The services of one life."""

    market: MemoryMarket
    feed: SimFeed
    proofs: Proofs
    periods: PeriodProver
    sales: Sales
    purchases: Purchases
    validator: Validator | None
    stops: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    async def stop(self, _deadline: float) -> None:
        """Newest first."""
        while self.stops:
            await self.stops.pop()()


async def start_trading(parts: Parts, trader: Trader) -> Trading:
    """Everything that a trading node has, on what its last life left behind."""
    trader.journal = trader.journal.reopened()
    trading = trader.life = _join(parts, trader)
    for start, stop in (
        (None, trading.proofs.stop),
        (trading.periods.start, trading.periods.stop),
        (trading.sales.start, trading.sales.stop),
        (trading.purchases.start, trading.purchases.stop),
    ):
        if start is not None:
            await start()
        trading.stops.append(stop)
    trading.feed.listen(trading.purchases.hear)
    if trading.validator is not None:
        await trading.validator.start()
        trading.stops.append(trading.validator.stop)
    if trader.offer is not None and not trading.sales.offers.ledger.accounts():
        await trading.sales.offers.create(trader.offer)
    trading.feed.start()
    trading.stops.append(trading.feed.stop)
    return trading


def _join(parts: Parts, trader: Trader) -> Trading:
    shared, joined = parts.ground.shared, parts.joined
    clock, rng, events, waits = shared.clock, shared.rng, shared.events, shared.waits
    market = MemoryMarket(trader.world, trader.account, clock)
    market.faults.is_unreachable = trader.is_cut_off
    feed = SimFeed(market)
    proofs = Proofs(
        ProvePorts(parts.store, joined.slot_files),
        events,
        waits,
        clock,
        rng,
        executor=SimExecutor(PROVERS, parts.ground.machine.pace),
        at_once=PROVERS,
    )
    prover = SimProver(trader.circuit)

    async def the_prover() -> Prover:
        return prover

    means = ProvingMeans(proofs, the_prover, parts.store.dataset)
    journal = trader.journal
    periods = PeriodProver(market, means, feed, journal, clock=clock, events=events, waits=waits)
    keeping = KeepingPorts(parts.store, joined.fetches, joined.slot_holds, joined.rebuilds)
    sale_ports = SalePorts(
        market,
        journal,
        feed,
        SlotKeeping(keeping, clock, market.clock, events),
        FirstProofs(market, means, clock),
        periods,
        parts.store,
    )
    sales = Sales(sale_ports, clock=clock, rng=rng, events=events, waits=waits)
    purchases = Purchases(
        PurchasePorts(
            market,
            journal,
            parts.store,
            joined.fetches,
            joined.protections,
            events,
            waits,
            clock,
            rng,
        )
    )
    validator = None
    if trader.share is not None:
        validator = Validator(market, feed, journal, share=trader.share, events=events)
    return Trading(market, feed, proofs, periods, sales, purchases, validator)
