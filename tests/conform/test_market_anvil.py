"""The market on a real chain conforms: our contracts on Anvil."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from conform.delegates import DelegatesConformance
from conform.market import MarketConformance
from conform.market_kit import Heard, asked, fill, into_marking, next_period
from quire.base.clock import SystemClock
from quire.base.errors import BadConfig, ChainUnreachable, InputError, WrongChain
from quire.chain.abi import address_text
from quire.chain.contract_config import ContractConfig
from quire.chain.deploy import Deployment
from quire.chain.deployment import ADDRESSES
from quire.chain.dev_accounts import dev_account
from quire.chain.dev_chain import DevChain, DevChainOptions, free_port
from quire.chain.events import RequestFulfilled
from quire.chain.evm.methods import ALLOWANCE
from quire.chain.evm.opening import MarketSettings, OpenMarket, open_market
from quire.chain.evm.reader import Reader
from quire.chain.rpc import connect
from quire.chain.terms import NO_EXTENSIONS
from quire.chain.values import RequestState, SlotState
from quire.chain.wallet import Wallet
from quire.node.profile import load_profile
from support.local_chain import deployed_chain
from support.memory_world import PROOF, TERMS, a_request

KNOWN = load_profile("quire").chain.contracts
CONTRACT = KNOWN["31337"]
TOKEN = address_text(ADDRESSES["TestToken"])
CONFIG = ContractConfig(
    period=TERMS.period, timeout=TERMS.timeout, downtime=0, downtime_product=TERMS.downtime_product
)


class AnvilTown:
    """Accounts 1 to 4 of a local chain that mines with each transaction."""

    def __init__(self, chain: DevChain, deployment: Deployment, opened: list[OpenMarket]) -> None:
        self.chain = chain
        self.deployment = deployment
        self.opened = opened
        self.client, self.host, self.other, self.validator = (one.market for one in opened)

    async def mine(self, blocks: int = 1) -> None:
        await self.chain.mine(blocks)

    async def warp(self, timestamp: int) -> None:
        await self.chain.warp(timestamp)

    async def rewind(self, blocks: int) -> None:
        await self.chain.rewind(blocks)


@pytest_asyncio.fixture
async def anvil_town(tmp_path: Path) -> AsyncIterator[AnvilTown]:
    options = DevChainOptions(state_file=tmp_path / "chain.json")
    async with deployed_chain(CONFIG, options=options) as (chain, deployment):
        settings = MarketSettings(chain.url, known=KNOWN)
        opened = [
            await open_market(settings, Wallet(dev_account(index).key), SystemClock())
            for index in (1, 2, 3, 4)
        ]
        try:
            yield AnvilTown(chain, deployment, opened)
        finally:
            for one in opened:
                await one.stop()


class TestEvmMarket(MarketConformance, DelegatesConformance):
    @pytest_asyncio.fixture
    async def town(self, anvil_town: AnvilTown) -> AnvilTown:
        return anvil_town

    async def test_the_contract_is_allowed_exactly_what_it_takes(
        self, anvil_town: AnvilTown
    ) -> None:
        town = anvil_town
        _, rid, _ = await asked(town)
        await fill(town.host, rid, [0])
        for one in town.opened[:2]:
            assert await allowance(town, one) == 0

    async def test_calls_at_the_same_time_do_not_count_on_the_same_tokens(
        self, anvil_town: AnvilTown
    ) -> None:
        town, tokens = anvil_town, await anvil_town.host.balance()
        request, rid, slots = await asked(town)
        collateral = request.ask.collateral_per_slot
        for index in range(3):
            await town.host.reserve_slot(rid, index)
        await asyncio.gather(*(town.host.fill_slot(rid, index, PROOF) for index in range(3)))
        assert await town.host.slot_states(slots) == [SlotState.FILLED] * 3
        assert await town.host.balance() == tokens - 3 * collateral
        assert await allowance(town, town.opened[1]) < 3 * collateral

    async def test_without_our_additions_the_reference_s_calls_do(
        self, anvil_town: AnvilTown
    ) -> None:
        town = anvil_town
        for one in town.opened:
            one.market._terms = replace(one.market.terms, extensions=NO_EXTENSIONS)
        _, rid, slots = await asked(town, slots=2)
        await fill(town.host, rid, [0, 1])
        await next_period(town)
        ours = await town.host.proof_statuses(slots)
        assert [status.is_required for status in ours] == [True, True]
        assert await town.host.slot_states(slots) == [SlotState.FILLED] * 2
        assert await town.host.eligible_from(rid, 0) == 0
        with pytest.raises(InputError, match="one proof at a time"):
            await town.host.submit_proofs([(slot, PROOF) for slot in slots])
        await town.host.submit_proofs([(slots[0], PROOF)])
        period = await into_marking(town)
        number = (await town.host.head()).number
        receipts = await town.validator.mark_missing([(slot, period) for slot in slots])
        assert [receipt.block for receipt in receipts] == [number + 1]
        for refused in (town.host.register(), town.host.open_repair(rid)):
            with pytest.raises(InputError):
                await refused

    async def test_statuses_asked_one_by_one_are_those_of_one_call(
        self, anvil_town: AnvilTown
    ) -> None:
        town = anvil_town
        _, rid, slots = await asked(town, slots=2)
        await fill(town.host, rid, [0, 1])
        await next_period(town)
        together = await town.host.proof_statuses(slots)
        town.opened[2].market._terms = replace(town.other.terms, extensions=NO_EXTENSIONS)
        assert await town.other.proof_statuses(slots) == together

    async def test_the_chain_s_node_may_stop_and_come_back(self, anvil_town: AnvilTown) -> None:
        town = anvil_town
        async with Heard(town.validator) as heard:
            _, rid, slots = await asked(town, slots=1)
            await town.host.reserve_slot(rid, 0)
            await town.chain.stop()
            filling = asyncio.create_task(town.host.fill_slot(rid, 0, PROOF))
            asking = asyncio.create_task(town.client.request_state(rid))
            await town.chain.start_again()
            assert await asking is RequestState.NEW
            assert (await filling).gas_used > 0
            await heard.until(lambda: RequestFulfilled(rid) in heard.events)
        assert not any(batch.is_rewound for batch in heard.batches)
        assert await town.client.slot_states(slots) == [SlotState.FILLED]

    async def test_a_chain_that_lost_its_newest_blocks_in_a_crash_is_followed_on(
        self, anvil_town: AnvilTown
    ) -> None:
        town = anvil_town
        _, early, _ = await asked(town, slots=1)
        await town.chain.stop()
        await town.chain.start_again()
        async with Heard(town.validator) as heard:
            request = a_request(town.client.account, nonce=2)
            await town.client.request_storage(request)
            await heard.until(lambda: bool(heard.events))
            await town.chain.kill()
            await town.chain.start_again()
            await town.mine()
            await heard.until(lambda: any(batch.is_rewound for batch in heard.batches))
        assert await town.host.request_state(early) is RequestState.NEW


async def allowance(town: AnvilTown, one: OpenMarket) -> int:
    contract, account = town.deployment.marketplace, one.market.account
    reader = Reader(one.rpc, contract, account)
    return await reader.ask(ALLOWANCE, account, contract, to=town.deployment.token)


async def opening(chain: DevChain, **changed: object) -> OpenMarket:
    settings = replace(MarketSettings(chain.url, known=KNOWN), **changed)
    return await open_market(settings, Wallet(dev_account(1).key), SystemClock())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"known": {"1": CONTRACT}}, r"id 31337.*known: 1\).*--marketplace-address"),
        ({"contract": "0x" + "12" * 20}, "no marketplace contract at .* no code"),
        ({"contract": TOKEN}, r"does not answer configuration\(\)"),
        ({"key_hash": "ab" * 32}, "key has the hash .*abab"),
    ],
)
async def test_another_chain_or_contract_than_was_meant_is_refused(changed, said) -> None:
    async with deployed_chain(CONFIG) as (chain, _):
        with pytest.raises(WrongChain, match=said):
            await opening(chain, **changed)


async def test_a_clock_that_is_not_the_chain_s_is_refused_with_the_numbers() -> None:
    options = DevChainOptions(chain_id=5)
    async with deployed_chain(CONFIG, options=options) as (chain, _):
        in_step = await opening(chain, contract=CONTRACT)
        assert in_step.market.terms.chain_id == 5
        await in_step.stop()
        await chain.advance(4000)
        with pytest.raises(WrongChain, match=r"s behind the time of the chain.*at most 300 s"):
            await opening(chain, contract=CONTRACT)


async def test_a_chain_that_does_not_answer_is_told_by_its_address() -> None:
    with pytest.raises(BadConfig, match="ws://"):
        connect("localhost:8545")
    rpc = connect(f"ws://127.0.0.1:{free_port()}")
    try:
        with pytest.raises(ChainUnreachable, match="cannot be reached"):
            await rpc.call("eth_chainId", [], asyncio.get_running_loop().time() + 0.3)
    finally:
        await rpc.close()
