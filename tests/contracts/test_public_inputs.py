"""The contract works out itself what has to be proved, byte order and all."""

from __future__ import annotations

import random

import pytest

from support.contract_kit import HOST, OTHER, STRANGER, Machine, deployed
from support.contract_world import ORDER, World, reverts, slot_id
from support.trapdoor import KEY_TYPE, R, Trapdoor, trapdoor

ROOT = bytes(range(1, 32)) + b"\x05"  # little-endian, below the modulus
RNG = random.Random(5)
INDEX = 2


@pytest.fixture(params=[3, 4], ids=["3 inputs", "4 inputs"])
def door(request: pytest.FixtureRequest) -> Trapdoor:
    return trapdoor(request.param)


@pytest.fixture
def world(door: Trapdoor) -> World:
    machine = Machine()
    verifier = deployed(machine, "Groth16Verifier", (KEY_TYPE,), (door.key,))
    return World(machine=machine, verifier=verifier)


def inputs(door: Trapdoor, challenge: bytes, host: str = HOST) -> list[int]:
    entropy = int.from_bytes(challenge[:31], "little")
    known = [entropy, int.from_bytes(ROOT, "little"), INDEX, int(host, 16)]
    return known[: len(door.logs) - 1]


def reserved(world: World) -> tuple[bytes, bytes]:
    """A request whose slot HOST may fill, and the challenge."""
    request = world.request(ORDER.but(merkle_root=ROOT))
    world.reserve(request, INDEX)
    return request, world.market.call("getChallenge", slot_id(request, INDEX))


def test_entropy_is_the_first_31_bytes_and_the_root_is_little_endian(
    world: World, door: Trapdoor
) -> None:
    request, challenge = reserved(world)
    proof = door.prove(inputs(door, challenge), RNG)
    world.market.send(HOST, "fillSlot", request, INDEX, proof)


def test_anything_else_is_not_what_has_to_be_proved(world: World, door: Trapdoor) -> None:
    request, challenge = reserved(world)
    right = inputs(door, challenge)
    others = [
        [int.from_bytes(challenge[:31]), *right[1:]],
        [int.from_bytes(challenge, "little") % R, *right[1:]],
        [int.from_bytes(challenge[1:], "little"), *right[1:]],
        [right[0], int.from_bytes(ROOT), *right[2:]],
        [*right[:2], INDEX + 1, *right[3:]],
        [right[1], right[0], *right[2:]],
    ]
    if len(right) == 4:
        others += [[*right[:3], int(OTHER, 16)], [*right[:3], 0], [*right[:3], int(HOST, 16) << 96]]
    for wrong in others:
        with reverts("Proofs_InvalidProof"):
            proof = door.prove(wrong, RNG)
            world.market.send(HOST, "fillSlot", request, INDEX, proof)


def test_the_host_is_that_of_the_slot_whoever_submits(world: World, door: Trapdoor) -> None:
    request, challenge = reserved(world)
    proof = door.prove(inputs(door, challenge), RNG)
    world.market.send(HOST, "fillSlot", request, INDEX, proof)
    world.market.send(HOST, "setProofDelegate", STRANGER, True)
    world.to_next_period()
    slot = slot_id(request, INDEX)
    challenge = world.market.call("getChallenge", slot)
    if len(door.logs) == 5:
        wrong = door.prove(inputs(door, challenge, STRANGER), RNG)
        with reverts("Proofs_InvalidProof"):
            world.market.send(STRANGER, "submitProofs", [slot], [wrong])
    proof = door.prove(inputs(door, challenge), RNG)
    world.market.send(STRANGER, "submitProofs", [slot], [proof])
