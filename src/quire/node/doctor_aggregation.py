"""Can this node do as an aggregator what it offers?"""

from __future__ import annotations

import asyncio

from quire.aggregation.values import Service
from quire.base.errors import ChainError
from quire.chain.abi import address_text
from quire.chain.port import Market
from quire.node.aggregation import Aggregation
from quire.node.finding import Finding
from quire.services.aggregating.settings import AggregatorSettings

ANSWER_SECONDS = 10.0
GAS_A_PROOF = 100_000  # units, in a batch
PROOFS_WANTED = 1000  # that the gas should last for
GAS_PRICE = 2 * 10**9  # wei, taken for it


async def examine_aggregation(aggregation: Aggregation, market: Market) -> list[Finding]:
    """What a running aggregator finds; nothing of a node that is none."""
    settings = aggregation.settings
    if settings is None:
        return []
    found = [_services(settings)]
    if Service.SUBMIT not in settings.services:
        return found
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found.append(_gas(await market.gas_balance(), address_text(market.account)))
            found.append(await _bond(aggregation, settings))
    except (ChainError, TimeoutError):
        return found  # that it does not answer is found elsewhere
    return found


def _services(settings: AggregatorSettings) -> Finding:
    names = ", ".join(service.name.lower() for service in settings.services)
    return Finding("aggregator", "ok", f"offers: {names}; at most {settings.jobs} jobs at once")


def _gas(wei: int, account: str) -> Finding:
    proofs = wei // (GAS_A_PROOF * GAS_PRICE)
    text = f"enough for about {proofs:,} proofs of others"
    if proofs >= PROOFS_WANTED:
        return Finding("aggregator's gas", "ok", text)
    remedy = f"send ether to {account}"
    return Finding("aggregator's gas", "warning" if proofs else "problem", text, remedy)


async def _bond(aggregation: Aggregation, settings: AggregatorSettings) -> Finding:
    """Less than one promise is of no use; and what is promised should be covered."""
    if not settings.bond:
        return Finding("aggregator's bond", "ok", "no bond is offered with proofs that it submits")
    if aggregation.bonds is None:
        return Finding(
            "aggregator's bond", "problem", "a bond is offered, and no contract of bonds is known",
            "give its address: --bonds-address; or --aggregator-bond 0",
        )  # fmt: skip
    bond = await aggregation.bonds.bond()
    stays, promised = bond.amount - bond.leaving, aggregation.promised()
    text = f"{stays:,} tokens stand behind promises, {promised:,} are promised now"
    if stays >= promised + settings.bond:
        return Finding("aggregator's bond", "ok", text)
    more = promised + settings.bond - stays
    return Finding(
        "aggregator's bond",
        "warning" if stays >= settings.bond else "problem",
        text,
        f"quire bond deposit {more}",
    )
