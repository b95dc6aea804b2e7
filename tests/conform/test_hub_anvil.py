"""The hub on a real chain conforms: our contract on Anvil."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from conform.hub import HubConformance
from quire.base.clock import SystemClock
from quire.chain.abi import address_text
from quire.chain.deploy import Deployment
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain, DevChainOptions
from quire.chain.evm.opening import MarketSettings, OpenMarket, open_market
from quire.chain.hub import Hub
from quire.chain.wallet import Wallet
from support.local_chain import deployed_chain

INDICES = (1, 2, 3)


class AnvilHarbour:
    """Accounts 1 to 3 of a local chain that mines with each transaction."""

    def __init__(self, chain: DevChain, opened: list[OpenMarket]) -> None:
        self.chain = chain
        self.opened = opened
        hubs = [one.hub for one in opened if one.hub is not None]
        self.payer, self.payee, self.other = hubs
        accounts = [dev_account(index) for index in INDICES]
        self.keys = {account.address: account.key for account in accounts}

    def key_of(self, hub: Hub) -> bytes:
        return self.keys[hub.account]

    async def now(self) -> int:
        return (await self.opened[0].market.head()).timestamp

    async def warp(self, timestamp: int) -> None:
        await self.chain.warp(timestamp)


def settings_of(chain: DevChain, deployment: Deployment) -> MarketSettings:
    assert deployment.hub is not None
    return MarketSettings(
        chain.url, address_text(deployment.marketplace), hub=address_text(deployment.hub)
    )


@pytest_asyncio.fixture
async def anvil_harbour(tmp_path: Path) -> AsyncIterator[AnvilHarbour]:
    options = DevChainOptions(state_file=tmp_path / "chain.json")
    async with deployed_chain(options=options) as (chain, deployment):
        settings = settings_of(chain, deployment)
        opened = [
            await open_market(settings, Wallet(dev_account(index).key), SystemClock())
            for index in INDICES
        ]
        try:
            yield AnvilHarbour(chain, opened)
        finally:
            for one in opened:
                await one.stop()


class TestEvmHub(HubConformance):
    @pytest_asyncio.fixture
    async def harbour(self, anvil_harbour: AnvilHarbour) -> AnvilHarbour:
        return anvil_harbour
