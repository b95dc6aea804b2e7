"""Packages of npm for tests, installed once into a cache outside the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

INSTALL_SECONDS = 300


def installed(source: Path) -> Path:
    """The directory in which the packages of `source`/package-lock.json are installed."""
    lock = (source / "package-lock.json").read_bytes()
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quire-tests"
    place = home / f"{source.name}-{hashlib.sha256(lock).hexdigest()[:16]}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (place / ".done").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, place / name)
            subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=place,
                check=True,
                capture_output=True,
                timeout=INSTALL_SECONDS,
            )
            (place / ".done").touch()
    return place
