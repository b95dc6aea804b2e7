"""Circuits that circom compiled: its witnesses are ours, our proofs of them verify elsewhere."""

import json
from pathlib import Path

import pytest

from quire.base.errors import BadEncoding, WitnessDoesNotSatisfy
from quire.formats import snarkjs as files
from quire.kernels import groth16
from quire.kernels.circuit import wasm_witness
from quire.kernels.groth16 import Cancel, ProvingKey
from support.interop import compile_circom, needs_node, node, snarkjs

pytestmark = needs_node

INPUT = {"scale": "3", "pairs": [["1", "2"], ["3", "4"], ["5", "6"]], "offset": 1}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    place = tmp_path_factory.mktemp("weighted")
    compile_circom(place, "weighted")
    groth16.setup_key(place / "weighted.r1cs", place / "weighted.zkey", bytes(32))
    return place


def program(compiled: Path) -> Path:
    return compiled / "weighted_js" / "weighted.wasm"


def test_the_witness_is_that_of_the_program_of_circom_itself(compiled, tmp_path):
    (tmp_path / "input.json").write_text(json.dumps(INPUT))
    runner = compiled / "weighted_js" / "generate_witness.js"
    node(runner, program(compiled), tmp_path / "input.json", tmp_path / "their.wtns")
    ours = wasm_witness(program(compiled), INPUT)
    assert ours.to_wtns() == (tmp_path / "their.wtns").read_bytes()
    total = (1 + 3 * (2 + 12 + 30)) ** 2
    assert ours.public(2) == total.to_bytes(32, "big") + (3).to_bytes(32, "big")


def test_snarkjs_verifies_our_proof_of_a_circuit_of_circom(compiled, tmp_path):
    key = ProvingKey.open(compiled / "weighted.zkey")
    proof, public = key.prove(wasm_witness(program(compiled), INPUT))
    (tmp_path / "key.json").write_text(key.verifying_key.to_json())
    (tmp_path / "proof.json").write_text(groth16.proof_to_json(proof))
    (tmp_path / "public.json").write_text(files.encode_public_json(public))
    assert snarkjs(tmp_path, "verify") == {"good": True, "changed": False}


def test_an_assertion_of_the_circuit_is_told_in_words(compiled):
    with pytest.raises(WitnessDoesNotSatisfy, match=r"assertion .* Weighted.* line: 12"):
        wasm_witness(program(compiled), {**INPUT, "offset": 2})


@pytest.mark.parametrize(
    ("signals", "text"),
    [
        ({"scale": 3, "offset": 1}, "takes 8 input values, and 2 were given"),
        ({**INPUT, "more": 1}, "no input signal more"),
        ({**INPUT, "Scale": 1}, "no input signal Scale"),
        ({**INPUT, "pairs": [1, 2, 3, 4, 5]}, "pairs has 6 values, and 5 were given"),
        ({**INPUT, "pairs": [[1, 2], [3, 4], [5, 6], [7, 8]]}, "pairs has 6 values, and 8"),
        ({**INPUT, "scale": []}, "scale has 1 values, and 0 were given"),
        ({}, "takes 8 input values, and 0 were given"),
    ],
)
def test_signals_that_the_circuit_does_not_take_are_refused(compiled, signals, text):
    with pytest.raises(BadEncoding, match=text):
        wasm_witness(program(compiled), signals)


def test_the_witness_has_as_many_wires_as_the_key(compiled):
    key = ProvingKey.open(compiled / "weighted.zkey")
    assert wasm_witness(program(compiled), INPUT, Cancel()).wires == key.wires
