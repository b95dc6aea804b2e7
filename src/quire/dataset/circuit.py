"""What is fixed when a storage circuit is made, and so by every key for it.

    family-samples-slotdepth-datasetdepth-blockdepth-elements     quire-5-32-8-5-67

`quire` circuits bind the host's address into the proof as a fourth public input; those of `codex`
are the official ones, with three.
Source   proofs.md 4.4, 5.3
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from quire.base.errors import InputError, Refused
from quire.dataset.geometry import Geometry
from quire.dataset.sampling import MAX_SAMPLES
from quire.dataset.slot_tree import layer_sizes

OWN, OFFICIAL = "quire", "codex"
FAMILIES = (OWN, OFFICIAL)
_ELEMENT_BYTES = 31  # of data in one felt
_LIMITS = {
    "samples": (1, MAX_SAMPLES),
    "max_slot_depth": (2, 32),
    "max_dataset_depth": (1, 8),
    "block_depth": (1, 9),
    "cell_elements": (1, 4096),
}
_ID = re.compile(r"([a-z]+)" + r"-(0|[1-9][0-9]{0,4})" * len(_LIMITS))


@dataclass(frozen=True, slots=True)
class CircuitParameters:
    """One circuit. Raises InputError on construction for numbers outside their limits.

    max_slot_depth     levels from a cell to its slot root, at most
    max_dataset_depth  levels from a slot root to the dataset root, at most
    block_depth        levels from a cell to the digest of its block, exactly
    cell_elements      felts of a cell, the one that ends it included
    """

    family: str = OWN
    samples: int = 5
    max_slot_depth: int = 32
    max_dataset_depth: int = 8
    block_depth: int = 5
    cell_elements: int = 67

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise InputError(f"{self.family[:40]!r} is no family of circuits: {FAMILIES}")
        for name, (low, high) in _LIMITS.items():
            if not low <= getattr(self, name) <= high:
                written = name.replace("_", " ")
                raise InputError(
                    f"a circuit with {written} {getattr(self, name)} cannot be made; "
                    f"it is from {low} to {high}"
                )
        if self.block_depth >= self.max_slot_depth:
            raise InputError(
                f"a circuit with {self.block_depth} levels in a block and {self.max_slot_depth} "
                "in a slot leaves none for the blocks"
            )

    @property
    def id(self) -> str:
        """The name of the circuit, and of its directory."""
        numbers = [str(getattr(self, name)) for name in _LIMITS]
        return "-".join([self.family, *numbers])

    @property
    def binds_host(self) -> bool:
        return self.family == OWN

    @property
    def public_count(self) -> int:
        return 4 if self.binds_host else 3

    @property
    def cells_per_block(self) -> int:
        return 1 << self.block_depth

    def check_fits(self, geometry: Geometry, cell_size: int) -> None:
        """Raise Refused unless slots of this geometry can be proved by this circuit."""
        why = self._why_not(geometry, cell_size)
        if why:
            raise Refused(f"circuit {self.id} cannot prove this dataset: {why}")

    def _why_not(self, geometry: Geometry, cell_size: int) -> str:
        if geometry.block_size != cell_size << self.block_depth:
            return (
                f"a block of {geometry.block_size} bytes is not {self.cells_per_block} cells of "
                f"{cell_size}"
            )
        if cell_size // _ELEMENT_BYTES + 1 != self.cell_elements:
            return f"a cell of {cell_size} bytes is not {self.cell_elements} field elements"
        depth = self.block_depth + len(layer_sizes(geometry.slot_blocks)) - 1
        if depth > self.max_slot_depth:
            return f"its slots have {depth} levels, more than {self.max_slot_depth}"
        depth = len(layer_sizes(geometry.slots)) - 1
        if depth > self.max_dataset_depth:
            return f"{geometry.slots} slots have {depth} levels, more than {self.max_dataset_depth}"
        return ""


def parse_circuit_id(text: str) -> CircuitParameters:
    """The circuit of this name. Raises InputError."""
    match = _ID.fullmatch(text)
    if match is None:
        raise InputError(
            f"{text[:80]!r} does not name a circuit; a name is like {CircuitParameters().id}"
        )
    return CircuitParameters(match[1], *(int(number) for number in match.groups()[1:]))
