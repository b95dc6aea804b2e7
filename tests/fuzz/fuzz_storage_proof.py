"""Fuzz `decode_proof_json`, `parse_circuit_id` and `parse_host`: what is accepted comes back."""

import contextlib

from quire.base.errors import InputError
from quire.dataset.circuit import CircuitParameters, parse_circuit_id
from quire.dataset.storage_proof import Claim, StorageProof, decode_proof_json, parse_host
from quire.faces.rest.proofs import PROOFS_MAX, decode_proofs

VECTORS = ()
_CLAIM = Claim(b"\x05" + bytes(31), b"\x06" + bytes(31), 7, bytes(range(20)))
_PROOF = StorageProof(CircuitParameters(), bytes(32), bytes(256), _CLAIM.public(), "zDv")
SEEDS = (
    _PROOF.to_json().encode(),
    b"[" + _PROOF.to_json().encode() + b"]",
    b"quire-5-32-8-5-67",
    b"0x" + b"ab" * 20,
)


def check(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(InputError):
        assert parse_circuit_id(text).id == text
    with contextlib.suppress(InputError):
        assert parse_host(text).hex() == text.removeprefix("0x").lower()
    with contextlib.suppress(InputError):
        assert 0 < len(decode_proofs(data)) <= PROOFS_MAX
    try:
        proof = decode_proof_json(data)
    except InputError:
        return
    assert decode_proof_json(proof.to_json().encode()) == proof
    assert proof.claim.public() == proof.public


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
