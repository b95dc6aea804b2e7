"""Whatever crashes, is lost, or is rewound: every sale comes to an end, and gives back everything.

The real machines, runner, journal and ledger, on the market in memory, in virtual time.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from quire.base.errors import BlockMissing, ChainUnreachable, InsufficientFunds, NotMined, Reverted
from quire.chain.memory.faults import MarketFaults
from quire.chain.memory.world import FIRST_BLOCK
from quire.market.sale import At
from support.memory_world import HOST, OTHER
from support.sale_kit import Fair, SellingHost, at_fair

CALLS = ("reserve_slot", "fill_slot", "free_slot")
hosts = st.integers(0, 1)
actions = st.one_of(
    st.tuples(st.just("wait"), st.integers(1, 60)),
    st.tuples(st.just("crash"), hosts),
    st.tuples(st.just("lose answer"), hosts, st.sampled_from(CALLS)),
    st.tuples(st.just("refuse"), hosts, st.sampled_from((*CALLS, "slot_states", "host"))),
    st.tuples(st.just("cut off"), hosts, st.integers(1, 40)),
    st.tuples(st.just("rewind"), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("no data"), hosts),
    st.tuples(st.just("give up"), hosts),
    st.tuples(st.just("poor"), hosts, st.integers(1, 60)),
)


async def act(scene: Fair, action: tuple) -> None:
    match action:
        case "wait", seconds:
            await asyncio.sleep(seconds)
        case "crash", number:
            await scene.hosts[number].crash()
        case "lose answer", number, call:
            scene.hosts[number].market.faults.lose_answer(call, NotMined("no answer"))
        case "refuse", number, call:
            scene.hosts[number].market.faults.refuse(call, ChainUnreachable("gone"))
        case "cut off", number, seconds:
            scene.hosts[number].market.faults.is_unreachable = True
            await asyncio.sleep(seconds)
            scene.hosts[number].market.faults.is_unreachable = False
        case "rewind", depth, loses:
            if scene.world.head.number > FIRST_BLOCK + depth:
                scene.world.reorganise(depth, loses_transactions=loses)
        case "no data", number:
            scene.hosts[number].keeping.problems.append(BlockMissing("nobody has it"))
        case "give up", number:
            await give_up(scene.hosts[number])
        case "poor", number, seconds:
            account = scene.hosts[number].market.account
            gas, scene.world.gas[account] = scene.world.gas[account], 0
            await asyncio.sleep(seconds)
            scene.world.gas[account] = gas


async def give_up(host: SellingHost) -> None:
    """Lose a slot, as by eviction."""
    for sale in host.sales.live():
        if sale.at is At.PROVING and not host.market.faults.is_unreachable:
            host.market.faults = MarketFaults()
            with suppress(Reverted, InsufficientFunds):  # a rewound chain may have taken it
                await host.market.free_slot(sale.slot_id)
            return


def free_of_all(host: SellingHost) -> None:
    """Nothing is left of any sale but what it says."""
    told = host.told()
    assert not host.sales.live(), "\n".join(told)
    assert not host.keeping.held, told
    assert not host.watcher.watched, told
    (account,) = host.sales.offers.ledger.accounts()
    assert account.free == account.terms.total_size, told
    assert account.remaining == account.terms.total_collateral, told
    lost = sum(sale.lost for sale in host.sales.all())
    assert account.terms.total_collateral <= 10**9
    assert lost <= 10**9 - account.terms.total_collateral, told
    assert host.quota.offered == account.terms.total_size, told
    waits = [wait for wait in host.waits.of() if wait["subject"].startswith("0x")]
    assert not waits, waits


@settings(max_examples=30, deadline=None)
@given(st.lists(actions, max_size=12))
def test_every_sale_comes_to_its_end_and_gives_everything_back(story: list[tuple]) -> None:
    async def play(scene: Fair) -> None:
        for host in scene.hosts:
            await host.offer()
        await scene.request(slots=3, max_slot_loss=1)
        for action in story:
            await act(scene, action)
            for host in scene.hosts:
                host.check()
        for host in scene.hosts:
            scene.world.mint(host.market.account, 0)  # a rewound chain forgot what it was given
        await asyncio.sleep(1000)
        for host in scene.hosts:
            free_of_all(host)
            assert await host.market.my_slots() == []

    at_fair(play, HOST, OTHER)
