"""Hosts whose proofs aggregators submit: a market, a hub and bonds in memory, on virtual time.

The services are the real ones on both sides (submit_nodes).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quire.aggregation.order import ENDS, Order
from quire.aggregation.values import Service, SubmitWork
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.memory.bonds import MemoryBonds
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.market import MemoryMarket
from quire.formats.aggregator import AggregatorAnswer
from quire.kernels.signing import address_of
from quire.point.choice_port import Outcome
from quire.services.aggregating.settings import AggregatorSettings
from quire.services.ordering.orders import Orders
from quire.services.period_prover import PeriodProver
from quire.sim.loop import SimLoop, run
from quire.store.journal_memory import MemoryJournal
from support.market_terms import TERMS
from support.offering import key_of
from support.pay_kit import Wire
from support.period_kit import BLOCK_SECONDS, TOKENS, Bench, FakeProofs, Host, proof_for
from support.submit_nodes import Access, Choosing, Customer, Gatherer, Ground, Line

PRICE, BOND, BONDED = 50, 1000, 100_000


def bad_proofs(items: Sequence[tuple[bytes, bytes]], _seed: bytes) -> list[int]:
    """As kernels.groth16.verify_batch, for the proofs of this bench."""
    found = []
    for at, (public, proof) in enumerate(items):
        words = [public[i : i + 32] for i in range(0, len(public), 32)]
        if proof != proof_for(words):
            found.append(at)
    return found


@dataclass
class Weak(Host):
    """A host that lets others submit."""

    ground: Ground | None = None
    access: Access | None = None
    via: tuple[str, ...] = ()
    customer: Customer | None = None

    @property
    def peer(self) -> str:
        return self.access.identity.peer_id

    @property
    def orders(self) -> Orders:
        return self.customer.orders

    @property
    def choice(self) -> Choosing:
        return self.customer.choice

    async def join(self, prover: PeriodProver) -> None:
        choice = self.customer.choice if self.customer else None
        self.customer = Customer(
            self.ground,
            self.access,
            self.feed,
            self.journal,
            self.events,
            self.waits,
            choice,
            self.via,
        )
        prover.give_to(self.customer.delegation)
        await self.customer.start()

    async def leave(self) -> None:
        await self.customer.stop()

    def ends(self) -> list[str]:
        """How its orders stand, the oldest first."""
        return [order.at.value for order in self.orders.all()]

    def outcomes(self) -> set[Outcome]:
        """What was reported of aggregators."""
        return {outcome for _, outcome, _ in self.choice.reports}

    def order_of(self, slot: bytes, period: int) -> Order:
        return next(
            order
            for order in self.orders.all()
            if isinstance(order.work, SubmitWork)
            and (order.work.slot_id, order.work.period) == (slot, period)
        )


class Fleet(Bench):
    """A bench with hosts that are weak and aggregators."""

    def __init__(self, loop: SimLoop, terms: Any, block_seconds: int, seed: bytes) -> None:
        super().__init__(loop, terms, block_seconds, seed)
        self.line = Line()
        self.ground = Ground(self.clock, random.Random(seed), self.line, Wire(), self.world.hub)

    def access(self, name: str) -> Access:
        """An account with tokens."""
        key = key_of(name)
        account = address_of(key)
        self.world.mint(account, TOKENS)
        return Access(
            MemoryMarket(self.world, account, self.clock),
            MemoryHub(self.world, account, self.clock),
            MemoryBonds(self.world, account, self.clock),
            key,
        )

    def weak(self, seconds: float = 1.0, via: tuple[str, ...] = ()) -> Weak:
        self._accounts += 1
        access = self.access(f"host {self._accounts}")
        proofs, events = FakeProofs(self.clock, seconds), EventBus(self.clock)
        journal, waits = MemoryJournal(self.clock), Waits(self.clock)
        parts = (access.market, journal, proofs, events, waits)
        return Weak(self, *parts, ground=self.ground, access=access, via=via)

    async def gatherer(self, name: str = "gatherer", **settings: Any) -> Gatherer:
        """With a bond, started."""
        terms = AggregatorSettings((Service.SUBMIT,), submit_price=PRICE, bond=BOND)
        gatherer = Gatherer(self.ground, self.access(name), replace(terms, **settings), bad_proofs)
        await gatherer.bonds.deposit(BONDED)
        await gatherer.start()
        return gatherer

    async def weak_hosts(self, count: int, seconds: float = 1.0) -> list[Weak]:
        """Each with the slots of one request, started."""
        hosts = [self.weak(seconds) for _ in range(count)]
        for host in hosts:
            await self.fill(host)
            await host.start()
        return hosts

    async def until(self, fact: Callable[[], bool], periods: int = 4) -> None:
        """A second after it has come true."""
        end = self.clock.monotonic() + periods * self.terms.period
        while not fact():
            assert self.clock.monotonic() < end, "it did not come true"
            await asyncio.sleep(1.0)

    def answers(self, kind: type) -> list[AggregatorAnswer]:
        """What was answered to requests of a kind, so far."""
        return [answer for _, request, answer in self.line.asked if type(request.body) is kind]

    async def quiet(self, hosts: Sequence[Weak]) -> None:
        """Until no order is under way any more."""
        await self.until(lambda: all(o.at in ENDS for h in hosts for o in h.orders.all()), 10**4)

    def paid(self, host: Weak, gatherer: Gatherer) -> int:
        """What the host has promised to the aggregator since ever."""
        return gatherer.payee.received(host.market.account)


def run_fleet(
    story: Callable[[Fleet], Coroutine[Any, Any, None]],
    *,
    seed: int = 1,
    block_seconds: int = BLOCK_SECONDS,
    **terms: Any,
) -> None:
    """As period_kit.run_bench."""
    loop = SimLoop(random.Random(seed))

    async def main() -> None:
        fleet = Fleet(loop, replace(TERMS, **terms), block_seconds, seed.to_bytes(8, "big"))
        await fleet.blocks(2)
        await story(fleet)

    run(loop, main())
    assert not loop.failures, loop.failures
