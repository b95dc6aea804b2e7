"""The bonds in memory beside the market of the same world: tokens, faults, re-organisations."""

from __future__ import annotations

import pytest

from quire.base.errors import ChainUnreachable, InsufficientFunds, NotMined
from quire.chain.bonds import Bond
from quire.chain.memory.bonds import MemoryBonds
from quire.chain.memory.market import MemoryMarket
from support.memory_world import CLIENT, HOST, TOKENS, a_world


async def test_market_and_bonds_of_an_account_have_the_same_tokens_and_gas() -> None:
    world = a_world()
    market, bonds = MemoryMarket(world, CLIENT), MemoryBonds(world, CLIENT)
    gas = await market.gas_balance()
    await bonds.deposit(1000)
    assert await market.balance() == TOKENS - 1000
    assert await market.balance(bonds.domain.contract) == 1000
    assert await market.gas_balance() < gas
    with pytest.raises(InsufficientFunds):
        await bonds.deposit(TOKENS)
    assert (bonds.domain.chain_id, bonds.account) == (market.terms.chain_id, CLIENT)


async def test_what_a_re_organisation_loses_is_gone_and_what_it_keeps_comes_again() -> None:
    world = a_world()
    bonds, market = MemoryBonds(world, CLIENT), MemoryMarket(world, CLIENT)
    await bonds.deposit(100)
    await market.set_proof_delegate(HOST, True)
    world.reorganise(2)
    assert await bonds.bond() == Bond(100)
    assert await market.is_proof_delegate(CLIENT, HOST)
    world.reorganise(3, loses_transactions=True)  # one more came instead of the two
    assert await bonds.bond() == Bond()
    assert not await market.is_proof_delegate(CLIENT, HOST)


async def test_faults_are_planned_by_the_names_of_the_port() -> None:
    bonds = MemoryBonds(a_world(), CLIENT)
    bonds.faults.refuse("deposit", ChainUnreachable("no way"))
    with pytest.raises(ChainUnreachable, match="no way"):
        await bonds.deposit(5)
    assert await bonds.bond() == Bond()
    bonds.faults.lose_answer("deposit", NotMined("nobody knows"))
    with pytest.raises(NotMined):
        await bonds.deposit(5)
    assert await bonds.bond() == Bond(5)  # it was done
    bonds.faults.is_unreachable = True
    for asked in (bonds.bond(), bonds.announce(1), bonds.withdraw()):
        with pytest.raises(ChainUnreachable):
            await asked
