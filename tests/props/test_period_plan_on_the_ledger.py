"""What is planned for a period agrees with the contract's rules as the model has them.

Nobody proves here: so whatever the plan leaves out must be what cannot be marked either.
"""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from quire.chain.abi import request_id, slot_id
from quire.chain.memory.market import MemoryMarket
from quire.chain.memory.world import MemoryWorld
from quire.chain.port import Head, ProofStatus
from quire.market.block_pace import BlockPace
from quire.market.period_blocks import PeriodBlocks
from quire.market.period_plan import Duty, Look, later, plan_period
from support.memory_world import CLIENT, HOST, PROOF, a_request, a_world

PERIODS = 3


async def _filled(world: MemoryWorld, nonce: int) -> bytes:
    request = a_request(nonce=nonce, proof_probability=2)
    await MemoryMarket(world, CLIENT).request_storage(request)
    host = MemoryMarket(world, HOST)
    await host.reserve_slot(request_id(request), 0)
    await host.fill_slot(request_id(request), 0, PROOF)
    return slot_id(request_id(request), 0)


def world_with_slot(nonce: int, empty_blocks: int, block_seconds: int) -> tuple[MemoryWorld, bytes]:
    # period + timeout take fewer blocks than the downtime
    world = a_world(block_seconds=block_seconds, period=60, timeout=20, max_slashes=100)
    world.mine(empty_blocks)
    return world, asyncio.run(_filled(world, nonce))


slots = st.tuples(st.integers(1, 10**6), st.integers(1, 256), st.integers(2, 9))


@settings(max_examples=60, deadline=None)
@given(slots)
def test_a_status_is_carried_on_as_the_contract_moves(made: tuple[int, int, int]) -> None:
    world, slot = world_with_slot(*made)
    first: ProofStatus | None = None
    steps = 0
    for _ in range(PERIODS * 60 // world.block_seconds):
        now = world.moment(HOST).proof_status(slot)
        if first is None or now.period != first.period:
            first, steps = now, 0
        expected = later(first, steps, world.terms)
        if expected is None:
            assert now.challenge != first.challenge
        else:
            assert now == expected
        world.mine()
        steps += 1


@settings(max_examples=60, deadline=None)
@given(slots)
def test_what_is_left_out_cannot_be_marked(made: tuple[int, int, int]) -> None:
    world, slot = world_with_slot(*made)
    pace, blocks = BlockPace(world.terms), PeriodBlocks(world.terms)
    planned: dict[int, set[Duty]] = {}
    marked: set[int] = set()
    for _ in range(PERIODS * 60 // world.block_seconds + 10):
        head = Head(world.head.number, world.head.hash, world.head.timestamp)
        pace.note(head)
        blocks.note(head)
        status = world.moment(HOST).proof_status(slot)
        elapsed = blocks.elapsed(status.period, head.number + 1)
        look = Look.at(status, float(head.timestamp), elapsed, world.terms, pace)
        plan = plan_period(look, world.terms, pace)
        planned.setdefault(status.period, set()).add(plan.duty)
        if world.moment(HOST).why_not_missing(slot, status.period - 1) is None:
            marked.add(status.period - 1)
        world.mine()
    for period in marked & planned.keys():
        assert planned[period] & {Duty.REQUIRED, Duty.COMING}, planned[period]
