"""The official circuit, if `QUIRE_OFFICIAL_CIRCUIT` names a directory that holds it.

The directory holds proof_main.r1cs (the official text compiled by circom 2.2.3 with --O2),
proof_main.wasm (as the networks publish it) and input.json (the official fixture, proofs.md 4.3).
"""

import hashlib
import json
import os
from pathlib import Path

import pytest

from quire.formats import snarkjs as files
from quire.kernels import groth16
from quire.kernels.circuit import wasm_witness
from quire.kernels.groth16 import ProvingKey
from support.interop import needs_node, snarkjs

NAMED = os.environ.get("QUIRE_OFFICIAL_CIRCUIT")

pytestmark = [
    needs_node,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(NAMED is None, reason="QUIRE_OFFICIAL_CIRCUIT names no directory"),
]

R1CS_SHA256 = "b87b1329912c61f90915b089a0e177386336a65c0f6dd2d040b347b8eae50779"
WITNESS_SHA256 = "eeaf582c1182ea955a7d47723b20bd6cc46fd16feac3b0de1ad024d41a2b133b"


def official(name: str) -> Path:
    assert NAMED is not None
    return Path(NAMED) / name


def test_a_slot_proves_itself_by_the_official_circuit_and_snarkjs_agrees(tmp_path):
    circuit = official("proof_main.r1cs").read_bytes()
    assert hashlib.sha256(circuit).hexdigest() == R1CS_SHA256
    outputs, public_inputs, _, wires, constraints = groth16.circuit_counts(circuit)
    assert (outputs, public_inputs, wires, constraints) == (0, 3, 90_293, 89_802)

    signals = json.loads(official("input.json").read_text())
    witness = wasm_witness(official("proof_main.wasm"), signals)
    assert hashlib.sha256(witness.to_wtns()).hexdigest() == WITNESS_SHA256

    groth16.setup_key(official("proof_main.r1cs"), tmp_path / "zkey", bytes(32))
    key = ProvingKey.open(tmp_path / "zkey")
    proof, public = key.prove(witness)
    (tmp_path / "key.json").write_text(key.verifying_key.to_json())
    (tmp_path / "proof.json").write_text(groth16.proof_to_json(proof))
    (tmp_path / "public.json").write_text(files.encode_public_json(public))
    inputs = json.loads((tmp_path / "public.json").read_text())
    assert inputs == [signals["entropy"], signals["dataSetRoot"], str(signals["slotIndex"])]
    assert snarkjs(tmp_path, "verify") == {"good": True, "changed": False}
