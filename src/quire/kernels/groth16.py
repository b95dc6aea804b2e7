"""Groth16 over BN254: keys, proofs and their verification.

Encodings   a proof is 256 bytes, eight big-endian words: a.x a.y b.x.real b.x.imag b.y.real
            b.y.imag c.x c.y; public inputs are 32 big-endian bytes each (proofs.md 4.6).
            Numbers are canonical; points lie on their curves and in their groups, none at infinity.
Files       `.r1cs`, `.wtns` and `.zkey` of circom and snarkjs (proofs.md 5.1)
Cost        key of the five-sample circuit: opened in milliseconds, used in place, never copied
Safety      a proof is verified before `prove` returns it. Keys of `setup_key` are for tests: who
            knows the seed can prove anything (docs/reference/proof-keys.md).

All long calls release the GIL and use all cores; a `Cancel` set by another thread stops them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from quire._core import (
    Cancel,
    Groth16Key,
    Groth16Verifier,
    Witness,
    groth16_setup,
    r1cs_counts,
)
from quire.base.errors import (
    BadEncoding,
    BadKey,
    BadProof,
    Cancelled,
    NotFound,
    QuireError,
    WitnessDoesNotSatisfy,
)
from quire.formats import snarkjs

__all__ = [
    "Cancel",
    "ProvingKey",
    "VerifyingKey",
    "Witness",
    "circuit_counts",
    "proof_from_json",
    "proof_to_json",
    "read_witness",
    "setup_key",
    "translated",
    "verify",
    "verify_batch",
]

SEED_BYTES = 32
PROOF_SEED_BYTES = 64

_CLASSES: dict[str, type[QuireError]] = {
    "malformed": BadEncoding,
    "bad-key": BadKey,
    "bad-proof": BadProof,
    "witness": WitnessDoesNotSatisfy,
    "cancelled": Cancelled,
    "io": NotFound,
}


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the proof doors as errors of Quire."""
    try:
        yield
    except ValueError as error:
        if len(error.args) != 2:
            raise BadEncoding(str(error)) from None
        kind, text = error.args
        raise _CLASSES[kind](text) from None


class VerifyingKey:
    """What a verifier needs to know of a circuit. Equal when all points are equal."""

    def __init__(self, words: bytes) -> None:
        """From words (formats.snarkjs). Raises `BadKey`."""
        with translated():
            self.core = Groth16Verifier(words)

    @classmethod
    def from_json(cls, text: str | bytes) -> VerifyingKey:
        """From a verification_key.json. Raises `BadEncoding`, `BadKey`."""
        return cls(snarkjs.parse_key_json(text))

    @classmethod
    def from_zkey(cls, path: Path) -> VerifyingKey:
        """The one inside a `.zkey` file. Raises `BadKey`, `NotFound`."""
        return ProvingKey.open(path).verifying_key

    def to_json(self) -> str:
        """The verification_key.json, as snarkjs reads it."""
        return snarkjs.encode_key_json(self.words)

    @property
    def words(self) -> bytes:
        return self.core.words()

    @property
    def public_count(self) -> int:
        return self.core.public_count

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyingKey) and self.words == other.words

    def __hash__(self) -> int:
        return int.from_bytes(self.words[:8])


class ProvingKey:
    """A `.zkey` file, mapped and used in place; the file must not be changed meanwhile.

    Opening checks the shape of the whole file and the points of its header. `check` looks at every
    point; a proof made from damaged ones does not verify and is not returned.
    """

    def __init__(self, core: Groth16Key) -> None:
        self.core = core

    @classmethod
    def open(cls, path: Path) -> ProvingKey:
        """Raises `BadKey` for a file that is cut off, damaged or of something else, `NotFound`."""
        with translated():
            return cls(Groth16Key(path))

    @property
    def public_count(self) -> int:
        return self.core.public_count

    @property
    def wires(self) -> int:
        """Entries of a witness."""
        return self.core.wires

    @property
    def constraints(self) -> int:
        return self.core.constraints

    @property
    def domain(self) -> int:
        """The power of two that the polynomials are interpolated over."""
        return self.core.domain

    @property
    def circuit_hash(self) -> bytes:
        """64 bytes: what snarkjs keeps; of a development key, see `development_circuit`."""
        return self.core.circuit_hash()

    @property
    def development_circuit(self) -> bytes | None:
        """SHA-256 of the `.r1cs` file that an unsafe development key was made for; else None."""
        return self.core.development_circuit()

    @property
    def verifying_key(self) -> VerifyingKey:
        return VerifyingKey(self.core.words())

    def prove(
        self, witness: Witness, cancel: Cancel | None = None, *, seed: bytes | None = None
    ) -> tuple[bytes, bytes]:
        """The proof and its public inputs.

        seed     64 secret bytes, for tests; else the randomness of the system
        Raises   WitnessDoesNotSatisfy  the proof does not verify, so it was thrown away
                 BadEncoding            the witness has another number of wires
                 Cancelled, BadKey
        """
        with translated():
            return self.core.prove(witness, seed, cancel)

    def check(self, seed: bytes, cancel: Cancel | None = None) -> None:
        """Look at every point of the key; `seed` is 32 bytes nobody could foresee.

        Raises   BadKey  a point is off its curve or outside its group, or a number out of range
        Cost     about ten seconds of one core for the five-sample circuit at most
        """
        with translated():
            self.core.check(seed, cancel)


def setup_key(
    r1cs_path: Path,
    zkey_path: Path,
    seed: bytes,
    cancel: Cancel | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> VerifyingKey:
    """Write an UNSAFE development key for a circuit: the same circuit and seed, the same bytes.

    The file appears whole or not at all. `progress` hears of points done and in all, in the
    caller's thread.

    Raises   BadEncoding  not a circuit, or a seed of another length than 32 bytes
             Cancelled, NotFound
    """
    with translated():
        words = groth16_setup(r1cs_path, zkey_path, seed, cancel, progress)
    return VerifyingKey(words)


def circuit_counts(r1cs: bytes) -> tuple[int, int, int, int, int]:
    """Outputs, public inputs, private inputs, wires, constraints. Raises `BadEncoding`."""
    with translated():
        return r1cs_counts(r1cs)


def read_witness(wtns: bytes) -> Witness:
    """The witness of a `.wtns` file. Raises `BadEncoding`."""
    with translated():
        return Witness.from_wtns(wtns)


def verify(key: VerifyingKey, public: bytes, proof: bytes) -> bool:
    """Whether the proof holds. Raises `BadProof` when it, or an input, is no valid encoding."""
    with translated():
        return key.core.verify(public, proof)


def verify_batch(
    key: VerifyingKey,
    items: Sequence[tuple[bytes, bytes]],
    seed: bytes,
    cancel: Cancel | None = None,
) -> list[int]:
    """Indices of the bad ones among `(public, proof)`, ascending; what does not decode is bad.

    Costs n + 3 pairings when all are good. `seed` is 32 bytes that the provers could not foresee.
    """
    with translated():
        return key.core.verify_batch(list(items), seed, cancel)


def proof_to_json(proof: bytes) -> str:
    """The proof.json of snarkjs. Raises `BadEncoding`."""
    return snarkjs.encode_proof_json(proof)


def proof_from_json(text: str | bytes) -> bytes:
    """The 256 bytes of a proof.json; points are checked by `verify`. Raises `BadEncoding`."""
    return snarkjs.parse_proof_json(text)
