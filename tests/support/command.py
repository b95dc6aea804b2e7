"""The command `quire` as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any


def hear_ctrl_c() -> None:
    """For `preexec_fn`: whoever runs the tests in the background has them ignore SIGINT, and so
    would the child."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Outcome:
    code: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def quire(*arguments: str, api: str = "", stdin: bytes = b"", **environment: str) -> Outcome:
    """Run one command to its end."""
    command = [sys.executable, "-m", "quire.faces.cli.main"]
    command += (["--api", api] if api else []) + list(arguments)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("QUIRE_")}
    clean["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        command, input=stdin, capture_output=True, timeout=60, env=clean | environment, check=False
    )
    return Outcome(done.returncode, done.stdout, done.stderr.decode())
