"""Hosts that prove with real proofs on a real chain: its contracts, their data, their lives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from quire.base.clock import SystemClock
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.abi import address_text, request_id, slot_id
from quire.chain.contract_config import ContractConfig
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain
from quire.chain.evm.opening import MarketSettings, OpenMarket, open_market
from quire.chain.port import Market
from quire.chain.values import Ask, Content, StorageRequest
from quire.chain.wallet import Wallet
from quire.flow.prove import verification_of
from quire.services.circuit_files import CircuitPlaces
from quire.services.circuits import Circuits
from quire.services.first_proof import FirstProofs
from quire.services.market_feed import MarketFeed
from quire.services.market_key import key_for_market
from quire.services.period_prover import PeriodProver
from quire.services.proof_maker import ProvingMeans
from quire.services.prover import Proofs
from quire.services.workers.local import LocalWorkers
from quire.store.journal_memory import MemoryJournal
from support.local_chain import deployed_chain
from support.prove_kit import TINY, Protected, protected_in, tiny_keys

# 14 blocks of a second in a period and its timeout, less than the downtime.
CONFIG = ContractConfig(period=9, timeout=5, downtime=16, downtime_product=17)
CLIENT, HOST, VALIDATOR = 1, 2, 3
SLOTS = 3  # of five, that the host fills


@dataclass
class Town:
    chain: DevChain
    contract: str
    hub: str
    bonds: str
    held: Protected
    circuits: Circuits
    clock: SystemClock
    events: EventBus
    waits: Waits
    proofs: Proofs

    @asynccontextmanager
    async def opened(self, account: int) -> AsyncIterator[OpenMarket]:
        """All contracts, for one of the chain's accounts."""
        settings = MarketSettings(self.chain.url, self.contract, hub=self.hub, bonds=self.bonds)
        opened = await open_market(settings, Wallet(dev_account(account).key), self.clock)
        try:
            yield opened
        finally:
            await opened.stop()

    @asynccontextmanager
    async def market(self, account: int) -> AsyncIterator[Market]:
        async with self.opened(account) as opened:
            yield opened.market

    def told(self, kind: str) -> list[str]:
        return [event.message for event in self.events.history() if event.kind == kind]


@asynccontextmanager
async def town(directory: Path, config: ContractConfig = CONFIG) -> AsyncIterator[Town]:
    circuits = Circuits(CircuitPlaces(tiny_keys(), TINY))
    key = (await circuits.prover(TINY)).verifying_key
    clock = SystemClock()
    events, waits = EventBus(clock), Waits(clock)
    workers = LocalWorkers(waits, proofs_at_once=1)
    async with protected_in(directory) as held, deployed_chain(config, key.words) as (chain, where):
        proofs = Proofs(held.ports, events, waits, clock, random.Random(1), workers)
        contracts = [address_text(each) for each in (where.marketplace, where.hub, where.bonds)]
        try:
            yield Town(chain, *contracts, held, circuits, clock, events, waits, proofs)
        finally:
            await proofs.stop()
            await workers.stop()


@asynccontextmanager
async def proving(
    town: Town,
    market: Market,
    journal: MemoryJournal,
    slots: dict[int, bytes],
    join: Callable[[PeriodProver, MarketFeed], Awaitable[None]] | None = None,
):
    """A life of the host. `join`: begins what else lives on its node."""
    feed = MarketFeed(market, journal, town.events, town.clock)
    prover = partial(key_for_market, town.circuits, TINY, market.terms)
    means = ProvingMeans(town.proofs, prover, town.held.store.dataset)
    service = PeriodProver(
        market, means, feed, journal, clock=town.clock, events=town.events, waits=town.waits
    )
    if join is not None:
        await join(service, feed)
    await service.start()
    await feed.start()
    for index, slot in slots.items():
        service.watch(slot, town.held.dataset.manifest_cid, index, 1 << 40)
    try:
        yield service
    finally:
        await feed.stop()
        await service.stop()


async def filled_slots(town: Town, host: Market, nonce: bytes = bytes(32)) -> dict[int, bytes]:
    """Slots of a request that the host has filled, by index."""
    cid = town.held.dataset.manifest_cid
    root = verification_of(town.held.dataset.manifest).verify_root.digest
    async with town.market(CLIENT) as client:
        ask = Ask(1, 1, 10, 5, 4096, 3000, 5)
        request = StorageRequest(client.account, ask, Content(cid.encode(), root), 900, nonce)
        await client.request_storage(request)
    identity = request_id(request)
    prover = partial(key_for_market, town.circuits, TINY, host.terms)
    means = ProvingMeans(town.proofs, prover, town.held.store.dataset)
    first = FirstProofs(host, means, town.clock)
    slots = {index: slot_id(identity, index) for index in range(SLOTS)}
    for index in slots:
        await host.reserve_slot(identity, index)

    async def fill(index: int) -> None:
        proof, _ = await first.make(slots[index], cid, index, is_again=False)
        await host.fill_slot(identity, index, proof)

    await asyncio.gather(*(fill(index) for index in slots))
    return slots


async def until(is_so: Callable[[], Awaitable[bool]], seconds: float = 90.0) -> None:
    async with asyncio.timeout(seconds):
        while not await is_so():
            await asyncio.sleep(0.1)
