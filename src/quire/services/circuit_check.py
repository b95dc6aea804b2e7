"""Is a circuit's key whole, and is it the key of this circuit?

note, hashes, shape of the files, verifying key, constraints, every point, a proof made and checked
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from quire.base.errors import BadKey, QuireError
from quire.dataset.circuit import CircuitParameters
from quire.dataset.proof_input import ProofInput, slot_path
from quire.dataset.sampling import CellSample, sample_indices
from quire.dataset.storage_proof import Claim
from quire.flow.prove import NO_HOST
from quire.kernels import poseidon2
from quire.kernels.circuit import StorageCircuit
from quire.kernels.groth16 import VerifyingKey, circuit_counts
from quire.services.circuit_files import CircuitFiles, NoCircuit, file_hash
from quire.services.circuits import LoadedCircuit

_ELEMENT_BYTES = 31


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `problem` is empty when it is good."""

    what: str
    problem: str = ""


def check_circuit(files: CircuitFiles, published: bytes | None, seed: bytes) -> Iterator[Finding]:
    """Look at everything there is, the quick things first; ends early when nothing else makes
    sense. Blocking.

    published  SHA-256 of the .zkey that the network publishes
    seed       32 bytes that nobody could foresee
    Cost       5 samples: about 15 s of one core
    """
    if files.zkey is None:
        raise NoCircuit(f"there is no proving key for circuit {files.parameters.id} here")
    found = file_hash(files.zkey)
    if published is not None:
        other = f"it is {found.hex()}, published is {published.hex()}"
        what = "the key is the one that the network publishes"
        yield Finding(what, "" if found == published else other)
    if files.note is not None:
        good = found == files.note.key_hash
        yield Finding("the key is the one that was set up here", "" if good else "it was changed")
    try:
        circuit = LoadedCircuit.open(files, None)
    except QuireError as error:
        yield Finding("the key can be opened", error.message)
        return
    yield Finding("the key can be opened")
    yield _finding("the verifying key beside it is its own", lambda: _same_key(files, circuit))
    yield _finding("the constraints are those of the key", lambda: _same_circuit(files, circuit))
    yield _finding("every point of the key is on its curve", lambda: circuit.key.check(seed))
    yield _finding("a proof made with it holds", lambda: _try(circuit))


def _finding(what: str, look: Callable[[], None]) -> Finding:
    try:
        look()
    except QuireError as error:
        return Finding(what, error.message)
    return Finding(what)


def _same_key(files: CircuitFiles, circuit: LoadedCircuit) -> None:
    if files.verifying_key is None:
        return
    try:
        data = files.verifying_key.read_bytes()
    except OSError as error:
        raise BadKey(f"{files.verifying_key}: {error.strerror}") from None
    if VerifyingKey.from_json(data) != circuit.verifying_key:
        raise BadKey(f"{files.verifying_key.name} is the verifying key of another proving key")


def _same_circuit(files: CircuitFiles, circuit: LoadedCircuit) -> None:
    """Of a development key by the hash of the constraints; of others by their counts."""
    key, made_for = circuit.key, circuit.key.development_circuit
    if files.parameters.binds_host:
        wanted = _own_constraints(files.parameters)
        if made_for is not None and made_for != wanted:
            raise BadKey(f"the key was made for other constraints than {files.parameters.id} has")
        if files.r1cs is not None and file_hash(files.r1cs) != wanted:
            raise BadKey(f"{files.r1cs.name} does not have the constraints of the circuit")
    if files.r1cs is None:
        return
    if made_for is not None and made_for != file_hash(files.r1cs):
        raise BadKey(f"the key was made for other constraints than those in {files.r1cs.name}")
    outputs, public, _, wires, constraints = circuit_counts(_read(files.r1cs))
    if (outputs + public, wires, constraints) != (key.public_count, key.wires, key.constraints):
        raise BadKey(
            f"the key has {key.constraints} constraints over {key.wires} wires, "
            f"{files.r1cs.name} has {constraints} over {wires}"
        )


def _own_constraints(parameters: CircuitParameters) -> bytes:
    """SHA-256 of our circuit's .r1cs, laid out anew."""
    circuit = StorageCircuit(
        parameters.samples,
        parameters.max_slot_depth,
        parameters.max_dataset_depth,
        parameters.block_depth,
        parameters.cell_elements,
    )
    with TemporaryDirectory(prefix="quire-circuit-") as directory:
        path = Path(directory) / "circuit.r1cs"
        circuit.write_r1cs(path)
        return file_hash(path)


def _try(circuit: LoadedCircuit) -> None:
    """Prove something made up; `run` verifies what it gives."""
    made = trial_input(circuit.parameters)
    host = NO_HOST if circuit.parameters.binds_host else None
    _, public = circuit.begin(made, host).run()
    claim = Claim(made.entropy, made.dataset_root, made.slot_index, host)
    if public != claim.public():
        raise BadKey("the key proves something else than it is asked to")


def trial_input(parameters: CircuitParameters) -> ProofInput:
    """Evidence that any circuit takes: two slots of two blocks of zeros."""
    cell_size = _ELEMENT_BYTES * (parameters.cell_elements - 1) + 2
    cells = parameters.cells_per_block
    block = bytes(cell_size * cells)
    layers = poseidon2.tree(poseidon2.block_digests(block, len(block), cell_size) * 2)
    root, entropy = layers[-32:], (1).to_bytes(32, "little")
    samples = []
    for index in sample_indices(entropy, root, 2 * cells, parameters.samples):
        at, cell = divmod(index, cells)
        path = poseidon2.path(layers, 2, at)
        samples.append(CellSample.of(block, cell, cell_size, path))
    return ProofInput(
        entropy=entropy,
        dataset_root=poseidon2.root(root * 2),
        slot_index=1,
        slot_root=root,
        cells_per_slot=2 * cells,
        cells_per_block=cells,
        slot_count=2,
        slot_path=slot_path([root, root], 1),
        samples=tuple(samples),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadKey(f"{path} cannot be read: {error.strerror}") from None
