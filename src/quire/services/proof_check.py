"""Do proofs hold, and do they say what is expected of them?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quire.base.errors import QuireError
from quire.dataset.circuit import CircuitParameters
from quire.dataset.storage_proof import StorageProof
from quire.flow.prove import NO_HOST
from quire.kernels.groth16 import VerifyingKey, verify, verify_batch
from quire.services.circuits import hash_of

FindKey = Callable[[CircuitParameters], VerifyingKey]


@dataclass(frozen=True, slots=True)
class Expected:
    """What a proof is to be about; None: whatever it says. Felts little-endian."""

    dataset_root: bytes | None = None
    slot_index: int | None = None
    entropy: bytes | None = None
    host: bytes | None = None

    def missed_by(self, proof: StorageProof) -> str:
        """In words, what the proof says otherwise; empty when it is as expected."""
        claim = proof.claim
        wrong = []
        if self.dataset_root not in (None, claim.dataset_root):
            wrong.append("it is about another dataset")
        if self.slot_index not in (None, claim.slot_index):
            wrong.append(f"it is about slot {claim.slot_index}, not {self.slot_index}")
        if self.entropy not in (None, claim.entropy):
            wrong.append("it answers another challenge")
        if self.host is not None and claim.host is None:
            wrong.append("its circuit binds no host")
        elif self.host not in (None, claim.host):
            wrong.append("it is another host's")
        return "; ".join(wrong)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one proof. `problem` is empty when it holds."""

    proof: StorageProof
    problem: str

    @property
    def is_good(self) -> bool:
        return not self.problem


def check_proofs(
    proofs: Sequence[StorageProof], find_key: FindKey, expected: Expected, seed: bytes
) -> list[Verdict]:
    """A verdict on each proof, in their order. Several under one key are checked together, which
    costs little more than one. Blocking.

    seed     32 bytes that the provers could not foresee
    Raises   NoCircuit, BadKey  there is no verifying key for a circuit
    """
    problems = [expected.missed_by(proof) for proof in proofs]
    groups: dict[CircuitParameters, list[int]] = {}
    for index, proof in enumerate(proofs):
        groups.setdefault(proof.circuit, []).append(index)
    for circuit, indices in groups.items():
        key = find_key(circuit)
        name = hash_of(key)
        ours = []
        for index in indices:
            if proofs[index].key_hash == name:
                ours.append((index, proofs[index]))
            else:
                problems[index] = f"it was made with another key of circuit {circuit.id}"
        for index, problem in _verify(key, ours, seed):
            problems[index] = problems[index] or problem
    return [Verdict(proof, problem) for proof, problem in zip(proofs, problems, strict=True)]


def _verify(
    key: VerifyingKey, proofs: list[tuple[int, StorageProof]], seed: bytes
) -> list[tuple[int, str]]:
    """(index, problem) of those that do not hold."""
    if len(proofs) == 1:
        index, proof = proofs[0]
        try:
            is_good = verify(key, b"".join(proof.public), proof.proof)
        except QuireError as error:
            return [(index, error.message)]
        return [] if is_good else [(index, "the proof is false")]
    items = [(b"".join(proof.public), proof.proof) for _, proof in proofs]
    bad = verify_batch(key, items, seed) if items else []
    return [(proofs[at][0], "the proof is false, or no proof at all") for at in bad]


def in_words(proof: StorageProof, slot_count: int | None = None) -> str:
    """What the proof says, if it holds."""
    claim, circuit = proof.claim, proof.circuit
    of = "" if slot_count is None else f" of {slot_count}"
    text = (
        f"the {circuit.samples} cells that entropy 0x{claim.entropy[::-1].hex()} draws of slot "
        f"{claim.slot_index}{of} of the dataset with root 0x{claim.dataset_root.hex()} are there"
    )
    if claim.host is None:
        return f"{text}; circuit {circuit.id} says nothing of who has them"
    if claim.host == NO_HOST:
        return f"{text}; the proof names no host"
    return f"{text}; the proof is that of host 0x{claim.host.hex()}"
