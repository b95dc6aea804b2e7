"""An aggregator that saves itself work: `python -m demo.cheat COMMAND...`.

The command is that of an ordinary node. It runs in this process, but of every COLUMNS columns that
it codes one gets a parity block of something else; tree, slots and digests are made of that, so
that everything fits together until somebody codes the column himself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from quire.dataset.geometry import Geometry
from quire.faces.cli.main import main
from quire.kernels import poseidon2
from quire.kernels.hashing import sha256_blocks
from quire.services.workers import local
from quire.store.columns import Columns

COLUMNS = 25
BEFORE_ARGUMENTS = 3  # python -m quire.faces.cli.main


def under_cheating() -> list[str]:
    """What a node's command is put under."""
    path = os.pathsep.join(part for part in sys.path if part)
    return ["env", f"PYTHONPATH={path}", sys.executable, "-m", "demo.cheat"]


def cheat() -> None:
    code = local.code

    def cheated(rows: Sequence[bytes], geometry: Geometry, columns: range) -> Columns:
        made = code(rows, geometry, columns)
        wrong = [column - columns.start for column in columns if column % COLUMNS == 0]
        if not wrong:
            return made
        size, count = geometry.block_size, len(columns)
        parity, slots = bytearray(made.parity), bytearray(made.slots)
        for column in wrong:
            parity[column * size] ^= 1
            block = bytes(parity[column * size : (column + 1) * size])
            at = (geometry.k * count + column) * 32
            slots[at : at + 32] = poseidon2.block_digests(block, size)
        digests = sha256_blocks(bytes(parity), size)
        return replace(made, parity=bytes(parity), digests=digests, slots=bytes(slots))

    local.code = cheated


if __name__ == "__main__":
    cheat()
    sys.exit(main(sys.argv[1 + BEFORE_ARGUMENTS :]))
