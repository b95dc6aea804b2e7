"""Where circuits and their keys are on disk, and what a circuit says of itself.

<circuit directory>/<circuit id>/proof_main.zkey .r1cs .wasm, circuit.json
<circuit directory>/proof_main.*         as the reference has it: the network's own circuit
circom-zkey, circom-r1cs, circom-wasm    files named in the settings go before both
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from quire.base.errors import BadEncoding, BadKey, InputError, NotFound
from quire.dataset.circuit import CircuitParameters, parse_circuit_id

STEM = "proof_main"
VERIFYING_KEY = f"{STEM}_verification_key.json"
NOTE = "circuit.json"
NOTE_FORMAT = "quire-circuit/1"
NOTE_BYTES_MAX = 1 << 16
UNSAFE = (
    "UNSAFE DEVELOPMENT KEY: whoever knows the seed can prove anything; for tests only, never "
    "where anything of value depends on a proof"
)


class NoCircuit(NotFound):
    """There is no key for the circuit here."""

    code = "no-circuit"
    hint = "quire circuit setup makes an unsafe key for tests; a network publishes its own"


@dataclass(frozen=True, slots=True)
class CircuitNote:
    """The file `circuit.json` beside a key. Hashes are SHA-256.

    seed   of a development key, in words; None for a key whose maker is not known
    """

    circuit: CircuitParameters
    key_hash: bytes
    r1cs_hash: bytes
    seed: str | None

    def encode(self) -> bytes:
        values = {
            "format": NOTE_FORMAT,
            "circuit": self.circuit.id,
            "keyHash": self.key_hash.hex(),
            "r1csHash": self.r1cs_hash.hex(),
        }
        if self.seed is not None:
            values |= {"seed": self.seed, "warning": UNSAFE}
        return json.dumps(values, indent=2).encode() + b"\n"


def decode_circuit_note(data: bytes) -> CircuitNote:
    """Raises BadEncoding, InputError."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadEncoding(f"{NOTE} is not valid JSON: {error}") from None
    if not isinstance(values, dict) or values.get("format") != NOTE_FORMAT:
        raise BadEncoding(f'{NOTE} does not say "format": "{NOTE_FORMAT}"')
    seed = values.get("seed")
    if seed is not None and not isinstance(seed, str):
        raise BadEncoding(f"the seed in {NOTE} is no text")
    return CircuitNote(
        parse_circuit_id(str(values.get("circuit"))),
        _hash(values.get("keyHash")),
        _hash(values.get("r1csHash")),
        seed,
    )


@dataclass(frozen=True, slots=True)
class CircuitFiles:
    """The files of one circuit; None for what is not there."""

    parameters: CircuitParameters
    zkey: Path | None
    r1cs: Path | None
    wasm: Path | None
    verifying_key: Path | None
    note: CircuitNote | None

    @classmethod
    def in_directory(cls, parameters: CircuitParameters, directory: Path) -> CircuitFiles:
        """Raises BadKey when the note beside the key cannot be read, or is of another circuit."""
        note = _note(directory / NOTE)
        if note is not None and note.circuit != parameters:
            raise BadKey(
                f"the key in {directory} is for circuit {note.circuit.id}, not {parameters.id}"
            )
        return cls(
            parameters,
            _existing(directory / f"{STEM}.zkey"),
            _existing(directory / f"{STEM}.r1cs"),
            _existing(directory / f"{STEM}.wasm"),
            _existing(directory / VERIFYING_KEY),
            note,
        )

    @property
    def is_development(self) -> bool:
        return self.note is not None and self.note.seed is not None


@dataclass(frozen=True, slots=True)
class CircuitPlaces:
    """Where to look.

    default     the circuit of the network, as the settings change it
    key_hash    SHA-256 of the .zkey that the network publishes; None: it publishes none
    zkey ...    files of the default circuit that the settings name
    has_no_key  the node is not to prove: `circom-no-zkey`
    """

    directory: Path
    default: CircuitParameters
    key_hash: bytes | None = None
    zkey: Path | None = None
    r1cs: Path | None = None
    wasm: Path | None = None
    has_no_key: bool = False

    def find(self, parameters: CircuitParameters) -> CircuitFiles:
        """The files of a circuit, whatever there is of them. Raises BadKey."""
        own = self.directory / parameters.id
        is_default = parameters == self.default
        directory = self.directory if is_default and not own.is_dir() else own
        files = CircuitFiles.in_directory(parameters, directory)
        if not is_default or not (self.zkey or self.r1cs or self.wasm):
            return files
        return CircuitFiles(
            parameters,
            self.zkey or files.zkey,
            self.r1cs or files.r1cs,
            self.wasm or files.wasm,
            None if self.zkey else files.verifying_key,
            None if self.zkey else files.note,
        )

    def published(self, parameters: CircuitParameters) -> bytes | None:
        """The hash that the key of a circuit must have; None when any will do."""
        return self.key_hash if parameters == self.default else None

    def every(self) -> list[CircuitParameters]:
        """The circuits that there are keys for, the network's first."""
        names = sorted(entry.name for entry in self._entries() if entry.is_dir())
        found: dict[CircuitParameters, None] = {}
        if self.find(self.default).zkey is not None:
            found[self.default] = None
        for name in names:
            try:
                parameters = parse_circuit_id(name)
            except InputError:
                continue
            if (self.directory / name / f"{STEM}.zkey").is_file():
                found[parameters] = None
        return list(found)

    def _entries(self) -> list[Path]:
        try:
            return list(self.directory.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise NoCircuit(f"circuits in {self.directory} cannot be read: {error}") from None


def file_hash(path: Path) -> bytes:
    """SHA-256 of a file. Raises NotFound. Cost: 1 GB takes about a second."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from None


def _note(path: Path) -> CircuitNote | None:
    try:
        with path.open("rb") as file:
            data = file.read(NOTE_BYTES_MAX)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadKey(f"{path} cannot be read: {error.strerror}") from None
    try:
        return decode_circuit_note(data)
    except InputError as error:
        raise BadKey(f"{path}: {error.message}") from None


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _hash(value: object) -> bytes:
    if not isinstance(value, str) or len(value) != 64 or not value.isascii():
        raise BadEncoding(f"a hash in {NOTE} is not 64 hexadecimal digits")
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise BadEncoding(f"a hash in {NOTE} is not hexadecimal") from None
