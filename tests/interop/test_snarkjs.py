"""snarkjs verifies our proofs, we verify its proofs, and each proves with the other's keys."""

import json
from pathlib import Path

import pytest

from quire.formats import snarkjs
from quire.kernels import groth16
from quire.kernels.circuit import StorageCircuit
from quire.kernels.groth16 import ProvingKey, VerifyingKey
from support import openings
from support.circuits import squares_r1cs, squares_witness, wtns_of
from support.interop import needs_node
from support.interop import snarkjs as run

SQUARINGS = 20

pytestmark = needs_node


@pytest.fixture
def place(tmp_path):
    (tmp_path / "our.r1cs").write_bytes(squares_r1cs(SQUARINGS))
    (tmp_path / "our.wtns").write_bytes(wtns_of(squares_witness(SQUARINGS, 7, 19)))
    groth16.setup_key(tmp_path / "our.r1cs", tmp_path / "our.zkey", bytes(32))
    return tmp_path


@pytest.fixture
def storage(tmp_path):
    """Our storage circuit, small, and an honest witness."""
    circuit = StorageCircuit(**openings.PARAMETERS)
    circuit.write_r1cs(tmp_path / "our.r1cs")
    witness = circuit.witness(**openings.opening(1))
    (tmp_path / "our.wtns").write_bytes(witness.to_wtns())
    groth16.setup_key(tmp_path / "our.r1cs", tmp_path / "our.zkey", bytes(32))
    return tmp_path


def write_proof(place: Path, key: ProvingKey) -> None:
    proof, public = key.prove(groth16.read_witness((place / "our.wtns").read_bytes()))
    (place / "proof.json").write_text(groth16.proof_to_json(proof))
    (place / "public.json").write_text(snarkjs.encode_public_json(public))


def test_snarkjs_verifies_our_proof_and_refuses_another_input(place):
    key = ProvingKey.open(place / "our.zkey")
    write_proof(place, key)
    (place / "key.json").write_text(key.verifying_key.to_json())
    assert run(place, "verify") == {"good": True, "changed": False}


def test_we_verify_a_proof_that_snarkjs_makes_with_our_key_and_witness(place):
    assert run(place, "prove") == {"witness": True}
    key = VerifyingKey.from_zkey(place / "our.zkey")
    assert json.loads((place / "their_key.json").read_text()) == json.loads(key.to_json())
    assert VerifyingKey.from_json((place / "their_key.json").read_text()) == key
    public = snarkjs.parse_public_json((place / "their_public.json").read_text())
    proof = groth16.proof_from_json((place / "their_proof.json").read_text())
    assert groth16.verify(key, public, proof)
    assert not groth16.verify(key, public[:-1] + bytes([public[-1] ^ 1]), proof)


def test_proofs_of_the_storage_circuit_go_both_ways(storage):
    key = ProvingKey.open(storage / "our.zkey")
    write_proof(storage, key)
    (storage / "key.json").write_text(key.verifying_key.to_json())
    assert run(storage, "verify") == {"good": True, "changed": False}
    assert run(storage, "prove") == {"witness": True}
    public = snarkjs.parse_public_json((storage / "their_public.json").read_text())
    proof = groth16.proof_from_json((storage / "their_proof.json").read_text())
    assert groth16.verify(key.verifying_key, public, proof)


def test_we_prove_with_a_key_from_a_ceremony_of_snarkjs(place):
    assert run(place, "setup") == {"verified": True}
    key = ProvingKey.open(place / "their.zkey")
    assert key.development_circuit is None
    assert key.verifying_key == VerifyingKey.from_json((place / "key.json").read_text())
    key.check(bytes(32))
    write_proof(place, key)
    assert run(place, "verify") == {"good": True, "changed": False}
