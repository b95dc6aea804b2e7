"""Many proofs, marks and questions in one call."""

from __future__ import annotations

import pytest

from support.contract_kit import HOST, OTHER, RIGHT, STRANGER, THIRD, VALIDATOR, WRONG
from support.contract_world import (
    FILLED,
    HOSTS,
    ORDER,
    REPAIR,
    World,
    refuses,
    reverts,
    slot_id,
)

ALWAYS = ORDER.but(probability=1)


@pytest.fixture
def world() -> World:
    return World()


# ---- submitting ----


def test_a_host_proves_many_slots_at_once(world: World) -> None:
    request = world.request()
    slots = [world.fill(request, i, HOST) for i in range(4)]
    world.to_next_period()
    done = world.market.send(HOST, "submitProofs", slots, [RIGHT] * 4)
    assert done.named("ProofSubmitted") == [(slot,) for slot in slots]
    for slot in slots:
        with reverts("Proofs_ProofAlreadySubmitted"):
            world.market.send(HOST, "submitProof", slot, RIGHT)


def test_a_delegate_proves_for_all_hosts_that_allowed_it(world: World) -> None:
    _, slots = world.started()
    for host in HOSTS:
        done = world.market.send(host, "setProofDelegate", STRANGER, True)
        assert done.named("ProofDelegateSet") == [(host.lower(), STRANGER.lower(), True)]
    world.to_next_period()
    world.market.send(STRANGER, "submitProofs", slots, [RIGHT] * 4)


def test_one_slot_of_a_host_that_did_not_allow_it_spoils_all(world: World) -> None:
    _, slots = world.started()
    for host in (HOST, OTHER):
        world.market.send(host, "setProofDelegate", STRANGER, True)
    world.to_next_period()
    with reverts("Marketplace_ProofNotSubmittedByHost"):
        world.market.send(STRANGER, "submitProofs", slots, [RIGHT] * 4)
    with reverts("Marketplace_ProofNotSubmittedByHost"):
        world.market.send(HOST, "submitProofs", slots, [RIGHT] * 4)
    world.market.send(STRANGER, "submitProofs", slots[:2], [RIGHT] * 2)


def test_a_delegate_is_dismissed(world: World) -> None:
    _, slots = world.started()
    world.market.send(HOST, "setProofDelegate", STRANGER, True)
    world.market.send(HOST, "setProofDelegate", STRANGER, False)
    world.to_next_period()
    with reverts("Marketplace_ProofNotSubmittedByHost"):
        world.market.send(STRANGER, "submitProofs", slots[:1], [RIGHT])


def test_a_delegate_does_nothing_else(world: World) -> None:
    _, slots = world.started()
    world.market.send(HOST, "setProofDelegate", STRANGER, True)
    world.to_next_period()
    with reverts("Marketplace_ProofNotSubmittedByHost"):
        world.market.send(STRANGER, "submitProof", slots[0], RIGHT)
    with reverts("Marketplace_InvalidSlotHost"):
        world.free(slots[0], STRANGER)


def test_one_wrong_proof_spoils_all(world: World) -> None:
    _, slots = world.started()
    world.to_next_period()
    with reverts("Proofs_InvalidProof"):
        world.market.send(HOST, "submitProofs", [slots[0], slots[3]], [RIGHT, WRONG])
    world.market.send(HOST, "submitProofs", [slots[0], slots[3]], [RIGHT, RIGHT])


def test_no_slot_is_proved_twice_at_once(world: World) -> None:
    _, slots = world.started()
    world.to_next_period()
    with reverts("Proofs_ProofAlreadySubmitted"):
        world.market.send(HOST, "submitProofs", [slots[0], slots[0]], [RIGHT, RIGHT])


def test_every_slot_has_its_proof(world: World) -> None:
    _, slots = world.started()
    world.to_next_period()
    with reverts("Proofs_LengthMismatch"):
        world.market.send(HOST, "submitProofs", [slots[0], slots[3]], [RIGHT])
    with reverts("Marketplace_UnknownRequest"):
        world.market.send(HOST, "submitProofs", [bytes(32)], [RIGHT])
    assert world.market.send(HOST, "submitProofs", [], []).events == []


# ---- marking ----


def test_many_are_marked_and_paid_at_once(world: World) -> None:
    _, slots = world.started(ALWAYS)
    for _ in range(500):
        period = world.to_missed(slots[0])
        if not any(refuses(world.market, "canMarkProofAsMissing", s, period) for s in slots):
            break
    before = world.balance(VALIDATOR)
    done = world.market.send(VALIDATOR, "markProofsAsMissing", slots, [period] * 4)
    assert done.value == 4
    assert [world.market.call("missingProofs", slot) for slot in slots] == [1] * 4
    assert world.balance(VALIDATOR) - before == 4 * (ORDER.stake // 10 // 5)


def test_those_that_cannot_be_marked_are_left_out(world: World) -> None:
    _, slots = world.started(ALWAYS)
    period = world.to_missed(slots[0])
    asked = [slots[0], slots[0], bytes(32), slots[0], slots[0]]
    periods = [period + 1, period, period, period, period - 1]
    done = world.market.send(VALIDATOR, "markProofsAsMissing", asked, periods)
    assert done.value == 1
    assert world.market.call("missingProofs", slots[0]) == 1
    nothing = world.market.send(VALIDATOR, "markProofsAsMissing", asked, periods)
    assert (nothing.value, nothing.events) == (0, [])
    with reverts("Proofs_LengthMismatch"):
        world.market.send(VALIDATOR, "markProofsAsMissing", asked, [period])


def test_a_host_in_a_batch_of_its_own_gets_rewards_of_the_others_only(world: World) -> None:
    _, slots = world.started(ALWAYS)
    pair = slots[:2]
    for _ in range(500):
        period = world.to_missed(slots[0])
        if not refuses(world.market, "canMarkProofAsMissing", slots[1], period):
            break
    before = world.balance(HOST)
    assert world.market.send(HOST, "markProofsAsMissing", pair, [period] * 2).value == 2
    assert world.balance(HOST) - before == ORDER.stake // 10 // 5
    assert world.market.call("burnable") == ORDER.stake // 10 // 5


def test_marking_many_evicts_as_marking_one_does(world: World) -> None:
    request, slots = world.started(ALWAYS)
    for _ in range(4):
        world.mark(slots[0], world.to_missed(slots[0]))
    period = world.to_missed(slots[0])
    done = world.market.send(VALIDATOR, "markProofsAsMissing", [slots[0]], [period])
    assert done.named("SlotFreed") == [(request, 0)]
    assert world.slot_state(slots[0]) == REPAIR


# ---- asking ----


def test_all_that_a_host_asks_each_period_comes_in_one_answer(world: World) -> None:
    request, slots = world.started()
    asked = [*slots, slot_id(request, 7)]
    for _ in range(40):
        world.to_next_period()
        period, statuses = world.market.call("proofStatuses", asked)
        assert period == world.period
        for slot, status in zip(asked, statuses, strict=True):
            assert status == (
                world.market.call("isProofRequired", slot),
                world.market.call("willProofBeRequired", slot),
                world.market.call("getChallenge", slot),
                world.market.call("getPointer", slot),
            )


def test_states_come_in_one_answer(world: World) -> None:
    _, slots = world.started()
    world.free(slots[2], THIRD)
    assert world.market.call("slotStates", slots) == (FILLED, FILLED, REPAIR, FILLED)
    assert world.market.call("slotStates", []) == ()
