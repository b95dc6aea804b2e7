"""A storage proof with what it is a proof of, and its JSON.

    proof    256 bytes: 8 words a.x a.y b.x.real b.x.imag b.y.real b.y.imag c.x c.y, big-endian
    public   entropy, dataset root, slot index and, where the circuit binds it, the host's address:
             words of 32 bytes, big-endian, below the modulus

Source   proofs.md 4.6; docs/reference/proof-format.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from quire.base.errors import BadEncoding, InputError
from quire.dataset.circuit import CircuitParameters, parse_circuit_id
from quire.formats.felt import MODULUS

FORMAT = "quire-proof/1"
PROOF_BYTES = 256
WORD_BYTES = 32
HOST_BYTES = 20
KEY_HASH_BYTES = 32
MAX_JSON_BYTES = 1 << 16
_FIELDS = frozenset(("format", "circuit", "keyHash", "proof", "public", "cid"))


@dataclass(frozen=True, slots=True)
class Claim:
    """What a proof says: for this entropy, the cells that it draws of this slot are there; and, if
    a host is named, that this host said so. Felts little-endian."""

    entropy: bytes
    dataset_root: bytes
    slot_index: int
    host: bytes | None

    def public(self) -> tuple[bytes, ...]:
        """The public inputs. Raises InputError for a host that is no address."""
        words = [
            self.entropy[::-1],
            self.dataset_root[::-1],
            self.slot_index.to_bytes(WORD_BYTES, "big"),
        ]
        if self.host is not None:
            if len(self.host) != HOST_BYTES:
                raise InputError(f"an address has {HOST_BYTES} bytes, not {len(self.host)}")
            words.append(self.host.rjust(WORD_BYTES, b"\0"))
        return tuple(words)


@dataclass(frozen=True, slots=True)
class StorageProof:
    """Raises BadEncoding on construction when it cannot be a proof; whether it *is* one, only
    verification says.

    key_hash   SHA-256 of the verifying key's words, so that a verifier knows which key is meant
    cid        the dataset that was proved, for people; the proof does not depend on it
    """

    circuit: CircuitParameters
    key_hash: bytes
    proof: bytes
    public: tuple[bytes, ...]
    cid: str = ""

    def __post_init__(self) -> None:
        if len(self.proof) != PROOF_BYTES:
            raise BadEncoding(f"a proof has {PROOF_BYTES} bytes, not {len(self.proof)}")
        if len(self.key_hash) != KEY_HASH_BYTES:
            raise BadEncoding(f"the hash of a key has {KEY_HASH_BYTES} bytes")
        count = self.circuit.public_count
        if len(self.public) != count:
            raise BadEncoding(
                f"circuit {self.circuit.id} has {count} public inputs, not {len(self.public)}"
            )
        for word in self.public:
            if len(word) != WORD_BYTES or int.from_bytes(word, "big") >= MODULUS:
                raise BadEncoding("a public input is not a number below the modulus of BN254")
        if int.from_bytes(self.public[2], "big") >= 1 << 32:
            raise BadEncoding("the third public input is not the number of a slot")
        if count == 4 and any(self.public[3][:-HOST_BYTES]):
            raise BadEncoding("the fourth public input is not an address")

    @property
    def claim(self) -> Claim:
        entropy, root, slot, *host = self.public
        address = host[0][-HOST_BYTES:] if host else None
        return Claim(entropy[::-1], root[::-1], int.from_bytes(slot, "big"), address)

    def as_dict(self) -> dict[str, object]:
        """Its JSON, as values."""
        found: dict[str, object] = {
            "format": FORMAT,
            "circuit": self.circuit.id,
            "keyHash": self.key_hash.hex(),
            "proof": "0x" + self.proof.hex(),
            "public": ["0x" + word.hex() for word in self.public],
        }
        if self.cid:
            found["cid"] = self.cid
        return found

    def to_json(self) -> str:
        return json.dumps(self.as_dict(), indent=2) + "\n"


def decode_proof_json(data: bytes) -> StorageProof:
    """A proof from a file or a request. Raises BadEncoding, InputError."""
    if len(data) > MAX_JSON_BYTES:
        raise BadEncoding(f"{len(data)} bytes are more than a proof has")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadEncoding(f"a proof is not valid JSON: {error}") from None
    return proof_of_values(values)


def proof_of_values(values: object) -> StorageProof:
    """A proof from parsed JSON. Raises BadEncoding, InputError."""
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise BadEncoding(f'this is no proof; a proof is an object with "format": "{FORMAT}"')
    unknown = sorted(str(name)[:40] for name in values if name not in _FIELDS)
    if unknown:
        raise BadEncoding(f"a proof has no {', '.join(unknown[:5])}")
    public = values.get("public")
    if not isinstance(public, list) or len(public) > 8:
        raise BadEncoding("a proof has a list of public inputs, three or four of them")
    return StorageProof(
        circuit=parse_circuit_id(_text(values, "circuit")),
        key_hash=_hex(_text(values, "keyHash"), KEY_HASH_BYTES),
        proof=_hex(_text(values, "proof"), PROOF_BYTES),
        public=tuple(_hex(word, WORD_BYTES) for word in public),
        cid=_text(values, "cid") if "cid" in values else "",
    )


def parse_host(text: str) -> bytes:
    """The address of a host: 40 hexadecimal digits, with or without 0x. Raises InputError."""
    try:
        return _hex(text, HOST_BYTES)
    except BadEncoding:
        raise InputError(
            f"{text[:60]!r} is not an address: 0x and {2 * HOST_BYTES} hexadecimal digits"
        ) from None


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or len(value) > 2 * PROOF_BYTES + 2:
        raise BadEncoding(f"the field {name} of a proof is missing, too long, or no text")
    return value


def _hex(value: object, count: int) -> bytes:
    """Exactly `count` bytes of hexadecimal digits, with or without 0x."""
    digits = value.removeprefix("0x") if isinstance(value, str) else ""
    if len(digits) == 2 * count and digits.isascii() and digits.isalnum():
        try:
            return bytes.fromhex(digits)
        except ValueError:
            pass
    raise BadEncoding(f"a field of a proof is not {count} bytes in hexadecimal")
