"""The hub in memory beside the market of the same world: blocks, faults, re-organisations."""

from __future__ import annotations

import pytest

from quire.base.clock import SystemClock
from quire.base.errors import ChainUnreachable, InsufficientFunds, NotMined, Reverted
from quire.chain.hub import HubChannel
from quire.chain.memory.hub import MemoryHub
from quire.chain.memory.market import MemoryMarket
from support.memory_world import CLIENT, HOST, TOKENS, a_request, a_world


async def test_market_and_hub_of_an_account_have_the_same_tokens_and_gas() -> None:
    world = a_world()
    market, hub = MemoryMarket(world, CLIENT), MemoryHub(world, CLIENT)
    request = a_request()
    await market.request_storage(request)
    gas = await market.gas_balance()
    await hub.deposit(1000)
    assert await hub.tokens() == await market.balance() == TOKENS - request.ask.max_price - 1000
    assert await market.gas_balance() < gas
    assert await market.balance(hub.domain.contract) == 1000
    assert (hub.domain.chain_id, hub.account) == (market.terms.chain_id, CLIENT)


async def test_a_refused_call_changes_nothing() -> None:
    hub = MemoryHub(a_world(), CLIENT)
    await hub.deposit(100)
    with pytest.raises(Reverted, match="Hub_ZeroAddress"):
        await hub.allocate([(HOST, 10), (bytes(20), 10)])
    assert await hub.channels([(CLIENT, HOST)]) == [HubChannel()]
    assert await hub.balance() == 100


async def test_what_a_re_organisation_loses_is_gone_and_what_it_keeps_comes_again() -> None:
    world = a_world()
    hub = MemoryHub(world, CLIENT)
    await hub.deposit(100)
    await hub.allocate([(HOST, 60)])
    world.reorganise(1)
    assert await hub.channels([(CLIENT, HOST)]) == [HubChannel(60)]
    world.reorganise(2, loses_transactions=True)  # one more came instead of the first
    assert await hub.channels([(CLIENT, HOST)]) == [HubChannel()]
    assert await hub.balance() == 100


async def test_faults_are_planned_by_the_names_of_the_port() -> None:
    hub = MemoryHub(a_world(), CLIENT, SystemClock())
    hub.faults.refuse("deposit", ChainUnreachable("no way"))
    with pytest.raises(ChainUnreachable, match="no way"):
        await hub.deposit(5)
    assert await hub.balance() == 0
    hub.faults.lose_answer("deposit", NotMined("nobody knows"))
    with pytest.raises(NotMined):
        await hub.deposit(5)
    assert await hub.balance() == 5  # it was done
    hub.faults.is_unreachable = True
    for asked in (hub.balance(), hub.tokens(), hub.channels([]), hub.delegates([])):
        with pytest.raises(ChainUnreachable):
            await asked


async def test_without_gas_or_tokens_nothing_is_sent() -> None:
    world = a_world()
    poor = MemoryHub(world, bytes([0xEE]) * 20)
    world.gas[poor.account] = 10**18
    with pytest.raises(InsufficientFunds, match="tokens"):
        await poor.deposit(1)
    world.gas[poor.account] = 1
    with pytest.raises(InsufficientFunds, match="wei"):
        await poor.request_close(HOST)
    assert world.head.number == 300
