"""Which cells of a slot a proof shows, and the evidence for one cell.

    challenge (32 bytes) -> entropy (its first 31 bytes, a felt) -> one cell index for each sample

The same cell may be drawn twice. `cell_count` is that of the padded slot, a power of two.
Source   proofs.md 4.1; vectors/sampling.json
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import InputError, ProofInvalid
from quire.dataset.slot_tree import MAX_SLOT_LEAVES, NODE_BYTES
from quire.formats.felt import FELT_BYTES, MODULUS, check_felt
from quire.formats.varint import Buffer
from quire.kernels import poseidon2

CHALLENGE_BYTES = 32
MAX_SAMPLES = 1000
MAX_CELLS = 1 << 32
_HEX = frozenset("0123456789abcdefABCDEF")


def entropy_of_challenge(challenge: bytes) -> bytes:
    """The felt that a challenge of the contract stands for; its last byte does not count."""
    if len(challenge) != CHALLENGE_BYTES:
        raise InputError(f"a challenge has {CHALLENGE_BYTES} bytes, not {len(challenge)}")
    return challenge[:-1] + b"\0"


def parse_challenge(text: str) -> bytes:
    """A challenge as people write it: 64 hexadecimal digits, with or without 0x."""
    digits = _hex_digits(text, "a challenge")
    if len(digits) != 2 * CHALLENGE_BYTES:
        raise InputError(f"a challenge has {2 * CHALLENGE_BYTES} digits, not {len(digits)}")
    return bytes.fromhex(digits)


def parse_entropy(text: str) -> bytes:
    """Entropy as people write it, a hexadecimal number below the modulus, as a felt."""
    digits = _hex_digits(text, "entropy")
    if not 0 < len(digits) <= 2 * FELT_BYTES or int(digits, 16) >= MODULUS:
        raise InputError(f"{text[:80]!r} is no entropy: it must be below the modulus of BN254")
    return int(digits, 16).to_bytes(FELT_BYTES, "little")


def sample_indices(entropy: bytes, slot_root: bytes, cell_count: int, samples: int) -> list[int]:
    """The cells that a proof shows.

    Raises   InputError  a count outside its limits; BadEncoding for felts that are none
    """
    if not 1 <= samples <= MAX_SAMPLES:
        raise InputError(f"{samples} samples are not from 1 to {MAX_SAMPLES}")
    if not 2 <= cell_count <= MAX_CELLS or cell_count & (cell_count - 1):
        raise InputError(f"a slot of {cell_count} cells is no power of two up to {MAX_CELLS}")
    check_felt(entropy)
    check_felt(slot_root)
    mask = cell_count - 1
    found = []
    for counter in range(1, samples + 1):
        felts = entropy + slot_root + counter.to_bytes(FELT_BYTES, "little")
        found.append(int.from_bytes(poseidon2.sponge(felts), "little") & mask)
    return found


@dataclass(frozen=True, slots=True)
class CellSample:
    """One cell with the path from its hash to the slot root, bottom-up, 32 bytes a sibling: first
    through the tree over its block, then through the tree over the slot."""

    cell: bytes
    block_path: bytes
    slot_path: bytes

    @classmethod
    def of(cls, block: Buffer, cell: int, cell_size: int, slot_path: bytes) -> CellSample:
        """The evidence for a cell of a block; `slot_path` is that of the block.

        Cost     hashes the whole block
        """
        data = memoryview(block).cast("B")
        hashes = poseidon2.cell_hashes(data, cell_size)
        count = len(hashes) // NODE_BYTES
        if not 0 <= cell < count:
            raise InputError(f"cell {cell} is not one of the {count} of a block")
        path = poseidon2.path(poseidon2.tree(hashes), count, cell)
        return cls(bytes(data[cell * cell_size : (cell + 1) * cell_size]), path, slot_path)

    @property
    def path(self) -> bytes:
        return self.block_path + self.slot_path

    def check(self, index: int, cells_per_block: int, leaf_count: int, slot_root: bytes) -> None:
        """Raise ProofInvalid unless the cell stands at `index` of the slot with this root, whose
        tree has `leaf_count` leaves."""
        assert 1 <= leaf_count <= MAX_SLOT_LEAVES
        block, cell = divmod(index, cells_per_block)
        try:
            leaf = poseidon2.cell_hashes(self.cell, len(self.cell))
            digest = poseidon2.root_of_path(leaf, cell, cells_per_block, self.block_path)
            root = poseidon2.root_of_path(digest, block, leaf_count, self.slot_path)
        except InputError as error:
            raise ProofInvalid(f"the path of cell {index} is none: {error.message}") from None
        if root != slot_root:
            raise ProofInvalid(f"the path of cell {index} does not lead to the slot root")


def _hex_digits(text: str, what: str) -> str:
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if len(digits) > 2 * CHALLENGE_BYTES or not _HEX.issuperset(digits):
        raise InputError(
            f"{text[:80]!r} is not {what}: {2 * CHALLENGE_BYTES} hexadecimal digits at most"
        )
    return digits
