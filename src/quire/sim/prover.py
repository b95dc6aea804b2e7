"""Proofs in the simulator: what they show is gathered and checked as always, and then hashed.

The contract of the simulated chain compares the hash, so a proof for another challenge, slot,
dataset or host is refused, and nobody can make one without the blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from quire.dataset.circuit import CircuitParameters
from quire.dataset.proof_input import ProofInput
from quire.dataset.storage_proof import PROOF_BYTES, WORD_BYTES, Claim
from quire.flow.prove import ProofWork


def proof_of_public(public: Sequence[bytes]) -> bytes:
    """The one right proof for these public inputs."""
    return sha256(b"".join(public)).digest() * (PROOF_BYTES // 32)


def verify_in_sim(inputs: Sequence[int], proof: bytes) -> bool:
    return proof == proof_of_public([each.to_bytes(WORD_BYTES, "big") for each in inputs])


def holds(public: bytes, proof: bytes) -> bool:
    """As `verify_in_sim`, of the public inputs joined."""
    return proof == proof_of_public((public,))


def bad_in_batch(items: Sequence[tuple[bytes, bytes]], _seed: bytes) -> list[int]:
    """As kernels.groth16.verify_batch."""
    return [at for at, item in enumerate(items) if not holds(*item)]


class SimProver:
    """Satisfies flow.prove.Prover."""

    def __init__(self, parameters: CircuitParameters) -> None:
        self.parameters = parameters
        self.key_hash = bytes(32)

    def begin(self, made: ProofInput, host: bytes | None) -> ProofWork:
        return _Work(made, host)


class _Work:
    def __init__(self, made: ProofInput, host: bytes | None) -> None:
        self._made, self._host = made, host

    def run(self) -> tuple[bytes, tuple[bytes, ...]]:
        made = self._made
        public = Claim(made.entropy, made.dataset_root, made.slot_index, self._host).public()
        return proof_of_public(public), public

    def cancel(self) -> None:
        """It takes no time."""
