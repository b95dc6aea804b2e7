"""Mistakes of ours that the model or forge found; each was once in the contract."""

from __future__ import annotations

from support.contract_kit import HOST, OTHER, RIGHT, Setup
from support.contract_world import ORDER, World, reverts


def test_a_delegate_may_submit_for_another_host_and_then_for_itself() -> None:
    world = World(Setup(downtime=0))
    _, slots = world.started(ORDER.but(probability=1))
    world.market.send(HOST, "setProofDelegate", OTHER, True)
    world.to_next_period()
    made = world.market.send(OTHER, "submitProofs", [slots[0], slots[1]], [RIGHT, RIGHT])
    assert made.named("ProofSubmitted") == [(slots[0],), (slots[1],)]


def test_without_any_slashes_the_first_miss_is_the_end_and_has_to_be_paid_for_too() -> None:
    with reverts("Marketplace_InsolventConfiguration"):
        World(Setup(max_slashes=0, slash=50, validator_reward=20, repair_reward=100))
    World(Setup(max_slashes=0, slash=50, validator_reward=20, repair_reward=90))


def test_nobody_may_submit_for_a_slot_without_a_host() -> None:
    world = World(Setup(downtime=0))
    _, slots = world.started(ORDER.but(probability=1, max_slot_loss=4))
    world.free(slots[0])
    world.to_next_period()
    with reverts("Marketplace_ProofNotSubmittedByHost"):
        world.market.send(OTHER, "submitProofs", [slots[0]], [RIGHT])
    with reverts("Marketplace_ProofNotSubmittedByHost"):
        world.market.send(OTHER, "submitProofs", [slots[1], slots[0]], [RIGHT, RIGHT])
