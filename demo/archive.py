"""Real input when the user names none: a tar archive of files found on this machine."""

from __future__ import annotations

import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

from quire.base.units import MIB

LEAST_BYTES = 64 * MIB


def _places() -> list[Path]:
    names = ("stdlib", "platstdlib", "purelib", "include", "data")
    found = [Path(sysconfig.get_paths()[n]) for n in names if n in sysconfig.get_paths()]
    return [*dict.fromkeys(p for p in found if p.is_dir()), Path("/usr/share"), Path("/usr/lib")]


def _files(place: Path) -> Iterator[Path]:
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def make_archive(target: Path) -> Path:
    """Write a tar of the Python standard library, and more if it is small, of at least 64 MiB."""
    total = 0
    with tarfile.open(target, "w") as archive:
        for place in _places():
            for path in _files(place):
                try:
                    archive.add(path, arcname=str(path.relative_to(path.anchor)))
                except OSError:
                    continue  # not ours to read; there are enough others
                total += path.stat().st_size
                if total >= LEAST_BYTES + LEAST_BYTES // 4:
                    return target
    return target
