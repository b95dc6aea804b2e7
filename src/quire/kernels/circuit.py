"""Circuits of storage proofs: our own with its witnesses, and witnesses of circom programs.

Statement   docs/reference/circuit.md; public inputs are entropy, dataset root, slot index, host
Encodings   felts are 32 bytes, little-endian, below the modulus; a host is an address of 20 bytes
Cost        5 samples: 84 749 constraints, witness some milliseconds; 100: 1 651 774, some tens
Source      proofs.md 4.1 to 4.4, 5.2

Calls release the GIL. A witness goes to `kernels.groth16.ProvingKey.prove`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from quire import _core
from quire._core import Cancel, Witness
from quire.base.errors import BadEncoding, NotFound
from quire.formats.felt import FELT_BYTES
from quire.formats.signals import flat_signals
from quire.formats.varint import Buffer
from quire.kernels.groth16 import translated

__all__ = ["StorageCircuit", "wasm_witness"]

PUBLIC_INPUTS = ("entropy", "dataset root", "slot index", "host")

# What a witness program may use: room for the official circuit at a hundred samples, twice.
PROGRAM_BYTES = 64 << 20
MEMORY_BYTES = 1 << 30
STEPS = 1 << 36


class StorageCircuit:
    """Our circuit. Its parameters are part of the key: proofs under others do not verify."""

    def __init__(
        self,
        samples: int,
        max_depth: int = 32,
        max_log2_slots: int = 8,
        block_depth: int = 5,
        cell_elements: int = 67,
    ) -> None:
        """
        Units   a slot has at most 2**max_depth cells, a dataset 2**max_log2_slots slots, a block
                2**block_depth cells, a cell `cell_elements` felts
        Raises  BadEncoding  there is no circuit of such parameters
        """
        self.samples = samples
        self.max_depth = max_depth
        self.max_log2_slots = max_log2_slots
        with _numbers(), translated():
            self._core = _core.StorageCircuit(
                samples, max_depth, max_log2_slots, block_depth, cell_elements
            )

    def write_r1cs(self, path: Path) -> None:
        """Write the constraints as a `.r1cs` file, whole or not at all.

        Cost     5 samples: 23 MB; 100: 444 MB
        Raises   NotFound  there is no such directory, or it cannot be written
        """
        with translated():
            self._core.write_r1cs(path)

    def witness(
        self,
        *,
        entropy: bytes,
        dataset_root: bytes,
        slot_index: int,
        host: bytes,
        slot_root: bytes,
        cells_per_slot: int,
        slot_count: int,
        slot_path: Buffer,
        samples: Sequence[tuple[Buffer, Buffer]],
    ) -> Witness:
        """The values of all wires.

        Shapes   samples: (cell, path) in the order of their counters; a cell is its data or its
                 felts joined; paths are siblings bottom-up, joined, with or without the zeros
                 that fill them up
        Raises   BadEncoding  something does not fit the circuit, or is no felt
                 WitnessDoesNotSatisfy  it fits and proves nothing; the text says which clause fails
        """
        filled = [(cell, _filled(path, self.max_depth)) for cell, path in samples]
        with _numbers(), translated():
            return self._core.witness(
                bytes(entropy) + bytes(dataset_root) + bytes(slot_root),
                (slot_index, cells_per_slot, slot_count),
                host,
                _filled(slot_path, self.max_log2_slots),
                filled,
            )


def wasm_witness(
    program: Path, signals: Mapping[str, object], cancel: Cancel | None = None
) -> Witness:
    """The values of all wires from a program that circom compiled (`.wasm`) and its `input.json`.

    Shapes   signals: numbers as int or decimal text, arrays as lists of lists
    Cost     five samples of the official circuit: 0.7 CPU seconds
    Raises   BadEncoding  this is no such program, the signals are not the ones that it takes, or it
             needs more steps or memory than it may
             WitnessDoesNotSatisfy  the program refuses the inputs
             NotFound  there is no such file
             Cancelled  `cancel` was set
    """
    data = _read(program)
    flat = flat_signals(signals)
    with translated():
        return _core.circom_witness(data, flat, MEMORY_BYTES, STEPS, cancel)


@contextmanager
def _numbers() -> Iterator[None]:
    """Numbers that do not fit the core at all, in words."""
    try:
        yield
    except OverflowError:
        raise BadEncoding("a number is negative or far too large for any circuit") from None


def _filled(path: Buffer, depth: int) -> bytes:
    """With zeros above. What is too long or no whole felts stays so, and the core refuses it."""
    joined = bytes(path)
    return joined if len(joined) % FELT_BYTES else joined.ljust(depth * FELT_BYTES, b"\0")


def _read(program: Path) -> bytes:
    try:
        if program.stat().st_size > PROGRAM_BYTES:
            raise BadEncoding(f"{program} is longer than any witness program")
        return program.read_bytes()
    except OSError as error:
        raise NotFound(f"the witness program {program} cannot be read: {error}") from None
