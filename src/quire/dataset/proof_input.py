"""Everything that a proof is computed from: what is public, and the evidence.

    public     entropy, dataset root (= verify root), slot index
    evidence   slot root and its path to the dataset root; cells and their paths to the slot root

Source   proofs.md 4.1, 4.2; vectors/proof_input.json
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quire.base.errors import InputError, ProofInvalid
from quire.dataset.sampling import CellSample, sample_indices
from quire.dataset.slot_tree import NODE_BYTES
from quire.formats.felt import FELT_BYTES
from quire.kernels import poseidon2

SLOT_DEPTH = 32  # places for siblings of a cell in the official circuit
DATASET_DEPTH = 8  # places for siblings of a slot root


@dataclass(frozen=True, slots=True)
class ProofInput:
    """Felts are 32 bytes, little-endian. `slot_path` has no padding, nor have those of samples."""

    entropy: bytes
    dataset_root: bytes
    slot_index: int
    slot_root: bytes
    cells_per_slot: int  # padded: a power of two
    cells_per_block: int
    slot_count: int
    slot_path: bytes
    samples: tuple[CellSample, ...]

    def indices(self) -> list[int]:
        """The cells that this entropy asks for."""
        return sample_indices(self.entropy, self.slot_root, self.cells_per_slot, len(self.samples))

    def check(self) -> None:
        """Raise ProofInvalid unless every path leads where it should."""
        try:
            root = poseidon2.root_of_path(
                self.slot_root, self.slot_index, self.slot_count, self.slot_path
            )
        except InputError as error:
            raise ProofInvalid(f"the path of slot {self.slot_index}: {error.message}") from None
        if root != self.dataset_root:
            raise ProofInvalid(
                f"the root of slot {self.slot_index} does not lead to the root of the dataset"
            )
        leaf_count = self.cells_per_slot // self.cells_per_block
        for index, sample in zip(self.indices(), self.samples, strict=True):
            sample.check(index, self.cells_per_block, leaf_count, self.slot_root)

    def values(
        self, slot_depth: int = SLOT_DEPTH, dataset_depth: int = DATASET_DEPTH
    ) -> dict[str, object]:
        """The signals of the official circuit by name, felts as decimal texts, paths padded with
        zeros. Raises InputError when a path does not fit."""
        return {
            "dataSetRoot": _decimal(self.dataset_root),
            "entropy": _decimal(self.entropy),
            "nCellsPerSlot": self.cells_per_slot,
            "nSlotsPerDataSet": self.slot_count,
            "slotIndex": self.slot_index,
            "slotRoot": _decimal(self.slot_root),
            "slotProof": _decimals(_padded(self.slot_path, dataset_depth)),
            "cellData": [_decimals(poseidon2.felts(each.cell)) for each in self.samples],
            "merklePaths": [_decimals(_padded(each.path, slot_depth)) for each in self.samples],
        }

    def to_input_json(
        self, slot_depth: int = SLOT_DEPTH, dataset_depth: int = DATASET_DEPTH
    ) -> str:
        """`input.json` of the official circuit, to the byte as the reference's tool prints it."""
        return "\n".join(_lines(self.values(slot_depth, dataset_depth))) + "\n"


def slot_path(slot_roots: Sequence[bytes], slot_index: int) -> bytes:
    """The path from a slot root to the root over all of them. Raises InputError, BadEncoding."""
    layers = poseidon2.tree(b"".join(slot_roots))
    return poseidon2.path(layers, len(slot_roots), slot_index)


def _padded(path: bytes, depth: int) -> bytes:
    if len(path) > depth * NODE_BYTES:
        raise InputError(
            f"a path of {len(path) // NODE_BYTES} siblings does not fit a circuit of depth {depth}"
        )
    return path.ljust(depth * NODE_BYTES, b"\0")


def _decimal(felt: bytes) -> str:
    return str(int.from_bytes(felt, "little"))


def _decimals(felts: bytes) -> list[str]:
    return [_decimal(felts[at : at + FELT_BYTES]) for at in range(0, len(felts), FELT_BYTES)]


def _lines(values: dict[str, object]) -> Iterator[str]:
    for number, (name, value) in enumerate(values.items()):
        start = f'{", " if number else "  "}"{name}":'
        if number == 0:
            yield "{"
        if not isinstance(value, list):
            yield start.ljust(22) + (f'"{value}"' if isinstance(value, str) else str(value))
        elif isinstance(value[0], str):
            yield start
            yield from _list(value, "    ")
        else:
            yield start
            for at, inner in enumerate(value):
                opening, *rest = _list(inner, "      ")
                yield f"    {',' if at else '['} {opening.lstrip()}"
                yield from rest
            yield "    ]"
    yield "}"


def _list(texts: list[str], indent: str) -> Iterator[str]:
    for at, text in enumerate(texts):
        yield f'{indent}{"," if at else "["} "{text}"'
    yield f"{indent}]"
