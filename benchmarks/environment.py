"""The Python environment of the peers, made once, outside the checkout.

Its place carries the hash of the lock file, so that a changed lock makes a new one.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements" / "bench.txt"


def peers_python() -> Path:
    """The interpreter of the environment in which Tahoe-LAFS and uvicorn are installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    place = cache / "quire" / f"bench-{digest}-{sys.version_info[0]}.{sys.version_info[1]}"
    python, complete = place / "bin" / "python", place / "complete"
    if not complete.exists():
        print("  installing Tahoe-LAFS and uvicorn (once) ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", str(LOCK)], check=True)
        complete.touch()
    return python
