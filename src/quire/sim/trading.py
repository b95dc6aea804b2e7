"""What a simulated node trades with: the services of `node/trading.py` over the market in memory.

A *trader* is what survives the lives of its node: the account, and the journal on its disk.
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.chain.values import Address
from quire.dataset.circuit import CircuitParameters
from quire.flow.prove import ProvePorts, Prover
from quire.market.availability import Availability
from quire.market.validation import Share
from quire.node.trading import Trading, join_selling, join_trading, join_validating
from quire.services.proof_maker import ProvingMeans
from quire.services.prover import Proofs
from quire.services.sale_ports import SaleSettings
from quire.sim.parts import Parts
from quire.sim.prover import SimProver
from quire.store.journal_memory import MemoryJournal


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
    market: MemoryMarket | None = None  # of the present life
    life: Trading | None = None

    def cut_off(self, is_so: bool) -> None:
        """Whether this node cannot reach the chain."""
        self.is_cut_off = is_so
        if self.market is not None:
            self.market.faults.is_unreachable = is_so


async def start_trading(parts: Parts, trader: Trader) -> Trading:
    """Everything that a trading node has, on what its last life left behind."""
    trader.journal = trader.journal.reopened()
    trading = trader.life = _join(parts, trader)
    await trading.start()
    await trading.follow()
    sales = trading.sales
    if trader.offer is not None and sales is not None and not sales.offers.ledger.accounts():
        await sales.offers.create(trader.offer)
    return trading


def _join(parts: Parts, trader: Trader) -> Trading:
    ground, joined = parts.ground.shared, parts.joined
    market = trader.market = MemoryMarket(trader.world, trader.account, ground.clock)
    market.faults.is_unreachable = trader.is_cut_off
    trading = join_trading(market, trader.journal, ground, joined)
    if trader.share is not None:
        join_validating(trading, trader.share, ground)
    if trader.offer is not None:
        join_selling(trading, _means(parts, trader), SaleSettings(), ground, joined)
    return trading


def _means(parts: Parts, trader: Trader) -> ProvingMeans:
    ground = parts.ground.shared
    proofs = Proofs(
        ProvePorts(parts.store, parts.joined.slot_files),
        ground.events,
        ground.waits,
        ground.clock,
        ground.rng,
        parts.joined.workers,
    )
    prover = SimProver(trader.circuit)

    async def the_prover() -> Prover:
        return prover

    return ProvingMeans(proofs, the_prover, parts.store.dataset)
