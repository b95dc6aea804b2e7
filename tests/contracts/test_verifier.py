"""The Groth16 verifier, with keys whose secrets are known."""

from __future__ import annotations

import random
from typing import Any

import pytest

from support.contract_kit import Contract, Machine, deployed
from support.contract_world import reverts
from support.trapdoor import KEY_TYPE, P, R, Trapdoor, trapdoor

RNG = random.Random(4)


def verifier_of(door: Trapdoor) -> Contract:
    return deployed(Machine(), "Groth16Verifier", (KEY_TYPE,), (door.key,))


@pytest.fixture(params=[3, 4], ids=["3 inputs", "4 inputs"])
def door(request: pytest.FixtureRequest) -> Trapdoor:
    return trapdoor(request.param)


@pytest.fixture
def verifier(door: Trapdoor) -> Contract:
    return verifier_of(door)


def inputs_for(door: Trapdoor) -> list[int]:
    return [RNG.randrange(R) for _ in door.logs[1:]]


def altered(proof: Any, number: int, change: Any) -> Any:
    """A proof with one of its eight words changed."""
    (ax, ay), ((bxr, bxi), (byr, byi)), (cx, cy) = proof
    words = [ax, ay, bxr, bxi, byr, byi, cx, cy]
    words[number] = change(words[number])
    ax, ay, bxr, bxi, byr, byi, cx, cy = words
    return (ax, ay), ((bxr, bxi), (byr, byi)), (cx, cy)


def test_a_right_proof_is_right(door: Trapdoor, verifier: Contract) -> None:
    assert verifier.call("inputCount") == len(door.logs) - 1
    for _ in range(3):
        inputs = inputs_for(door)
        assert verifier.call("verify", door.prove(inputs, RNG), inputs) is True


def test_inputs_of_nought_and_of_the_most_are_fine(door: Trapdoor, verifier: Contract) -> None:
    for value in (0, R - 1):
        inputs = [value] * (len(door.logs) - 1)
        assert verifier.call("verify", door.prove(inputs, RNG), inputs) is True


def test_a_proof_of_something_else_is_wrong(door: Trapdoor, verifier: Contract) -> None:
    inputs = inputs_for(door)
    proof = door.prove(inputs, RNG)
    for i in range(len(inputs)):
        other = [x ^ (i == j) for j, x in enumerate(inputs)]
        assert verifier.call("verify", proof, other) is False


def test_a_proof_under_another_key_is_wrong(door: Trapdoor, verifier: Contract) -> None:
    inputs = inputs_for(door)
    other = trapdoor(len(inputs), seed=99)
    assert verifier.call("verify", other.prove(inputs, RNG), inputs) is False


@pytest.mark.parametrize("number", range(8))
def test_no_word_of_a_proof_may_change(door: Trapdoor, verifier: Contract, number: int) -> None:
    inputs = inputs_for(door)
    proof = door.prove(inputs, RNG)
    for change in (lambda w: w + 1, lambda w: (P - w) % P, lambda w: w + P, lambda _: 0):
        changed = altered(proof, number, change)
        assert verifier.call("verify", changed, inputs) is False
        assert verifier.call("verifyBatch", [changed], inputs) is False


def test_the_same_number_in_another_writing_is_refused(door: Trapdoor, verifier: Contract) -> None:
    inputs = [*inputs_for(door)[:-1], 5]
    proof = door.prove(inputs, RNG)
    inputs[-1] += R
    assert verifier.call("verify", proof, inputs) is False
    assert verifier.call("verifyBatch", [proof], inputs) is False


def test_the_number_of_inputs_has_to_fit(door: Trapdoor, verifier: Contract) -> None:
    inputs = inputs_for(door)
    proof = door.prove(inputs, RNG)
    for wrong in ([], inputs[:-1], [*inputs, 0]):
        assert verifier.call("verify", proof, wrong) is False
        assert verifier.call("verifyBatch", [proof], wrong) is False


def test_nothing_proves_nothing(door: Trapdoor, verifier: Contract) -> None:
    nothing = ((0, 0), ((0, 0), (0, 0)), (0, 0))
    assert verifier.call("verify", nothing, inputs_for(door)) is False
    assert verifier.call("verifyBatch", [nothing], inputs_for(door)) is False


@pytest.mark.parametrize("count", [1, 2, 5, 33])
def test_a_batch_of_right_proofs_is_right(door: Trapdoor, verifier: Contract, count: int) -> None:
    many = [inputs_for(door) for _ in range(count)]
    flat = [x for inputs in many for x in inputs]
    proofs = [door.prove(inputs, RNG) for inputs in many]
    assert verifier.call("verifyBatch", proofs, flat) is True


def test_one_wrong_proof_makes_a_batch_wrong_wherever_it_is(
    door: Trapdoor, verifier: Contract
) -> None:
    many = [inputs_for(door) for _ in range(4)]
    flat = [x for inputs in many for x in inputs]
    proofs = [door.prove(inputs, RNG) for inputs in many]
    for i in range(4):
        spoiled = [door.prove(inputs_for(door), RNG) if j == i else p for j, p in enumerate(proofs)]
        assert verifier.call("verifyBatch", spoiled, flat) is False
        for j in range(8):
            spoiled[i] = altered(proofs[i], j, lambda w: w + P)
            assert verifier.call("verifyBatch", spoiled, flat) is False


def test_errors_of_two_proofs_do_not_cancel_out(door: Trapdoor, verifier: Contract) -> None:
    """Inputs swapped between proofs: their plain sum would still be right."""
    first, second = inputs_for(door), inputs_for(door)
    proofs = [door.prove(first, RNG), door.prove(second, RNG)]
    assert verifier.call("verifyBatch", proofs, first + second) is True
    assert verifier.call("verifyBatch", proofs, second + first) is False


def test_a_batch_of_none_is_right(verifier: Contract) -> None:
    assert verifier.call("verifyBatch", [], []) is True
    assert verifier.call("verifyBatch", [], [1]) is False


@pytest.mark.parametrize("inputs", [0, 2, 5])
def test_keys_for_other_numbers_of_inputs_are_refused(inputs: int) -> None:
    with reverts("Groth16Verifier_UnsupportedInputCount"):
        verifier_of(trapdoor(inputs))
