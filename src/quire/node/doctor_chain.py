"""Is the chain there, is it the right one, and can this account act on it?"""

from __future__ import annotations

import asyncio

from quire.base.clock import Clock
from quire.base.errors import ChainError, QuireError
from quire.chain.abi import address_text
from quire.chain.clock import skew_seconds
from quire.chain.deployment import LOCAL_CHAIN_ID
from quire.chain.evm.opening import (
    SKEW_SECONDS_MAX,
    Contracts,
    MarketSettings,
    find_contracts,
)
from quire.chain.port import Market
from quire.chain.rpc import connect
from quire.chain.terms import Terms
from quire.chain.values import Address
from quire.node.chain_settings import check_account, market_settings, wants_chain
from quire.node.config import NodeConfig
from quire.node.finding import Finding
from quire.node.profile import load_profile
from quire.node.trading import Trading

ANSWER_SECONDS = 10.0
LEAST_GAS = 1_000_000  # units: a few transactions
GAS_PRICE = 2 * 10**9  # wei, taken for it


async def examine_settings(config: NodeConfig) -> list[Finding]:
    """What a node with this configuration would find, before it runs. Empty without a chain."""
    if not wants_chain(config):
        return []
    try:
        check_account(config)
        settings = market_settings(config, load_profile(config.profile))
        found = await _contracts(settings)
    except QuireError as error:
        return [Finding("chain", "problem", error.message, error.hint)]
    return [_contract(found.terms), _hub(found.hub), _bonds(found.bonds)]


async def examine_trading(trading: Trading, clock: Clock) -> list[Finding]:
    """What a running node finds."""
    market = trading.market
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            head = await market.head()
            gas, tokens = await market.gas_balance(), await market.balance()
    except (ChainError, TimeoutError) as error:
        why = error.message if isinstance(error, ChainError) else "no answer in time"
        return [Finding("chain", "problem", why, "check --eth-provider and the chain's node")]
    opened = trading.chain
    others: list[Finding] = []
    if opened is not None:
        others.append(_hub(opened.hub.domain.contract if opened.hub else None))
        others.append(_bonds(opened.bonds.domain.contract if opened.bonds else None))
    return [
        Finding("chain", "ok", f"chain {market.terms.chain_id} answers, block {head.number}"),
        _contract(market.terms),
        *others,
        _skew(market, clock),
        _gas(market, gas),
        _tokens(market, tokens),
        _selling(trading),
    ]


async def _contracts(settings: MarketSettings) -> Contracts:
    rpc = connect(settings.url)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await find_contracts(rpc, settings)
    except TimeoutError:
        raise ChainError(f"no answer from {rpc.shown_url} in {ANSWER_SECONDS:.0f} s") from None
    finally:
        await rpc.close()


def _contract(terms: Terms) -> Finding:
    kind = "with Quire's additions" if terms.extensions else "of the reference"
    return Finding(
        "marketplace",
        "ok",
        f"{address_text(terms.contract)} on chain {terms.chain_id}, {kind}; "
        f"periods of {terms.period} s, {terms.timeout} s to mark a miss",
    )


def _hub(hub: Address | None) -> Finding:
    if hub is not None:
        return Finding("payment hub", "ok", f"payment channels at {address_text(hub)}")
    return Finding(
        "payment hub",
        "ok",
        "no hub of payment channels is known for this chain: no retail storage",
        "give its address, if there is one: --hub-address",
    )


def _bonds(bonds: Address | None) -> Finding:
    if bonds is not None:
        return Finding("submission bonds", "ok", f"bonds at {address_text(bonds)}")
    return Finding(
        "submission bonds",
        "ok",
        "no contract of bonds is known for this chain: who submits for others answers for nothing",
        "give its address, if there is one: --bonds-address",
    )


def _skew(market: Market, clock: Clock) -> Finding:
    skew = skew_seconds(market.clock.now(), clock)
    text = f"this machine is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the chain"
    if abs(skew) <= SKEW_SECONDS_MAX or market.terms.chain_id == LOCAL_CHAIN_ID:
        return Finding("chain's time", "ok", text)
    return Finding(
        "chain's time", "problem", text, "set the clock of this machine, or see why the chain stops"
    )


def _gas(market: Market, wei: int) -> Finding:
    text = f"{wei} wei to pay for transactions"
    if wei < LEAST_GAS * GAS_PRICE:
        return Finding(
            "gas",
            "problem" if not wei else "warning",
            text,
            f"send some to {address_text(market.account)}",
        )
    return Finding("gas", "ok", text)


def _tokens(market: Market, tokens: int) -> Finding:
    text = f"{tokens} tokens (smallest unit)"
    if tokens:
        return Finding("tokens", "ok", text)
    return Finding(
        "tokens",
        "warning",
        f"{text}: storage can neither be bought nor sold",
        f"send some of {address_text(market.terms.token)} to {address_text(market.account)}",
    )


def _selling(trading: Trading) -> Finding:
    if trading.sales is None:
        return Finding(
            "selling",
            "ok",
            "this node buys and does not sell: it has no key to prove with",
            "get the network's circuit, or make a key for tests: quire circuit setup",
        )
    return Finding("selling", "ok", "the key for proofs is the contract's")
