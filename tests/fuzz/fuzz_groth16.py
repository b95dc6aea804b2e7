"""Fuzz keys, circuits, witnesses and proofs: each is what it says, or is refused in words.

Whatever opens as a key can be proved with: no damage of its points or numbers does more than to
make a proof that is thrown away.
"""

import json
import tempfile
from pathlib import Path

from quire.base.errors import BadEncoding, BadKey, BadProof, NotFound, WitnessDoesNotSatisfy
from quire.kernels import groth16
from support.circuits import squares_r1cs, squares_witness, wtns_of
from support.vectors import load

VECTORS = ("groth16.json",)
KNOWN = load("groth16.json")
PUBLIC = bytes.fromhex(KNOWN["accept"][0]["public"])
KEY = groth16.VerifyingKey.from_json(json.dumps(KNOWN["key"]))

DIRECTORY = tempfile.TemporaryDirectory(prefix="quire-fuzz-groth16-")
PLACE = Path(DIRECTORY.name) / "key.zkey"
CIRCUIT, WTNS = squares_r1cs(1), wtns_of(squares_witness(1, 3, 11))
WITNESS = groth16.read_witness(WTNS)
(PLACE.parent / "toy.r1cs").write_bytes(CIRCUIT)
groth16.setup_key(PLACE.parent / "toy.r1cs", PLACE, bytes(32))
SEEDS = (CIRCUIT, WTNS, PLACE.read_bytes())


def check(data: bytes) -> None:
    check_circuit(data)
    check_witness(data)
    check_proof(data)
    if data[:4] == b"zkey":
        check_key(data)


def check_circuit(data: bytes) -> None:
    try:
        outputs, public, private, wires, constraints = groth16.circuit_counts(data)
    except BadEncoding:
        return
    assert 1 + outputs + public + private <= wires
    assert 12 * constraints <= len(data)


def check_witness(data: bytes) -> None:
    try:
        witness = groth16.read_witness(data)
    except BadEncoding:
        return
    assert groth16.read_witness(witness.to_wtns()).wires == witness.wires
    assert 32 * witness.wires <= len(data)


def check_proof(data: bytes) -> None:
    try:
        assert not groth16.verify(KEY, PUBLIC, data) or data.hex() == KNOWN["accept"][0]["hex"]
    except BadProof:
        return
    assert groth16.proof_from_json(groth16.proof_to_json(data)) == data


def check_key(data: bytes) -> None:
    PLACE.write_bytes(data)
    try:
        key = groth16.ProvingKey.open(PLACE)
    except (BadKey, NotFound):
        return
    try:
        proof, public = key.prove(WITNESS, seed=bytes(64))
    except (BadEncoding, BadKey, WitnessDoesNotSatisfy):
        return
    assert groth16.verify(key.verifying_key, public, proof)


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
