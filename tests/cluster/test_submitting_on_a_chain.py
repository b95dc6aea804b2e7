"""An aggregator on a real chain: real proofs of two hosts share transactions, are found in the
chain and paid over the channel."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from quire.aggregation.order import ENDS, At, Order
from quire.aggregation.values import Service
from quire.base.events import EventBus
from quire.chain.contract_config import ContractConfig
from quire.chain.dev_accounts import dev_account
from quire.chain.evm.opening import OpenMarket
from quire.kernels.groth16 import verify_batch
from quire.market.submit_policy import GATHERING
from quire.services.aggregating import submitting
from quire.services.aggregating.settings import AggregatorSettings
from quire.store.journal_memory import MemoryJournal
from support.pay_kit import Wire
from support.periods_town import SLOTS, Town, filled_slots, proving, town, until
from support.prove_kit import TINY
from support.submit_nodes import Access, Customer, Gatherer, Ground, Line

# Blocks come with transactions, so that a hundredth of a second is what they are thought to take.
CONFIG = ContractConfig(period=100, timeout=30, downtime=32, downtime_product=67)
PATIENT = replace(GATHERING, linger_blocks=500)
HOSTS, GATHERER = (2, 3), 4
PRICE, BOND = 50, 1000
SINGLE_GAS = 252_000  # docs/reference/gas.md


def access(opened: OpenMarket, number: int) -> Access:
    assert opened.hub is not None
    assert opened.bonds is not None
    return Access(opened.market, opened.hub, opened.bonds, dev_account(number).key)


class Side:
    """A host and what it orders."""

    def __init__(self, here: Town, ground: Ground, access: Access) -> None:
        self.here, self.ground, self.access = here, ground, access
        self.journal = MemoryJournal(here.clock)
        self.customer: Customer | None = None

    async def join(self, prover, feed) -> None:
        events = EventBus(self.here.clock)
        self.customer = Customer(
            self.ground, self.access, feed, self.journal, events, self.here.waits
        )
        prover.give_to(self.customer.delegation)
        await self.customer.start()

    @property
    def orders(self) -> list[Order]:
        return self.customer.orders.all() if self.customer else []

    @property
    def settled(self) -> list[Order]:
        return [order for order in self.orders if order.at is At.SETTLED]

    async def has_paid(self) -> bool:
        """On a busy machine also when an order came to nothing and the host sent itself."""
        return len(self.settled) >= SLOTS and all(order.at in ENDS for order in self.orders)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_proofs_of_two_hosts_share_transactions_and_are_paid(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(submitting, "GATHERING", PATIENT)
    async with (
        town(tmp_path, CONFIG) as here,
        here.opened(HOSTS[0]) as first,
        here.opened(HOSTS[1]) as second,
        here.opened(GATHERER) as third,
    ):
        ground = Ground(here.clock, random.Random(1), Line(), Wire(), third.hub.domain)
        key = (await here.circuits.prover(TINY)).verifying_key
        settings = AggregatorSettings((Service.SUBMIT,), submit_price=PRICE, bond=BOND)
        gatherer = Gatherer(
            ground, access(third, GATHERER), settings, lambda *batch: verify_batch(key, *batch)
        )
        await gatherer.bonds.deposit(100 * BOND)
        await gatherer.start()
        sides = [
            Side(here, ground, access(opened, number))
            for opened, number in zip((first, second), HOSTS, strict=True)
        ]
        slots = [
            await filled_slots(here, side.access.market, bytes([at]) * 32)
            for at, side in enumerate(sides)
        ]
        terms = third.market.terms
        period = terms.period_of((await third.market.head()).timestamp)
        await here.chain.warp(terms.period_end(period) + 1)
        async with (
            proving(here, first.market, sides[0].journal, slots[0], sides[0].join) as one,
            proving(here, second.market, sides[1].journal, slots[1], sides[1].join) as two,
        ):
            for side in sides:
                await until(side.has_paid, 200.0)
            for side, prover in zip(sides, (one, two), strict=True):
                assert prover.counts.transactions == len(side.orders) - len(side.settled)
        for side in sides:
            assert all("is in block" in order.checked for order in side.settled)
            paid = len(side.settled) * PRICE
            assert gatherer.payee.received(side.access.market.account) == paid
            await side.customer.stop()
        sent = sum(len(side.settled) for side in sides)
        assert sum(gatherer.batches) == sent
        assert gatherer.batches[0] >= 2
        told = [event for event in gatherer.events.history() if event.kind == "submitting.sent"]
        gas = sum(int(str(event.facts["gas"])) for event in told)
        assert gas < sent * SINGLE_GAS
        await gatherer.die()
