"""Where the blocks of a protected dataset are: K data rows and M parity rows of `steps` blocks.

          s = 0   1        steps-1
    row 0  [ 0    1   ...  steps-1 ]          row p = slot p = blocks [p*steps, (p+1)*steps)
    row 1  [ steps ...             ]          column s = one codeword, K + M blocks
    ...                                       original block i keeps index i
    row K  [ parity                ]          pads: the indices from the original's end to K*steps

A pad counts as a block of zeros for the code and for its slot, but its leaf in the tree is the
digest of no bytes at all, and it is never stored nor sent.
Source   proofs.md 2.1, 2.2 and 3.7; content.md 3.6
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.errors import InputError
from quire.formats.manifest import STEPPED, Manifest

MAX_SLOTS_PROVABLE = 256  # k + m: the circuit's tree over the slot roots has depth 8
MAX_SLOT_CELLS = 1 << 32  # the circuit's slot trees have depth 32
CELL_BYTES = 2048
PARITY_ALIGNMENT = 64  # bytes: the code works on whole chunks of this size


class InsufficientBlocks(InputError):
    """The dataset has fewer blocks than there would be data rows."""

    code, http = "insufficient-blocks", 422
    hint = "choose a smaller K, or protect a larger dataset"


class BadProtection(InputError):
    """K and M that cannot be used for any dataset."""

    code, http = "bad-protection", 422
    hint = "2 <= K, 1 <= M <= K, K + M <= 256; K=4 M=2 survives the loss of any 2 of 6 slots"


def check_code(k: int, m: int) -> None:
    """Raise BadProtection for K data and M parity rows that no provable dataset can have."""
    if k < 2:
        raise BadProtection(f"K = {k} data rows cannot be protected; K is 2 or more")
    if m < 1:
        raise BadProtection(f"M = {m} parity rows protect nothing; M is 1 or more")
    if m > k:
        raise BadProtection(f"M = {m} parity rows are more than the K = {k} data rows")
    if k + m > MAX_SLOTS_PROVABLE:
        raise BadProtection(
            f"K + M = {k + m} slots are more than the {MAX_SLOTS_PROVABLE} that can be proved"
        )


def check_protection(k: int, m: int, blocks: int, block_size: int) -> None:
    """Raise BadProtection, or InsufficientBlocks for a dataset of `blocks` that is too small."""
    check_code(k, m)
    if block_size < 1 or block_size % CELL_BYTES or block_size % PARITY_ALIGNMENT:
        raise BadProtection(
            f"blocks of {block_size} bytes cannot be protected; "
            f"they must be a multiple of {CELL_BYTES}"
        )
    if k > blocks:
        raise InsufficientBlocks(
            f"a dataset of {blocks} blocks cannot be cut into K = {k} data rows; "
            f"the minimum is {k * block_size} bytes, {k} blocks of {block_size}",
            blocks=blocks,
            minimum_bytes=k * block_size,
        )
    slot_blocks = 1 << (-(-blocks // k) - 1).bit_length()
    if slot_blocks * (block_size // CELL_BYTES) > MAX_SLOT_CELLS:
        raise BadProtection(
            f"a slot of {slot_blocks} blocks has more cells than the {MAX_SLOT_CELLS} "
            "that can be proved; choose a larger K"
        )


@dataclass(frozen=True, slots=True)
class Geometry:
    """Rows, columns and slots of a dataset protected with `k` + `m`. Sizes in bytes.

    original_blocks  blocks of the dataset before it was protected, one at least
    """

    original_blocks: int
    k: int
    m: int
    block_size: int

    def __post_init__(self) -> None:
        if self.original_blocks < 1 or self.k < 1 or self.m < 1 or self.block_size < 1:
            raise InputError(
                f"{self.original_blocks} blocks of {self.block_size} bytes in "
                f"{self.k} + {self.m} rows are no protected dataset"
            )

    @classmethod
    def of(cls, manifest: Manifest) -> Geometry:
        """The geometry of a protected manifest. Raises InputError for a plain one."""
        protection = manifest.protection
        if protection is None:
            raise InputError("the dataset is not protected; protect it first: quire protect CID")
        if protection.strategy != STEPPED:
            raise InputError("the dataset is protected in the linear order, which nobody decodes")
        return cls(manifest.original_block_count, protection.k, protection.m, manifest.block_size)

    @property
    def steps(self) -> int:
        """Columns: blocks of one row."""
        return -(-self.original_blocks // self.k)

    @property
    def rounded(self) -> int:
        """Blocks of the data rows, pads included."""
        return self.steps * self.k

    @property
    def slots(self) -> int:
        """Rows, of data and of parity."""
        return self.k + self.m

    @property
    def total(self) -> int:
        """Leaves of the protected tree."""
        return self.steps * self.slots

    @property
    def protected_size(self) -> int:
        """`datasetSize` of the protected manifest: all blocks, pads and parity included."""
        return self.total * self.block_size

    @property
    def slot_blocks(self) -> int:
        """Leaves of a slot's tree: the steps, padded to a power of two with zero blocks."""
        return 1 << (self.steps - 1).bit_length()

    @property
    def slot_size(self) -> int:
        """`slotSize` of a storage request: bytes of a padded slot."""
        return self.slot_blocks * self.block_size

    @property
    def cells_per_block(self) -> int:
        return self.block_size // CELL_BYTES

    @property
    def cells_per_slot(self) -> int:
        """Cells of a padded slot."""
        return self.slot_blocks * self.cells_per_block

    def row_range(self, row: int) -> range:
        """Leaves of a row, which is also the slot of this number."""
        self._check(row, self.slots, "row")
        return range(row * self.steps, (row + 1) * self.steps)

    def index(self, row: int, step: int) -> int:
        """The leaf in `row` and column `step`."""
        self._check(row, self.slots, "row")
        self._check(step, self.steps, "step")
        return row * self.steps + step

    def position(self, index: int) -> tuple[int, int]:
        """(row, step) of a leaf."""
        self._check(index, self.total, "block")
        return divmod(index, self.steps)

    def is_pad(self, index: int) -> bool:
        """Whether the leaf stands for zeros that nobody stores."""
        return self.original_blocks <= index < self.rounded

    def stored_blocks(self, row: int) -> int:
        """Blocks of a row that are not pads; these are the first ones of the row."""
        leaves = self.row_range(row)
        if row >= self.k:
            return self.steps
        return min(max(self.original_blocks - leaves.start, 0), self.steps)

    def _check(self, number: int, count: int, what: str) -> None:
        if not 0 <= number < count:
            raise InputError(f"{what} {number} does not exist; the dataset has {count}")
