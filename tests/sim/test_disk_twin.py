"""The simulated disk does what the real one does, as long as the power stays on."""

from __future__ import annotations

import random
from pathlib import Path

from quire.sim.disk import SimDisk
from quire.sim.rng import Streams
from quire.store.files import DirectoryDisk

NAMES = ("a", "b", "c")
OPERATIONS = (
    "create",
    "write",
    "write",
    "write",
    "read",
    "punch",
    "truncate",
    "sync",
    "rename",
    "remove",
)


def apply(disk: SimDisk | DirectoryDisk, operation: str, rng: random.Random) -> object:
    """One operation with its arguments drawn from `rng`; its result, or the kind of its error."""
    name = rng.choice(NAMES)
    offset, length = rng.randrange(20_000), rng.randrange(1, 12_000)
    content = rng.randbytes(length)
    try:
        match operation:
            case "create":
                return disk.create(name)
            case "write":
                return disk.write_at(name, offset, [content[: length // 2], content[length // 2 :]])
            case "read":
                return disk.read_at(name, offset, length)
            case "punch":
                return disk.punch(name, offset, length)
            case "truncate":
                return disk.truncate(name, offset)
            case "rename":
                return disk.rename(name, rng.choice(NAMES))
            case "sync":
                return disk.sync(name)
            case _:
                return disk.remove(name)
    except OSError as error:
        return type(error)


def test_both_disks_answer_alike(tmp_path: Path) -> None:
    for seed in range(30):
        directory = tmp_path / str(seed)
        directory.mkdir()
        real = DirectoryDisk(directory)
        simulated = SimDisk(Streams(seed).stream("disk"))
        rng = Streams(seed).stream("operations")
        for _ in range(80):
            operation, choices = rng.choice(OPERATIONS), rng.getrandbits(64)
            found = [apply(disk, operation, random.Random(choices)) for disk in (real, simulated)]
            assert found[0] == found[1], f"seed {seed}: {operation}"
            assert real.names() == simulated.names()
            for name in real.names():
                assert real.size(name) == simulated.size(name)
                whole = real.size(name)
                assert real.read_at(name, 0, whole) == simulated.read_at(name, 0, whole)
        real.close()
