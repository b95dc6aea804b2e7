"""The expanding window: who may reserve a slot when."""

from __future__ import annotations

import random
import shutil

import pytest
from eth_abi import encode

from quire.kernels.keccak import keccak256
from support.contract_kit import (
    CLIENT,
    HOST,
    OTHER,
    RIGHT,
    STRANGER,
    THIRD,
    VALIDATOR,
    Contract,
    Machine,
    Setup,
)
from support.contract_world import ORDER, Order, World, reverts, slot_id
from support.solidity import compiled

WHOLE = 2**64
EVERYBODY = (HOST, OTHER, THIRD, STRANGER, VALIDATOR, CLIENT)
REFUSED = "SlotReservations_ReservationNotAllowed"
SPREAD = Setup(h_bps=1000)


# ---- the functions ----


@pytest.fixture(scope="module")
def window() -> Contract:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    made = compiled("WindowHarness", "Types.sol", "Window.sol")
    machine = Machine()
    return Contract(machine, machine.deploy(bytes.fromhex(made["bytecode"][2:])), made["abi"])


def position(host: str) -> int:
    return int.from_bytes(keccak256(encode(["address"], [host])))


def source(seed: bytes, request: bytes, index: int, number: int) -> int:
    types = ["bytes32", "bytes32", "uint64", "uint8"]
    return int.from_bytes(keccak256(encode(types, [seed, request, index, number])))


def share(x: int, h_bps: int) -> float:
    return x * h_bps / (x * h_bps + (WHOLE - x) * (10000 - h_bps))


def test_source_and_position_are_the_known_ones(window: Contract) -> None:
    host = "0x" + "11" * 20
    known = (
        "aafae41182fdefb0af836c3b506e127c7f229f33360c66de1139f4b0316f09d8",
        "994001434694d80f8d86846d4e74ae1044b481773f29bb1a39bd345e80cfb320",
    )
    seed, request = bytes([1]) * 32, bytes([2]) * 32
    assert (f"{position(host):064x}", f"{source(seed, request, 3, 1):064x}") == known
    found = window.call("distance", seed, request, 3, 1, host)
    assert found == int(known[0], 16) ^ int(known[1], 16)


@pytest.mark.parametrize(
    ("h_bps", "shares"),
    [
        (100, (0, 3e-5, 1.7e-4, 1.1e-3, 0.01, 0.048, 0.973)),
        (1000, (0, 3.7e-4, 1.9e-3, 0.0122, 0.1, 0.357, 0.9975)),
        (5000, (0, 0.0033, 0.0167, 0.1, 0.5, 0.833, 0.9997)),
        (9000, (0, 0.029, 0.132, 0.5, 0.9, 0.978, 1)),
    ],
)
def test_the_window_grows_as_known(window: Contract, h_bps: int, shares: tuple[float, ...]) -> None:
    """Known at these seconds of 3600, without a tail; found by bisecting what is admitted."""
    for time, known in zip((0, 12, 60, 360, 1800, 3000, 3599), shares, strict=True):
        x = window.call("progress", 0, 3600, 0, time)
        assert x == time * WHOLE // 3600
        low, high = 0, 2**256
        while high - low > 1:
            middle = (low + high) // 2
            if window.call("admits", x, h_bps, middle):
                low = middle
            else:
                high = middle
        assert low / 2**256 == pytest.approx(known, rel=0.13, abs=1e-9)  # as printed
        assert low / 2**256 == pytest.approx(share(x, h_bps), rel=1e-6, abs=1e-9)


def test_at_the_start_nobody_and_in_the_tail_everybody_is_admitted(window: Contract) -> None:
    assert not window.call("admits", 0, 9999, 0)
    assert window.call("admits", WHOLE, 1, 2**256 - 1)
    assert window.call("progress", 100, 1100, 500, 99) == 0
    assert window.call("progress", 100, 1100, 500, 1049) == 949 * WHOLE // 950
    assert window.call("progress", 100, 1100, 500, 1050) == WHOLE
    assert window.call("progress", 100, 100, 500, 100) == WHOLE


def test_the_opening_is_the_first_second_that_admits(window: Contract) -> None:
    rng = random.Random(7)
    for _ in range(60):
        start, length = rng.randrange(2**40), rng.randrange(1, 5000)
        tail, h = rng.randrange(10000), rng.randrange(1, 10000)
        far = rng.getrandbits(256) >> rng.randrange(20)
        end = start + length
        found = window.call("opening", start, end, tail, h, far)
        assert start <= found <= end
        assert window.call("admits", window.call("progress", start, end, tail, found), h, far)
        if found > start:
            before = window.call("progress", start, end, tail, found - 1)
            assert not window.call("admits", before, h, far)


# ---- the contract ----


def can(world: World, request: bytes, index: int, host: str) -> bool:
    return world.market.call("canReserveSlot", request, index, sender=host)


def seed_of(block: int) -> bytes:
    """The hash of a block of this machine."""
    return keccak256(str(block).encode())


def far_from(request: bytes, index: int, number: int, block: int, host: str) -> int:
    return source(seed_of(block), request, index, number) ^ position(host)


def test_a_host_may_reserve_from_the_second_that_the_contract_foretells() -> None:
    world = World(SPREAD)
    created = world.machine.number
    start = world.machine.time
    request = world.request()
    world.machine.mine()
    for host in EVERYBODY:
        opens, number = world.market.call("eligibleFrom", host, request, 0)
        assert number == 0
        x = (opens - start) * 10000 * WHOLE // (ORDER.expiry * 9500)
        far = far_from(request, 0, 0, created, host)
        assert far / 2**256 <= share(min(x, WHOLE), 1000) + 1e-9
        world.machine.to_time(opens - 1, blocks=0)
        assert not can(world, request, 0, host)
        world.machine.to_time(opens, blocks=0)
        assert can(world, request, 0, host)


def test_who_is_too_early_is_refused() -> None:
    world = World(SPREAD)
    request = world.request()
    world.machine.mine()
    with reverts(REFUSED):
        world.reserve(request)


def test_nobody_reserves_in_the_block_of_the_request() -> None:
    """The hash that decides is not known yet."""
    world = World(SPREAD)
    request = world.request()
    world.machine.to_time(world.machine.time + ORDER.expiry, blocks=0)
    assert not can(world, request, 0, HOST)
    world.machine.mine()
    assert can(world, request, 0, HOST)


def test_the_first_reservation_fixes_the_seed_of_the_request() -> None:
    world = World(SPREAD)
    created = world.machine.number
    request = world.request()
    world.machine.mine(1, ORDER.expiry)
    first = world.reserve(request, 0, HOST)
    assert first.named("SeedFixed") == [(request, seed_of(created))]
    assert not world.reserve(request, 1, OTHER).named("SeedFixed")
    world.machine.mine(400)
    assert world.market.call("eligibleFrom", STRANGER, request, 2)[0] > 0
    assert not world.reserve(request, 2, STRANGER).named("SeedFixed")


def test_a_block_that_is_out_of_reach_is_replaced_by_the_last_one() -> None:
    world = World(SPREAD)
    request = world.request()
    world.machine.mine(257, ORDER.expiry)
    done = world.reserve(request)
    assert done.named("SeedFixed") == [(request, seed_of(world.machine.number - 1))]


def test_each_reservation_of_a_slot_has_its_own_window() -> None:
    world = World(SPREAD)
    created = world.machine.number
    request = world.request()
    world.machine.mine(1, ORDER.expiry)
    world.reserve(request, 0, HOST)
    opens, number = world.market.call("eligibleFrom", OTHER, request, 0)
    assert number == 1
    far = far_from(request, 0, 1, created, OTHER)
    x = (opens - (world.machine.time - ORDER.expiry)) * 10000 * WHOLE // (ORDER.expiry * 9500)
    assert far / 2**256 <= share(min(x, WHOLE), 1000) + 1e-9


def test_a_replaced_reservation_keeps_its_number_and_so_its_window() -> None:
    world = World(SPREAD.but(ttl=10, max_reservations=2))
    request = world.request()
    world.machine.mine(1, 580)
    world.reserve(request, 0, HOST)
    world.reserve(request, 0, OTHER)
    assert world.market.call("eligibleFrom", THIRD, request, 0) == (world.machine.time + 11, 0)
    world.machine.mine(1, 11)
    done = world.reserve(request, 0, THIRD)
    assert done.named("SlotReserved")[0][3] == 0


def test_without_a_window_everybody_may_at_once() -> None:
    world = World()
    request = world.request()
    assert world.market.call("eligibleFrom", HOST, request, 0) == (0, 0)
    assert can(world, request, 0, HOST)


def test_what_cannot_be_reserved_opens_never() -> None:
    world = World(SPREAD)
    request = world.request()
    world.machine.mine(1, ORDER.expiry)
    world.reserve(request, 0, HOST)
    never = 2**64 - 1
    assert world.market.call("eligibleFrom", HOST, request, 0)[0] == never
    assert world.market.call("eligibleFrom", HOST, request, 9)[0] == never
    assert world.market.call("eligibleFrom", HOST, bytes(32), 0)[0] == never


# ---- the client's choice ----


def nonced(h: int, prefix: bytes = b"DISP") -> Order:
    return ORDER.but(nonce=prefix + h.to_bytes(2, "big") + bytes(26))


@pytest.mark.parametrize(
    ("contract", "order", "is_open"),
    [
        (1000, nonced(0), True),
        (0, nonced(1000), False),
        (0, nonced(10000), True),
        (1000, nonced(10000), False),
        (0, nonced(1000, b"DISQ"), True),
        (1000, nonced(0, b"disp"), False),
    ],
)
def test_a_request_may_choose_its_own_window(contract: int, order: Order, is_open: bool) -> None:
    world = World(Setup(h_bps=contract))
    request = world.request(order)
    world.machine.mine()
    assert can(world, request, 0, HOST) is is_open


def test_the_chosen_h_is_the_one_that_counts() -> None:
    opens = []
    for h in (100, 5000, 9900):
        world = World(SPREAD)
        request = world.request(nonced(h))
        world.machine.mine()
        opens.append(
            sum(
                world.market.call("eligibleFrom", host, request, i)[0] - world.machine.time
                for host in EVERYBODY
                for i in range(4)
            )
        )
    assert opens == sorted(opens, reverse=True)
    assert opens[0] > 2 * opens[2]


# ---- the share of a host ----


def early(world: World, order: Order = ORDER, count: int = 2) -> tuple[bytes, list[int]]:
    """A request and slots that HOST may reserve before the tail; now is shortly before it."""
    request = world.request(order)
    world.machine.mine(1, 560)
    found = [i for i in range(order.slots) if can(world, request, i, HOST)]
    assert len(found) >= count, "choose another h"
    return request, found


def test_before_the_tail_a_host_has_no_more_than_may_be_lost() -> None:
    world = World(Setup(h_bps=9900))
    request, slots = early(world)
    world.reserve(request, slots[0])
    assert not can(world, request, slots[1], HOST)
    with reverts(REFUSED):
        world.reserve(request, slots[1])
    opens, _ = world.market.call("eligibleFrom", HOST, request, slots[1])
    assert opens == world.machine.time - 560 + ORDER.expiry * 95 // 100
    world.machine.to_time(opens)
    world.reserve(request, slots[1])


def test_a_filled_slot_counts_until_it_is_lost() -> None:
    world = World(Setup(h_bps=9900))
    request, slots = early(world)
    world.reserve(request, slots[0])
    world.market.send(HOST, "fillSlot", request, slots[0], RIGHT)
    assert not can(world, request, slots[1], HOST)
    world.free(slot_id(request, slots[0]))
    assert can(world, request, slots[1], HOST)


def test_a_reservation_counts_no_more_when_another_filled_the_slot() -> None:
    world = World(Setup(h_bps=9900))
    request, slots = early(world)
    world.reserve(request, slots[0])
    other = next(h for h in EVERYBODY[1:] if can(world, request, slots[0], h))
    world.reserve(request, slots[0], other)
    assert not can(world, request, slots[1], HOST)
    world.market.send(other, "fillSlot", request, slots[0], RIGHT)
    assert can(world, request, slots[1], HOST)


def test_a_reservation_counts_until_it_is_replaced() -> None:
    world = World(Setup(h_bps=9900, ttl=5, max_reservations=1))
    request, slots = early(world)
    world.reserve(request, slots[0])
    world.machine.mine(1, 6)
    assert not can(world, request, slots[1], HOST)
    other = next(h for h in EVERYBODY[1:] if can(world, request, slots[0], h))
    world.reserve(request, slots[0], other)
    assert can(world, request, slots[1], HOST)


def test_a_greater_tolerance_lets_a_host_have_more() -> None:
    world = World(Setup(h_bps=9900))
    request, slots = early(world, ORDER.but(slots=6, max_slot_loss=2), 3)
    world.reserve(request, slots[0])
    world.reserve(request, slots[1])
    assert not can(world, request, slots[2], HOST)


# ---- slots in repair ----


def test_a_slot_in_repair_has_a_window_and_a_seed_of_its_own() -> None:
    world = World(SPREAD.but(repair_window=100))
    request = world.request(ORDER.but(slots=1, max_slot_loss=1))
    world.machine.mine(1, ORDER.expiry)
    slot = world.fill(request)
    world.machine.mine(10, 50)
    world.free(slot)
    freed = world.machine.number, world.machine.time
    assert not can(world, request, 0, HOST)
    world.machine.mine()
    opens, _ = world.market.call("eligibleFrom", OTHER, request, 0)
    assert freed[1] < opens <= freed[1] + 95
    world.machine.to_time(opens, blocks=0)
    done = world.reserve(request, 0, OTHER)
    assert done.named("SeedFixed") == [(request, seed_of(freed[0]))]
    assert world.market.send(OTHER, "fillSlot", request, 0, RIGHT).named("SlotFilled")


def test_the_window_of_repair_ends_with_the_request() -> None:
    world = World(SPREAD.but(repair_window=10_000))
    request = world.request(ORDER.but(slots=1, max_slot_loss=1))
    world.machine.mine(1, ORDER.expiry)
    slot = world.fill(request)
    world.machine.to_time(world.market.call("requestEnd", request) - 20)
    world.free(slot)
    world.machine.mine(1, 19)
    assert can(world, request, 0, OTHER)
