"""The contract lets every host in at the very second that `quire.chain.dispersal` says."""

from __future__ import annotations

import random

import pytest

from quire.chain.dispersal import MOST_H, Window, distance, nonce_with_h, source
from quire.kernels.keccak import keccak256
from support.contract_kit import Setup, account
from support.contract_world import ORDER, World, reverts

EXPIRY = 613
CASES = 40


@pytest.fixture
def world() -> World:
    return World(Setup(h_bps=1234, tail_bps=700))


def seed_of(block: int) -> bytes:
    """The hash of a block of this machine."""
    return keccak256(str(block).encode())


def opening(
    window: Window, seed: bytes, request: bytes, index: int, reservation: int, host: str
) -> int:
    place = source(seed, request, index, reservation)
    return window.opens_at(distance(place, bytes.fromhex(host[2:])))


@pytest.mark.parametrize("h_bps", [1, 57, 1000, 5000, 9000, MOST_H])
def test_hosts_come_in_at_the_same_second_on_the_chain(world: World, h_bps: int) -> None:
    rng = random.Random(h_bps)
    nonce = nonce_with_h(h_bps, rng.randbytes(26))
    request = world.request(ORDER.but(nonce=nonce, expiry=EXPIRY))
    start, created = world.machine.time, world.machine.number
    window = Window(start, start + EXPIRY, h_bps, 700)
    world.machine.mine(1)
    for _ in range(CASES):
        host = account(rng.getrandbits(160))
        index = rng.randrange(ORDER.slots)
        first = opening(window, seed_of(created), request, index, 0, host)
        assert world.market.call("eligibleFrom", host, request, index) == (first, 0)
        for second in (first - 1, first):
            world.machine.time = max(start, second)
            world.machine.mine(0)
            may = world.market.call("canReserveSlot", request, index, sender=host)
            assert may == (max(start, second) >= first)
        world.machine.time = start
        world.machine.mine(0)


def test_every_further_reservation_has_its_own_place(world: World) -> None:
    request = world.request(ORDER.but(expiry=EXPIRY))
    start, created = world.machine.time, world.machine.number
    window = Window(start, start + EXPIRY, 1234, 700)
    hosts = [account(0xC0 + number) for number in range(8)]
    world.machine.mine(1)
    for reservation in range(world.setup.max_reservations):
        seconds = {
            opening(window, seed_of(created), request, 0, reservation, host): host for host in hosts
        }
        first = min(seconds)
        host = seconds[first]
        hosts.remove(host)
        assert world.market.call("eligibleFrom", host, request, 0) == (first, reservation)
        world.machine.to_time(max(first, world.machine.time))
        world.reserve(request, 0, host)


def test_nobody_comes_in_the_block_of_the_request(world: World) -> None:
    request = world.request(ORDER.but(expiry=EXPIRY))
    with reverts("SlotReservations_ReservationNotAllowed"):
        world.reserve(request)
