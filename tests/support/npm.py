"""Packages of npm for tests, installed once for each lock file, outside the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def installed(source: Path) -> Path:
    """The folder that has `node_modules` for the package.json and lock in `source`."""
    lock = (source / "package-lock.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quire" / "npm"
    folder = cache / hashlib.sha256(lock).hexdigest()[:16]
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as name:
        draft = Path(name) / "draft"
        draft.mkdir()
        for file in ("package.json", "package-lock.json"):
            shutil.copy(source / file, draft)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"npm ci failed:\n{done.stdout}{done.stderr}"
        try:
            draft.rename(folder)
        except OSError:
            assert folder.exists(), "the packages cannot be kept"  # another process was first
    return folder
