"""Circuits with their keys: opened once, mapped, shared by everybody who proves or verifies.

Two kinds make proofs: our own circuit, which computes its witness in Rust, and an official one,
whose witness comes from its program (`.wasm`). Everything else about them is the same.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

from quire.base.errors import BadKey, NotFound, Refused
from quire.dataset.circuit import CircuitParameters, parse_circuit_id
from quire.dataset.proof_input import ProofInput
from quire.dataset.storage_proof import WORD_BYTES
from quire.flow.prove import NO_HOST, ProofWork
from quire.kernels.circuit import StorageCircuit, wasm_witness
from quire.kernels.groth16 import Cancel, ProvingKey, VerifyingKey, Witness
from quire.services.circuit_files import CircuitFiles, CircuitPlaces, NoCircuit, file_hash

MakeWitness = Callable[[ProofInput, bytes | None, Cancel], Witness]


@dataclass(frozen=True)
class LoadedCircuit:
    """A circuit that can prove: satisfies flow.prove.Prover."""

    files: CircuitFiles
    key: ProvingKey
    verifying_key: VerifyingKey
    key_hash: bytes  # SHA-256 of the verifying key's words
    make_witness: MakeWitness

    @classmethod
    def open(cls, files: CircuitFiles, published: bytes | None) -> LoadedCircuit:
        """Open key and circuit. Blocking, some milliseconds; longer when there is a hash to check.

        published  SHA-256 that the .zkey must have; None: any
        Raises     NoCircuit  a file is missing
                   BadKey     cut off, damaged, of another circuit, or not the published one
        """
        if files.zkey is None:
            raise NoCircuit(f"there is no proving key for circuit {files.parameters.id} here")
        if published is not None and (found := file_hash(files.zkey)) != published:
            raise BadKey(
                f"the key {files.zkey} is not the one that the network publishes: its SHA-256 is "
                f"{found.hex()}, published is {published.hex()}; get the network's key"
            )
        key = ProvingKey.open(files.zkey)
        if key.public_count != files.parameters.public_count:
            raise BadKey(
                f"the key {files.zkey} has {key.public_count} public inputs, circuit "
                f"{files.parameters.id} has {files.parameters.public_count}: it is another's"
            )
        verifying_key = key.verifying_key
        return cls(files, key, verifying_key, hash_of(verifying_key), _witness_maker(files))

    @property
    def parameters(self) -> CircuitParameters:
        return self.files.parameters

    def begin(self, made: ProofInput, host: bytes | None) -> ProofWork:
        return _Work(self, made, host)


class _Work:
    """One proof under way."""

    def __init__(self, circuit: LoadedCircuit, made: ProofInput, host: bytes | None) -> None:
        self._circuit = circuit
        self._made = made
        self._host = host
        self._cancel = Cancel()

    def run(self) -> tuple[bytes, tuple[bytes, ...]]:
        circuit = self._circuit
        witness = circuit.make_witness(self._made, self._host, self._cancel)
        if witness.wires != circuit.key.wires:
            raise BadKey(
                f"the key {circuit.files.zkey} is for a circuit of {circuit.key.wires} wires; "
                f"{circuit.parameters.id} has {witness.wires}"
            )
        proof, public = circuit.key.prove(witness, self._cancel)
        return proof, words_of(public)

    def cancel(self) -> None:
        self._cancel.set()


class Circuits:
    """The circuits of one node."""

    def __init__(self, places: CircuitPlaces, executor: Executor | None = None) -> None:
        self.places = places
        self._executor = executor
        self._open: dict[CircuitParameters, asyncio.Future[LoadedCircuit]] = {}

    def parameters(self, circuit_id: str | None) -> CircuitParameters:
        """The circuit of a name; the network's without one. Raises InputError."""
        return self.places.default if circuit_id is None else parse_circuit_id(circuit_id)

    async def prover(self, parameters: CircuitParameters) -> LoadedCircuit:
        """The circuit with its key, opened by the first who asks. Raises NoCircuit, BadKey."""
        if self.places.has_no_key:
            raise Refused("this node was started with circom-no-zkey: it makes no proofs")
        opening = self._open.get(parameters)
        if opening is None:
            loop = asyncio.get_running_loop()
            opening = loop.run_in_executor(self._executor, self._load, parameters)
            self._open[parameters] = opening
            opening.add_done_callback(partial(self._forget_failed, parameters))
        return await asyncio.shield(opening)

    async def verifying_key(self, parameters: CircuitParameters) -> VerifyingKey:
        """What a verifier needs of a circuit; a proving key need not be here. Raises NoCircuit,
        BadKey."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.find_verifying_key, parameters)

    def find_verifying_key(self, parameters: CircuitParameters) -> VerifyingKey:
        """Blocking."""
        files = self.places.find(parameters)
        if files.zkey is not None:
            return VerifyingKey.from_zkey(files.zkey)
        if files.verifying_key is None:
            raise NoCircuit(f"there is no key for circuit {parameters.id} here")
        try:
            return VerifyingKey.from_json(files.verifying_key.read_bytes())
        except OSError as error:
            raise NotFound(f"{files.verifying_key}: {error.strerror}") from None

    def is_open(self, parameters: CircuitParameters) -> bool:
        opening = self._open.get(parameters)
        return opening is not None and opening.done()

    def _load(self, parameters: CircuitParameters) -> LoadedCircuit:
        return LoadedCircuit.open(self.places.find(parameters), self.places.published(parameters))

    def _forget_failed(
        self, parameters: CircuitParameters, opening: asyncio.Future[LoadedCircuit]
    ) -> None:
        if opening.cancelled() or opening.exception() is not None:
            del self._open[parameters]


def hash_of(key: VerifyingKey) -> bytes:
    """The name of a verifying key: SHA-256 of its words."""
    return hashlib.sha256(key.words).digest()


def words_of(public: bytes) -> tuple[bytes, ...]:
    return tuple(public[at : at + WORD_BYTES] for at in range(0, len(public), WORD_BYTES))


def _witness_maker(files: CircuitFiles) -> MakeWitness:
    circuit = files.parameters
    if not circuit.binds_host:
        if files.wasm is None:
            raise NoCircuit(f"there is no witness program (.wasm) for circuit {circuit.id} here")
        return partial(_official_witness, files)
    own = StorageCircuit(
        circuit.samples,
        circuit.max_slot_depth,
        circuit.max_dataset_depth,
        circuit.block_depth,
        circuit.cell_elements,
    )
    return partial(_own_witness, own)


def _own_witness(
    circuit: StorageCircuit, made: ProofInput, host: bytes | None, _cancel: Cancel
) -> Witness:
    return circuit.witness(
        entropy=made.entropy,
        dataset_root=made.dataset_root,
        slot_index=made.slot_index,
        host=host or NO_HOST,
        slot_root=made.slot_root,
        cells_per_slot=made.cells_per_slot,
        slot_count=made.slot_count,
        slot_path=made.slot_path,
        samples=[(sample.cell, sample.path) for sample in made.samples],
    )


def _official_witness(
    files: CircuitFiles, made: ProofInput, _host: bytes | None, cancel: Cancel
) -> Witness:
    circuit = files.parameters
    assert files.wasm is not None
    values = made.values(circuit.max_slot_depth, circuit.max_dataset_depth)
    return wasm_witness(files.wasm, values, cancel)
