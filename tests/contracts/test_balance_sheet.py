"""Every token that came in went out again: to a client, a host, a validator, or the grave."""

from __future__ import annotations

import random

import pytest

from support.contract_kit import (
    ACCOUNTS,
    CLIENT,
    GRAVE,
    STRANGER,
    TOKENS,
    VALIDATOR,
    Revert,
    Setup,
)
from support.contract_world import (
    FAILED,
    FILLED,
    HOSTS,
    ORDER,
    PAID,
    REPAIR,
    World,
    no_host,
    reverts,
    slot_id,
)

ALWAYS = ORDER.but(probability=1, max_slot_loss=2)


def settle(world: World, requests: list[tuple[bytes, list[bytes]]]) -> None:
    """Everybody takes what is theirs; then the rest is burnt."""
    for request, slots in requests:
        for slot in slots:
            host = world.market.call("getHost", slot)
            if not no_host(host) and world.slot_state(slot) != PAID:
                holder = next(each for each in ACCOUNTS if each.lower() == host)
                world.free(slot, holder)
        world.withdraw(request)
    world.market.send(STRANGER, "burn")


def total(world: World) -> int:
    return sum(map(world.balance, ACCOUNTS)) + world.balance(GRAVE) + world.held


@pytest.mark.parametrize("end", ["finished", "cancelled", "failed"])
def test_nothing_is_left_however_a_request_ends(end: str) -> None:
    world = World()
    if end == "cancelled":
        request = world.request(ALWAYS)
        slots = [world.fill(request, i, HOSTS[i]) for i in range(3)]
        world.free(slots[1], HOSTS[1])
    else:
        request, slots = world.started(ALWAYS)
        world.evict(slots[0])
        world.fill(request, 0, STRANGER)
        world.mark(slots[1], world.to_missed(slots[1]))
        world.mark(slots[2], world.to_missed(slots[2]), HOSTS[2])
        world.evict(slots[3])
    if end == "failed":
        for index in (1, 2):
            world.free(slots[index], HOSTS[index])
        assert world.request_state(request) == FAILED
    world.to_end(request)
    world.machine.mine(1, 1)
    settle(world, [(request, slots)])
    assert world.held == 0
    assert total(world) == TOKENS * len(ACCOUNTS)
    received, sent, burned = world.market.call("totals")
    assert received == sent + burned
    assert burned == world.balance(GRAVE) > 0


def test_who_gets_what_of_an_evicted_host() -> None:
    """The whole sheet of the reference's worked example, at its usual settings."""
    world = World(Setup(max_slashes=2, slash=20, repair_reward=10, validator_reward=20))
    request, slots = world.started(ALWAYS)
    stake, rate = ALWAYS.stake, ALWAYS.rate
    world.evict(slots[0])
    world.fill(request, 0, STRANGER)
    refilled = world.machine.time
    ends = world.market.call("requestEnd", request)
    idle = ALWAYS.duration - (ends - refilled)
    world.to_end(request)
    settle(world, [(request, slots)])
    validators = 2 * (stake * 20 // 100 * 20 // 100)
    repair = stake * 10 // 100
    gained = {each: world.balance(each) - TOKENS for each in ACCOUNTS}
    whole = ALWAYS.duration * rate
    assert gained == {
        CLIENT: -4 * whole + idle * rate,
        HOSTS[0]: whole - stake,  # slot 3 was paid, slot 0 was lost
        HOSTS[1]: whole,
        HOSTS[2]: whole,
        VALIDATOR: validators,
        STRANGER: (ends - refilled) * rate + repair,
    }
    assert world.balance(GRAVE) == stake - validators - repair


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_left_of_many_requests_that_went_any_way(seed: int) -> None:
    rng = random.Random(seed)
    slashes = rng.choice([1, 2, 4])
    setup = Setup(
        max_slashes=slashes,
        slash=rng.randrange(1, 100 // slashes + 1),
        validator_reward=rng.randrange(0, 60),
        repair_reward=rng.randrange(0, 40),
        threshold=rng.choice([0, 1, 3]),
        max_delay=rng.choice([0, 200]),
        downtime=0,
        deposit=rng.randrange(1000),
    )
    world = World(setup)
    requests = []
    for number in range(4):
        order = ALWAYS.but(
            nonce=bytes([number]) * 32,
            slots=rng.randrange(1, 7),
            max_slot_loss=1,
            collateral=rng.randrange(1, 1000),
            slot_size=rng.randrange(1, 1000),
            duration=rng.randrange(700, 3000),
        )
        request = world.request(order)
        requests.append((request, [slot_id(request, i) for i in range(order.slots)]))
    for _ in range(150):
        request, slots = rng.choice(requests)
        index = rng.randrange(len(slots))
        host = rng.choice((*HOSTS, STRANGER))
        try:
            match rng.randrange(10):
                case 0:
                    world.free(slots[index], host)
                case 1 | 2 | 3:
                    period = world.period - 1
                    world.mark(slots[index], period, rng.choice((VALIDATOR, host)))
                case 4:
                    world.to_next_period()
                    world.machine.mine(1, 1)
                case _:
                    world.fill(request, index, host)
        except Revert:
            continue
        received, sent, burned = world.market.call("totals")
        assert world.held == received - sent - burned
    for request, _ in requests:
        world.machine.to_time(max(world.machine.time, world.market.call("requestEnd", request)) + 1)
    settle(world, requests)
    assert world.held == 0
    assert total(world) == TOKENS * len(ACCOUNTS)


def test_burning_nothing_does_nothing() -> None:
    world = World()
    request, slots = world.started()
    assert world.market.send(STRANGER, "burn").events == []
    assert world.market.call("totals")[2] == 0
    world.free(slots[0])
    assert (world.slot_state(slots[0]), world.slot_state(slots[1])) == (REPAIR, FILLED)
    with reverts("Marketplace_InvalidState"):
        world.withdraw(request)
    before = world.held
    amount = world.market.call("burnable")
    world.market.send(STRANGER, "burn")
    assert before - world.held == amount > 0
