"""What the doctor finds at an aggregator: gas and bond, and what to do about them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from quire.base.errors import ChainUnreachable
from quire.chain.bonds import Bond
from quire.formats.aggregator_codes import Service
from quire.node.aggregation import Aggregation
from quire.node.doctor_aggregation import GAS_A_PROOF, GAS_PRICE, examine_aggregation
from quire.services.aggregating.settings import AggregatorSettings

PROOF = GAS_A_PROOF * GAS_PRICE
BONDED = AggregatorSettings(bond=1000)


@dataclass
class Chain:
    """Market and bonds, as far as the doctor asks."""

    wei: int = 10**6 * PROOF
    kept: Bond = field(default_factory=lambda: Bond(10_000))
    account: bytes = b"\xaa" * 20
    is_away: bool = False

    async def gas_balance(self) -> int:
        if self.is_away:
            raise ChainUnreachable("it does not answer")
        return self.wei

    async def bond(self) -> Bond:
        return self.kept


def examined(chain: Chain, settings: AggregatorSettings | None, **more: Any) -> dict[str, Any]:
    shape = {"settings": settings, "bonds": chain, "promised": lambda: 0} | more
    aggregation = cast(Aggregation, SimpleNamespace(**shape))
    found = asyncio.run(examine_aggregation(aggregation, cast(Any, chain)))
    return {each.check: each for each in found}


def test_nothing_is_said_of_a_node_that_is_no_aggregator():
    assert examined(Chain(), None) == {}


def test_all_is_well():
    found = examined(Chain(), BONDED)
    assert [each.state for each in found.values()] == ["ok", "ok", "ok"]
    assert "encode, prove, submit" in found["aggregator"].message


@pytest.mark.parametrize(("proofs", "state"), [(0, "problem"), (999, "warning"), (1000, "ok")])
def test_gas_that_will_not_last_is_told(proofs, state):
    found = examined(Chain(wei=proofs * PROOF), BONDED)["aggregator's gas"]
    assert (found.state, f"about {proofs:,} proofs" in found.message) == (state, True)
    assert ("send ether to 0x" in found.remedy) == (state != "ok")


@pytest.mark.parametrize(
    ("bond", "promised", "state", "remedy"),
    [
        (Bond(5000), 4000, "ok", ""),
        (Bond(5000), 4001, "warning", "quire bond deposit 1"),
        (Bond(5000, leaving=3000, leaves_at=9), 2000, "warning", "quire bond deposit 1000"),
        (Bond(999), 0, "problem", "quire bond deposit 1"),
        (Bond(), 0, "problem", "quire bond deposit 1000"),
    ],
)
def test_a_bond_that_covers_no_more_promise_is_told(bond, promised, state, remedy):
    found = examined(Chain(kept=bond), BONDED, promised=lambda: promised)["aggregator's bond"]
    assert (found.state, found.remedy) == (state, remedy)


def test_a_bond_that_nobody_keeps_is_a_problem():
    found = examined(Chain(), BONDED, bonds=None)["aggregator's bond"]
    assert (found.state, "--bonds-address" in found.remedy) == ("problem", True)


def test_who_does_not_submit_needs_neither():
    settings = AggregatorSettings(services=(Service.ENCODE,))
    assert list(examined(Chain(wei=0, kept=Bond()), settings)) == ["aggregator"]


def test_a_chain_that_is_away_is_found_elsewhere():
    assert list(examined(Chain(is_away=True), BONDED)) == ["aggregator"]
