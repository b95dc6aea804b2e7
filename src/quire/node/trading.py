"""The parts of a node that trades on a chain: how they are joined, started and stopped.

market (chain) ─► feed ─► purchases, proofs of periods, sales, validator
                                └──────── journal ────────┘
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from quire.chain.abi import parse_address
from quire.chain.evm.opening import OpenMarket, open_market
from quire.chain.port import Market
from quire.market.repair_turn import is_lazy
from quire.market.validation import Share
from quire.node.chain_settings import (
    market_settings,
    open_account,
    validator_share,
    wants_chain,
)
from quire.node.config import NodeConfig
from quire.node.means import open_means, open_remote
from quire.node.parts import Ground, Parts
from quire.node.profile import Profile
from quire.node.proving import Proving
from quire.node.remote_proving import RemoteProving
from quire.services.first_proof import FirstProofs
from quire.services.market_feed import MarketFeed
from quire.services.period_prover import PeriodProver
from quire.services.proof_maker import ProvingMeans
from quire.services.purchasing import PurchasePorts, Purchases
from quire.services.repair_opener import RepairOpener
from quire.services.sale_ports import SaleSettings
from quire.services.selling import SalePorts, Sales
from quire.services.slot_keeping import KeepingPorts, SlotKeeping
from quire.services.validating import Validator
from quire.store.journal import Journal
from quire.store.journal_file import open_journal

JOURNAL_FILE = "market.db"


@dataclass(slots=True)
class Trading:
    """Built when the node is told of a chain. `sales` and `prover` are None where the node has no
    key to prove with, and none to verify what others prove for it; `remote` where it proves by
    itself; `validator` where it is none; `opener` where it is neither host nor validator, or where
    the contract opens freed slots at once."""

    market: Market
    journal: Journal
    purchases: Purchases
    sales: Sales | None = None
    prover: PeriodProver | None = None
    remote: RemoteProving | None = None
    validator: Validator | None = None
    opener: RepairOpener | None = None
    feed: MarketFeed | None = None
    chain: OpenMarket | None = None

    async def start(self) -> None:
        """Everybody goes on where he was. Raises StoreCorrupt: the journal cannot be read."""
        await self.purchases.start()
        if self.prover is not None:
            await self.prover.start()
        if self.sales is not None:
            await self.sales.start()
        if self.validator is not None:
            await self.validator.start()
        if self.opener is not None:
            await self.opener.start()
        if self.feed is not None:
            self.feed.listen(self.purchases.hear)

    async def follow(self) -> None:
        """The feed tells what was missed, and what happens from now on. When everybody listens."""
        if self.feed is not None:
            await self.feed.start()

    async def stop(self) -> None:
        """In the opposite order. What is under way goes on with the next start."""
        parts = (self.feed, self.opener, self.validator, self.sales, self.prover, self.purchases)
        for part in parts:
            if part is not None:
                await part.stop()
        await self.close()

    async def close(self) -> None:
        """Let go of chain and journal."""
        if self.chain is not None:
            await self.chain.stop()
        await self.journal.close()


async def open_trading(
    config: NodeConfig, profile: Profile, ground: Ground, parts: Parts, proving: Proving
) -> Trading | None:
    """Reach the chain and join the parts; None when the node is told of no chain.

    Raises   BadConfig, UnsafePermissions  the account's key
             WrongChain, ChainUnreachable  see chain.evm.opening
             NoCircuit, BadKey             see means
             StoreCorrupt                  the journal
    """
    if not wants_chain(config):
        return None
    loop = asyncio.get_running_loop()
    wallet = await loop.run_in_executor(None, open_account, config)
    chain = await open_market(market_settings(config, profile), wallet, ground.clock)
    try:
        journal = await loop.run_in_executor(
            None, open_journal, config.data_dir / JOURNAL_FILE, ground.clock
        )
        try:
            trading = join_trading(chain.market, journal, ground, parts)
            trading.chain = chain
            if config.validator:
                join_validating(trading, validator_share(config), ground)
            terms = chain.market.terms
            if config.prove_via:
                trading.remote = await open_remote(proving, terms)
            means = await open_means(proving, ground, parts, terms, trading.remote)
            if means is not None:
                recipient = config.reward_recipient
                settings = SaleSettings(
                    None if recipient is None else parse_address(recipient),
                    config.slots_of_request,
                    config.rebuild_after,
                )
                join_selling(trading, means, settings, ground, parts)
        except BaseException:
            await journal.close()
            raise
    except BaseException:
        await chain.stop()
        raise
    return trading


def join_trading(market: Market, journal: Journal, ground: Ground, parts: Parts) -> Trading:
    """What every node that trades has: it buys."""
    ports = PurchasePorts(
        market=market,
        journal=journal,
        store=parts.store,
        fetches=parts.fetches,
        protections=parts.protections,
        events=ground.events,
        waits=ground.waits,
        clock=ground.clock,
        rng=ground.rng,
    )
    feed = MarketFeed(market, journal, ground.events, ground.clock)
    return Trading(market, journal, Purchases(ports), feed=feed)


def join_selling(
    trading: Trading, means: ProvingMeans, settings: SaleSettings, ground: Ground, parts: Parts
) -> None:
    """What hosts have more: proofs of periods, and sales."""
    market, journal, feed = trading.market, trading.journal, trading.feed
    assert feed is not None
    clock, events, waits = ground.clock, ground.events, ground.waits
    trading.prover = PeriodProver(
        market, means, feed, journal, clock=clock, events=events, waits=waits
    )
    keeping = SlotKeeping(
        KeepingPorts(parts.store, parts.fetches, parts.slot_holds, parts.rebuilds),
        clock,
        market,
        events,
        patience_seconds=settings.rebuild_after_seconds,
    )
    ports = SalePorts(
        market=market,
        journal=journal,
        feed=feed,
        keeping=keeping,
        proofs=FirstProofs(market, means, clock),
        periods=trading.prover,
        quota=parts.store,
    )
    trading.sales = Sales(
        ports, clock=clock, rng=ground.rng, events=events, waits=waits, settings=settings
    )
    _join_opening(trading, ground)


def join_validating(trading: Trading, share: Share, ground: Ground) -> None:
    """What validators have more."""
    assert trading.feed is not None
    trading.validator = Validator(
        trading.market, trading.feed, trading.journal, share=share, events=ground.events
    )
    _join_opening(trading, ground)


def _join_opening(trading: Trading, ground: Ground) -> None:
    """Hosts and validators open freed slots that have waited long enough."""
    market, feed = trading.market, trading.feed
    assert feed is not None
    if is_lazy(market.terms) and trading.opener is None:
        trading.opener = RepairOpener(market, feed, trading.journal, ground.events)
