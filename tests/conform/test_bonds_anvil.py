"""The bonds on a real chain conform: our contracts on Anvil."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from conform.bonds import BondsConformance
from conform.test_market_anvil import CONFIG, AnvilTown
from quire.base.clock import SystemClock
from quire.base.errors import InsufficientFunds, WrongChain
from quire.chain.abi import address_text
from quire.chain.bonds import Bonds
from quire.chain.deploy import Deployment
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain
from quire.chain.evm.opening import MarketSettings, OpenMarket, open_market
from quire.chain.port import Receipt
from quire.chain.wallet import Wallet
from support.contract_kit import MARKETPLACE_TYPES, Setup
from support.gas_chain import Chain
from support.local_chain import deployed_chain

INDICES = (1, 2, 3, 4)
OTHER = 2  # of them: the aggregator


class AnvilBondTown(AnvilTown):
    key = dev_account(INDICES[OTHER]).key

    def __init__(self, chain: DevChain, deployment: Deployment, opened: list[OpenMarket]) -> None:
        super().__init__(chain, deployment, opened)
        self.hosts, self.aggregator, self.strangers = map(bonds_of, opened[1:])

    async def now(self) -> int:
        return (await self.host.head()).timestamp


def bonds_of(one: OpenMarket) -> Bonds:
    assert one.bonds is not None
    return one.bonds


def settings_of(chain: DevChain, deployment: Deployment) -> MarketSettings:
    assert deployment.bonds is not None
    return MarketSettings(
        chain.url, address_text(deployment.marketplace), bonds=address_text(deployment.bonds)
    )


@pytest_asyncio.fixture
async def bond_town() -> AsyncIterator[AnvilBondTown]:
    async with deployed_chain(CONFIG) as (chain, deployment):
        settings = settings_of(chain, deployment)
        opened = [
            await open_market(settings, Wallet(dev_account(index).key), SystemClock())
            for index in INDICES
        ]
        try:
            yield AnvilBondTown(chain, deployment, opened)
        finally:
            for one in opened:
                await one.stop()


class TestEvmBonds(BondsConformance):
    @pytest_asyncio.fixture
    async def town(self, bond_town: AnvilBondTown) -> AnvilBondTown:
        return bond_town

    async def test_deposits_at_the_same_time_all_come_through(
        self, bond_town: AnvilBondTown
    ) -> None:
        aggregator, market = bond_town.aggregator, bond_town.other
        tokens = await market.balance()
        done = await asyncio.gather(
            aggregator.deposit(tokens - 10),
            aggregator.deposit(20),
            aggregator.deposit(5),
            return_exceptions=True,
        )
        assert [type(each) for each in done] == [Receipt, InsufficientFunds, Receipt]
        assert (await aggregator.bond()).amount == tokens - 5


@pytest.mark.parametrize(
    ("bonds", "said"),
    [
        ("0x" + "12" * 20, "no contract of submission bonds at .* no code.*--bonds-address"),
        ("{token}", "is no contract of submission bonds, or one of another version"),
        ("{hub}", "is no contract of submission bonds, or one of another version"),
        ("{other}", "holds bonds for another marketplace"),
    ],
)
async def test_what_are_no_bonds_of_this_market_is_refused(bonds: str, said: str) -> None:
    async with deployed_chain() as (chain, deployment):
        other = await other_bonds(chain) if "other" in bonds else b""
        places = {"token": deployment.token, "hub": deployment.hub, "other": other}
        text = bonds.format_map({name: f"0x{(at or b'').hex()}" for name, at in places.items()})
        settings = replace(settings_of(chain, deployment), bonds=text)
        with pytest.raises(WrongChain, match=said):
            await open_market(settings, Wallet(dev_account(1).key), SystemClock())


async def test_a_chain_without_bonds_is_a_market_still() -> None:
    async with deployed_chain() as (chain, deployment):
        settings = replace(settings_of(chain, deployment), bonds=None)
        for known in ({}, {"31337": "0x" + "12" * 20}, {"1": "0x" + "12" * 20}):
            opened = await open_market(
                replace(settings, known_bonds=known), Wallet(dev_account(1).key), SystemClock()
            )
            assert opened.bonds is None
            await opened.stop()


async def other_bonds(chain: DevChain) -> bytes:
    """Of a marketplace of its own."""
    on = Chain(chain, [dev_account(0).text])
    token, verifier = await on.deploy("TestToken"), await on.deploy("TestVerifier")
    setup = Setup()
    values = (setup.config, token, verifier, setup.additions)
    market = await on.deploy("Marketplace", MARKETPLACE_TYPES, values)
    return bytes.fromhex((await on.deploy("SubmissionBonds", ("address",), (market,)))[2:])
