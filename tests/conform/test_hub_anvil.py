"""The hub on a real chain conforms: our contract on Anvil."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from conform.hub import HOT, HubConformance
from conform.hub import opened as opened_channel
from quire.base.clock import SystemClock
from quire.base.errors import InsufficientFunds, WrongChain
from quire.chain.abi import address_text
from quire.chain.deploy import Deployment
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain, DevChainOptions
from quire.chain.evm.funds import Funds
from quire.chain.evm.methods import ALLOWANCE
from quire.chain.evm.opening import MarketSettings, OpenMarket, open_market
from quire.chain.evm.reader import Reader
from quire.chain.hub import Hub, HubChannel
from quire.chain.port import Receipt
from quire.chain.wallet import Wallet
from support.gas_chain import Chain
from support.hub_world import HUB_TYPES
from support.local_chain import deployed_chain
from support.memory_world import a_request

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

    async def now_block(self) -> int:
        return (await self.opened[0].market.head()).number

    async def allowance(self) -> int:
        """What the hub may take of the payer's tokens."""
        one = self.opened[0]
        hub, account = self.payer.domain.contract, self.payer.account
        reader = Reader(one.rpc, hub, account)
        return int(await reader.ask(ALLOWANCE, account, hub, to=one.market.terms.token))

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

    async def test_a_deposit_is_one_transaction_where_the_token_takes_permissions(
        self, anvil_harbour: AnvilHarbour
    ) -> None:
        before = await anvil_harbour.now_block()
        await anvil_harbour.payer.deposit(100)
        assert await anvil_harbour.now_block() == before + 1
        assert await anvil_harbour.allowance() == 0

    async def test_without_permissions_the_hub_is_allowed_exactly_what_it_takes(
        self, anvil_harbour: AnvilHarbour
    ) -> None:
        harbour, payer = anvil_harbour, anvil_harbour.payer
        payer._token_separator = None
        before = await harbour.now_block()
        await payer.deposit(100)
        assert await harbour.now_block() == before + 2
        assert await harbour.allowance() == 0
        await asyncio.gather(*(payer.deposit(amount) for amount in (10, 20, 30)))
        assert await payer.balance() == 160

    async def test_market_and_hub_do_not_count_on_the_same_tokens(
        self, anvil_harbour: AnvilHarbour
    ) -> None:
        harbour, payer = anvil_harbour, anvil_harbour.payer
        request = a_request(payer.account)
        price, tokens = request.ask.max_price, await payer.tokens()
        market = harbour.opened[0].market
        results = await asyncio.gather(
            market.request_storage(request),
            payer.deposit(tokens - price + 1),
            return_exceptions=True,
        )
        assert sorted(type(each) for each in results if not isinstance(each, Receipt)) == [
            InsufficientFunds
        ]
        await asyncio.gather(*(payer.deposit(1) for _ in range(3)), market.balance())

    async def test_an_approval_that_a_re_organisation_took_back_is_given_again(
        self, anvil_harbour: AnvilHarbour, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        market, payer = anvil_harbour.opened[0].market, anvil_harbour.payer
        allow, given = Funds._allow, []

        async def gone_at_first(funds: Funds, contract: bytes, needed: int) -> None:
            given.append(needed)
            if len(given) > 1:
                await allow(funds, contract, needed)

        monkeypatch.setattr(Funds, "_allow", gone_at_first)
        await market.request_storage(a_request(payer.account))
        assert len(given) == 2
        assert len(await market.my_requests()) == 1

    async def test_transactions_of_market_and_hub_have_nonces_in_one_row(
        self, anvil_harbour: AnvilHarbour
    ) -> None:
        harbour, payer = anvil_harbour, anvil_harbour.payer
        market = harbour.opened[0].market
        await asyncio.gather(
            payer.deposit(5),
            *(market.request_storage(a_request(payer.account, nonce)) for nonce in (1, 2)),
            payer.set_delegate(HOT),
        )
        assert len(await market.my_requests()) == 2
        assert await payer.balance() == 5

    async def test_hundreds_of_channels_and_delegates_are_asked_for_in_a_few_calls(
        self, anvil_harbour: AnvilHarbour
    ) -> None:
        payer, payee = anvil_harbour.payer, anvil_harbour.payee
        await opened_channel(anvil_harbour)
        strangers = [number.to_bytes(20, "big") for number in range(1, 1200)]
        pairs = [(stranger, payee.account) for stranger in strangers]
        pairs.insert(700, (payer.account, payee.account))
        found = await payee.channels(pairs)
        assert len(found) == 1200
        assert found[700] == HubChannel(1000, 0, 0)
        assert set(found[:700] + found[701:]) == {HubChannel()}
        await payer.set_delegate(HOT)
        signers = await payee.delegates([*strangers, payer.account])
        assert signers == [None] * len(strangers) + [HOT]


@pytest.mark.parametrize(
    ("hub", "said"),
    [
        ("0x" + "12" * 20, "no hub of payment channels at .* no code.*--hub-address"),
        ("{token}", "is no hub of payment channels, or one of another version"),
        ("{market}", "is no hub of payment channels, or one of another version"),
        ("{other}", "is a hub of another token"),
    ],
)
async def test_what_is_no_hub_of_this_market_is_refused(hub: str, said: str) -> None:
    async with deployed_chain() as (chain, deployment):
        other = await another_hub(chain) if "other" in hub else b""
        places = {"token": deployment.token, "market": deployment.marketplace, "other": other}
        text = hub.format_map({name: f"0x{place.hex()}" for name, place in places.items()})
        settings = replace(settings_of(chain, deployment), hub=text)
        with pytest.raises(WrongChain, match=said):
            await open_market(settings, Wallet(dev_account(1).key), SystemClock())


async def test_a_chain_without_a_hub_is_a_market_still() -> None:
    async with deployed_chain() as (chain, deployment):
        settings = replace(settings_of(chain, deployment), hub=None)
        for known in ({}, {"31337": "0x" + "12" * 20}, {"1": "0x" + "12" * 20}):
            opened = await open_market(
                replace(settings, known_hubs=known), Wallet(dev_account(1).key), SystemClock()
            )
            assert opened.hub is None
            await opened.stop()


async def another_hub(chain: DevChain) -> bytes:
    """A hub of a token of its own."""
    on = Chain(chain, [dev_account(0).text])
    token = await on.deploy("TestToken")
    return bytes.fromhex((await on.deploy("ChannelHub", HUB_TYPES, (token, token)))[2:])
