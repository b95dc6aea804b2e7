"""Our storage circuit under snarkjs: its constraints, its witnesses, its proofs, both ways."""

import pytest

from quire.formats import snarkjs as files
from quire.kernels import groth16
from quire.kernels.circuit import StorageCircuit
from quire.kernels.groth16 import ProvingKey, VerifyingKey
from support.interop import needs_node, snarkjs
from support.openings import PARAMETERS, opening

pytestmark = needs_node


@pytest.fixture
def place(tmp_path):
    circuit = StorageCircuit(**PARAMETERS)
    circuit.write_r1cs(tmp_path / "our.r1cs")
    (tmp_path / "our.wtns").write_bytes(circuit.witness(**opening(1)).to_wtns())
    groth16.setup_key(tmp_path / "our.r1cs", tmp_path / "our.zkey", bytes(32))
    return tmp_path


def test_proofs_of_our_circuit_go_both_ways(place):
    key = ProvingKey.open(place / "our.zkey")
    proof, public = key.prove(groth16.read_witness((place / "our.wtns").read_bytes()))
    (place / "key.json").write_text(key.verifying_key.to_json())
    (place / "proof.json").write_text(groth16.proof_to_json(proof))
    (place / "public.json").write_text(files.encode_public_json(public))
    assert snarkjs(place, "verify") == {"good": True, "changed": False}

    assert snarkjs(place, "prove") == {"witness": True}
    theirs = VerifyingKey.from_json((place / "their_key.json").read_text())
    their_public = files.parse_public_json((place / "their_public.json").read_text())
    their_proof = groth16.proof_from_json((place / "their_proof.json").read_text())
    assert their_public == public
    assert groth16.verify(theirs, their_public, their_proof)
