"""When proofs are due, and giving them."""

from __future__ import annotations

import pytest

from quire.kernels.keccak import keccak256
from support.contract_kit import HOST, OTHER, RIGHT, STRANGER, WRONG, Setup
from support.contract_world import ORDER, World, refuses, reverts

ALWAYS = ORDER.but(probability=1)


@pytest.fixture
def world() -> World:
    return World()


def block_hash(number: int) -> bytes:
    return keccak256(str(number).encode())


def pointer(world: World, slot: bytes) -> int:
    return world.market.call("getPointer", slot)


# ---- submitting ----


def test_the_host_proves_once_in_a_period(world: World) -> None:
    _, slots = world.started()
    world.to_next_period()
    done = world.market.send(HOST, "submitProof", slots[0], RIGHT)
    assert done.named("ProofSubmitted") == [(slots[0],)]
    with reverts("Proofs_ProofAlreadySubmitted"):
        world.market.send(HOST, "submitProof", slots[0], RIGHT)
    world.to_next_period()
    world.market.send(HOST, "submitProof", slots[0], RIGHT)


def test_filling_counts_as_the_proof_of_its_period(world: World) -> None:
    _, slots = world.started()
    with reverts("Proofs_ProofAlreadySubmitted"):
        world.market.send(HOST, "submitProof", slots[0], RIGHT)


def test_proofs_are_remembered_over_many_periods(world: World) -> None:
    """More periods than a word of the contract holds."""
    _, slots = world.started(ORDER.but(duration=10_000))
    for _ in range(300):
        world.to_next_period()
        world.market.send(HOST, "submitProof", slots[0], RIGHT)
        with reverts("Proofs_ProofAlreadySubmitted"):
            world.market.send(HOST, "submitProof", slots[0], RIGHT)


def test_only_the_host_proves(world: World) -> None:
    _, slots = world.started()
    world.to_next_period()
    for other in (OTHER, STRANGER):
        with reverts("Marketplace_ProofNotSubmittedByHost"):
            world.market.send(other, "submitProof", slots[0], RIGHT)


def test_a_wrong_proof_is_refused_and_not_remembered(world: World) -> None:
    _, slots = world.started()
    world.to_next_period()
    with reverts("Proofs_InvalidProof"):
        world.market.send(HOST, "submitProof", slots[0], WRONG)
    world.market.send(HOST, "submitProof", slots[0], RIGHT)


def test_a_slot_that_nobody_asked_for_is_not_proved(world: World) -> None:
    with reverts("Marketplace_UnknownRequest"):
        world.market.send(HOST, "submitProof", bytes(32), RIGHT)


# ---- pointer and challenge ----


def test_the_pointer_moves_by_one_with_each_block(world: World) -> None:
    _, slots = world.started()
    first = pointer(world, slots[0])
    for moved in range(300):
        assert pointer(world, slots[0]) == (first + moved) % 256
        world.machine.mine()


def test_the_pointer_jumps_from_period_to_period_and_differs_by_slot(world: World) -> None:
    _, slots = world.started()
    q = world.setup.downtime_product
    for slot in slots:
        for _ in range(3):
            known = (world.machine.number + world.period * q + slot[31]) % 256
            assert pointer(world, slot) == known
            world.machine.mine(1, world.setup.period)


def test_the_challenge_is_of_the_block_that_the_pointer_is_at(world: World) -> None:
    _, slots = world.started()
    for _ in range(20):
        behind = world.machine.number - 1 - pointer(world, slots[0])
        assert world.market.call("getChallenge", slots[0]) == keccak256(block_hash(behind))
        world.machine.mine(17, 3)


def test_the_challenge_stays_within_a_period_until_the_pointer_wraps(world: World) -> None:
    _, slots = world.started()
    while pointer(world, slots[0]) != 250:
        world.machine.mine()
    first = world.market.call("getChallenge", slots[0])
    for _ in range(5):
        world.machine.mine()
        assert world.market.call("getChallenge", slots[0]) == first
    world.machine.mine()
    assert pointer(world, slots[0]) == 0
    assert world.market.call("getChallenge", slots[0]) != first


def test_challenges_differ_by_slot_and_by_period(world: World) -> None:
    _, slots = world.started()
    found = set()
    for _ in range(4):
        found |= {world.market.call("getChallenge", slot) for slot in slots}
        world.to_next_period()
    assert len(found) == 16


# ---- whether one is due ----


def test_probability_is_scaled_by_the_downtime(world: World) -> None:
    _, slots = world.started(ORDER.but(probability=100))
    assert world.market.call("slotProbability", slots[0]) == 100 * (256 - 64) // 256
    assert world.market.call("slotProbability", bytes(32)) == 0


def test_proofs_are_due_about_as_often_as_agreed(world: World) -> None:
    """One of 4 over all, in the part of the periods that is not downtime: 1 of 3 there."""
    _, slots = world.started(ORDER.but(probability=4, duration=100_000))
    periods, due = 0, 0
    for _ in range(1200):
        world.to_next_period()
        for slot in slots[:1]:
            periods += 1
            due += world.market.call("isProofRequired", slot)
    expected = periods / 4
    assert abs(due - expected) < 5 * (periods * 0.25 * 0.75) ** 0.5


def test_with_probability_one_every_period_outside_the_downtime_asks(world: World) -> None:
    _, slots = world.started(ALWAYS)
    for _ in range(100):
        world.to_next_period()
        is_down = pointer(world, slots[0]) < world.setup.downtime
        assert world.market.call("isProofRequired", slots[0]) is not is_down
        assert world.market.call("willProofBeRequired", slots[0]) is is_down


def test_none_is_due_in_the_period_of_filling(world: World) -> None:
    world.to_next_period()
    _, slots = world.started(ALWAYS)
    for _ in range(256):
        assert not world.market.call("isProofRequired", slots[0])
        assert not world.market.call("willProofBeRequired", slots[0])
        world.machine.mine()
    world.to_required(slots[0])


def test_a_proof_that_will_be_due_is_due_when_the_downtime_is_over(world: World) -> None:
    _, slots = world.started()
    world.to_required(slots[0], "willProofBeRequired")
    challenge = world.market.call("getChallenge", slots[0])
    assert not world.market.call("isProofRequired", slots[0])
    world.machine.mine(world.setup.downtime - pointer(world, slots[0]) - 1)
    assert world.market.call("willProofBeRequired", slots[0])
    world.machine.mine()
    assert not world.market.call("willProofBeRequired", slots[0])
    assert world.market.call("isProofRequired", slots[0])
    assert world.market.call("getChallenge", slots[0]) == challenge


def test_slots_are_asked_independently(world: World) -> None:
    _, slots = world.started(ORDER.but(duration=10_000))
    seen = set()
    for _ in range(60):
        world.to_next_period()
        seen.add(tuple(world.market.call("isProofRequired", slot) for slot in slots[:2]))
    assert len(seen) == 4


def test_none_is_due_of_slots_that_are_not_filled(world: World) -> None:
    _, slots = world.started(ALWAYS)
    world.free(slots[0])
    for slot in (slots[0], bytes(32)):
        for _ in range(20):
            world.to_next_period()
            assert not world.market.call("isProofRequired", slot)
            assert not world.market.call("willProofBeRequired", slot)


def test_none_is_due_after_the_request_ended(world: World) -> None:
    finished, slots = world.started(ALWAYS)
    cancelled = world.request(ALWAYS.but(nonce=bytes(32)))
    half = world.fill(cancelled)
    world.to_required(half)
    for request, slot in ((cancelled, half), (finished, slots[0])):
        world.to_end(request)
        for _ in range(20):
            world.to_next_period()
            assert not world.market.call("isProofRequired", slot)
            assert not world.market.call("willProofBeRequired", slot)


# ---- marking what is missing ----


def test_a_missed_proof_is_marked_and_costs_collateral(world: World) -> None:
    _, slots = world.started(ALWAYS)
    period = world.to_missed(slots[0])
    world.mark(slots[0], period)
    assert world.market.call("missingProofs", slots[0]) == 1
    assert world.market.call("currentCollateral", slots[0]) == ORDER.stake * 9 // 10


def test_the_validator_gets_its_part(world: World) -> None:
    _, slots = world.started(ALWAYS)
    period = world.to_missed(slots[0])
    before = world.balance(STRANGER)
    world.mark(slots[0], period, STRANGER)
    assert world.balance(STRANGER) - before == ORDER.stake // 10 // 5


def test_every_slash_is_of_the_whole_collateral(world: World) -> None:
    _, slots = world.started(ALWAYS)
    for count in range(1, world.setup.max_slashes):
        world.mark(slots[0], world.to_missed(slots[0]))
        left = world.market.call("currentCollateral", slots[0])
        assert left == ORDER.stake - count * (ORDER.stake // 10)


def test_the_known_example_of_a_slash() -> None:
    world = World(Setup(max_slashes=2, slash=20))
    order = ORDER.but(slot_size=2**30, collateral=1, price=1, probability=1)
    request, slots = world.started(order)
    before = world.balance(STRANGER)
    world.mark(slots[0], world.to_missed(slots[0]), STRANGER)
    assert world.market.call("currentCollateral", slots[0]) == 2**30 - 214_748_364
    assert world.balance(STRANGER) - before == 42_949_672
    world.mark(slots[0], world.to_missed(slots[0]))
    before = world.balance(OTHER)
    world.fill(request, 0, OTHER)
    assert before - world.balance(OTHER) == 966_367_642


def test_a_host_that_missed_too_much_loses_the_slot(world: World) -> None:
    request, slots = world.started(ALWAYS)
    *slashed, evicted = world.evict(slots[0])
    assert not any(done.named("SlotFreed") for done in slashed)
    assert evicted.named("SlotFreed") == [(request, 0)]
    assert evicted.named("SlotEvicted") == [(request, 0)]


def test_the_next_host_starts_with_none_missed(world: World) -> None:
    request, slots = world.started(ALWAYS)
    world.evict(slots[0])
    assert world.market.call("missingProofs", slots[0]) == 0
    world.fill(request, 0, STRANGER)
    assert world.market.call("missingProofs", slots[0]) == 0
    world.mark(slots[0], world.to_missed(slots[0]))
    assert world.market.call("missingProofs", slots[0]) == 1


def test_a_missed_proof_is_marked_once(world: World) -> None:
    _, slots = world.started(ALWAYS)
    period = world.to_missed(slots[0])
    world.mark(slots[0], period)
    with reverts("Proofs_ProofAlreadyMarkedMissing"):
        world.mark(slots[0], period)


def test_nothing_is_marked_before_the_period_ended(world: World) -> None:
    _, slots = world.started(ALWAYS)
    period = world.to_missed(slots[0]) + 1
    with reverts("Proofs_PeriodNotEnded"):
        world.mark(slots[0], period)
    world.machine.to_time((period + 1) * world.setup.period)
    with reverts("Proofs_PeriodNotEnded"):
        world.mark(slots[0], period)


def test_nothing_is_marked_when_it_is_too_late(world: World) -> None:
    _, slots = world.started(ALWAYS)
    period = world.to_missed(slots[0])
    end = (period + 1) * world.setup.period
    world.machine.to_time(end + world.setup.timeout - 1, blocks=0)
    assert not refuses(world.market, "canMarkProofAsMissing", slots[0], period)
    world.machine.to_time(end + world.setup.timeout, blocks=0)
    with reverts("Proofs_ValidationTimedOut"):
        world.mark(slots[0], period)


def test_nothing_is_marked_that_was_proved(world: World) -> None:
    _, slots = world.started(ALWAYS)
    world.to_required(slots[0])
    period = world.period
    world.market.send(HOST, "submitProof", slots[0], RIGHT)
    world.to_next_period()
    world.machine.mine(1, 1)
    with reverts("Proofs_ProofNotMissing"):
        world.mark(slots[0], period)


def test_the_longest_timeout_remembers_what_was_proved() -> None:
    """Every second period is proved; all that can still be marked are those in between."""
    world = World(Setup(timeout=229, max_slashes=100, slash=1, downtime=0))
    _, slots = world.started(ALWAYS)
    first = world.period
    proved = [first]
    for number in range(60):
        world.to_next_period()
        if number % 2:
            world.market.send(HOST, "submitProof", slots[0], RIGHT)
            proved.append(world.period)
        world.machine.to_time(world.machine.time + 8)
    found = {
        period: refuses(world.market, "canMarkProofAsMissing", slots[0], period)
        for period in range(first, world.period + 1)
    }
    markable = range(world.period - 23, world.period)
    for period, problem in found.items():
        if period == world.period:
            assert problem == "Proofs_PeriodNotEnded"
        elif period not in markable:
            assert problem == "Proofs_ValidationTimedOut"
        else:
            assert problem == ("Proofs_ProofNotMissing" if period in proved else "")


def test_nothing_is_marked_that_was_not_due(world: World) -> None:
    _, slots = world.started(ALWAYS)
    world.to_next_period()
    for _ in range(50):
        world.to_next_period()
        world.machine.mine(1, 1)
        if refuses(world.market, "canMarkProofAsMissing", slots[0], world.period - 1):
            break
    with reverts("Proofs_ProofNotRequired"):
        world.mark(slots[0], world.period - 1)


def test_nothing_is_marked_when_the_request_ended(world: World) -> None:
    request = world.request(ALWAYS)
    slot = world.fill(request)
    world.to_expiry(request)
    with reverts("Marketplace_SlotNotAcceptingProofs"):
        world.mark(slot, world.period - 1)
    with reverts("Marketplace_SlotNotAcceptingProofs"):
        world.mark(bytes(32), world.period - 1)
