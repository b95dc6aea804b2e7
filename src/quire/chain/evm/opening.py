"""Opens the market: one connection, one account, its contracts, and what they rest on.

Refused at once, with what was found and what was expected: a chain whose marketplace is not known,
an address without a contract, a contract that is no marketplace, a key of the circuit with another
hash, a chain out of step with this machine's clock, a node of the chain that has not caught up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quire.base.clock import Clock
from quire.base.errors import ChainUnreachable, WrongChain
from quire.chain.bonds import BondsDomain
from quire.chain.clock import RpcChainClock, skew_seconds
from quire.chain.deployment import LOCAL_CHAIN_ID
from quire.chain.evm.bonds import EvmBonds
from quire.chain.evm.bonds_opening import find_bonds
from quire.chain.evm.funds import Funds
from quire.chain.evm.hub import EvmHub
from quire.chain.evm.hub_opening import find_hub, token_separator
from quire.chain.evm.market import EvmMarket
from quire.chain.evm.reader import Reader
from quire.chain.evm.terms import contract_for, read_terms
from quire.chain.fees import FeeSettings
from quire.chain.heads import Heads
from quire.chain.hub import HubDomain
from quire.chain.quantity import quantity
from quire.chain.rpc import Rpc, connect
from quire.chain.sender import Sender
from quire.chain.terms import Terms
from quire.chain.values import Address
from quire.chain.wallet import Wallet

SKEW_SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """Which chain and contracts. `known`, `known_hubs`, `known_bonds`: by chain id, in text.
    `key_hash`: what the contract has to say about the circuit's key; empty: anything. `depth`:
    confirmations."""

    url: str
    contract: str | None = None
    known: Mapping[str, str] = field(default_factory=dict)
    key_hash: str = ""
    hub: str | None = None
    known_hubs: Mapping[str, str] = field(default_factory=dict)
    bonds: str | None = None
    known_bonds: Mapping[str, str] = field(default_factory=dict)
    fees: FeeSettings = field(default_factory=FeeSettings)
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Contracts:
    """What the marketplace was set up with, and where the hub of payment channels and the contract
    of submission bonds are, if there are."""

    terms: Terms
    hub: Address | None
    bonds: Address | None


@dataclass(frozen=True, slots=True)
class OpenMarket:
    """A market, the hub of payment channels and the contract of bonds if there are, and the
    connection under all. `stop` ends all."""

    market: EvmMarket
    hub: EvmHub | None
    bonds: EvmBonds | None
    rpc: Rpc
    heads: Heads
    sender: Sender

    async def stop(self) -> None:
        await self.sender.stop()
        await self.heads.stop()
        await self.rpc.close()


async def open_market(settings: MarketSettings, wallet: Wallet, clock: Clock) -> OpenMarket:
    """Raises   WrongChain, ChainUnreachable, BadConfig (the URL)"""
    rpc = connect(settings.url)
    heads = Heads(rpc)
    try:
        contracts = await find_contracts(rpc, settings)
        terms = contracts.terms
        separator = await token_separator(rpc, terms.token) if contracts.hub else None
        await heads.start()
        chain_clock = RpcChainClock(heads, clock)
        check_skew(terms.chain_id, chain_clock.now(), clock)
    except BaseException:
        await heads.stop()
        await rpc.close()
        raise
    sender = Sender(rpc, heads, wallet, terms.chain_id, settings.fees, depth=settings.depth)
    await sender.start()
    reader = Reader(rpc, terms.contract, wallet.address)
    funds = Funds(reader, sender, terms.token)
    market = EvmMarket(reader, heads, sender, chain_clock, terms, funds, depth=settings.depth)
    hub, bonds = None, None
    if contracts.hub is not None:
        hub_reader = Reader(rpc, contracts.hub, wallet.address)
        hub_domain = HubDomain(terms.chain_id, contracts.hub)
        hub = EvmHub(hub_reader, sender, chain_clock, funds, hub_domain, separator)
    if contracts.bonds is not None:
        bonds_reader = Reader(rpc, contracts.bonds, wallet.address)
        bonds_domain = BondsDomain(terms.chain_id, contracts.bonds)
        bonds = EvmBonds(bonds_reader, sender, chain_clock, funds, bonds_domain)
    return OpenMarket(market, hub, bonds, rpc, heads, sender)


async def find_contracts(rpc: Rpc, settings: MarketSettings) -> Contracts:
    """Raises WrongChain, ChainUnreachable."""
    terms = await _find_terms(rpc, settings)
    return Contracts(
        terms,
        await find_hub(rpc, terms, settings.hub, settings.known_hubs),
        await find_bonds(rpc, terms, settings.bonds, settings.known_bonds),
    )


async def _find_terms(rpc: Rpc, settings: MarketSettings) -> Terms:
    chain_id = quantity(await rpc.call("eth_chainId"), "chain id")
    contract = contract_for(chain_id, settings.contract, settings.known)
    await _check_synced(rpc)
    terms = await read_terms(rpc, chain_id, contract)
    if settings.key_hash and terms.zkey_hash != settings.key_hash:
        raise WrongChain(
            f"the marketplace on chain {chain_id} is for a circuit whose key has the hash "
            f"{terms.zkey_hash or '(none)'}; this network's is {settings.key_hash}",
        )
    return terms


def check_skew(chain_id: int, chain_time: float, clock: Clock) -> None:
    """The time of a local chain may be moved at will. Raises WrongChain."""
    skew = skew_seconds(chain_time, clock)
    if chain_id == LOCAL_CHAIN_ID or abs(skew) <= SKEW_SECONDS_MAX:
        return
    side = "ahead of" if skew > 0 else "behind"
    raise WrongChain(
        f"this machine's clock is {abs(skew):.0f} s {side} the time of the chain "
        f"({clock.now():.0f} against {chain_time:.0f}); at most {SKEW_SECONDS_MAX:.0f} s are "
        f"taken. Set the clock, or wait until the chain's node has caught up",
        skew_seconds=round(skew),
    )


async def _check_synced(rpc: Rpc) -> None:
    syncing = await rpc.call("eth_syncing")
    if not isinstance(syncing, dict):
        return
    at, goal = syncing.get("currentBlock"), syncing.get("highestBlock")
    if isinstance(at, str) and isinstance(goal, str):
        at, goal = str(quantity(at, "block number")), str(quantity(goal, "block number"))
    raise ChainUnreachable(
        f"the chain's node is still catching up (block {at} of {goal}); try again when it is done"
    )
