"""Runs circom and snarkjs of npm on files of a working directory."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.npm import installed

PROJECTS = Path(__file__).parents[1] / "interop"
SECONDS = 200

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="there is no Node.js on this machine"
)


def node(*arguments: str | Path, cwd: Path | None = None) -> str:
    command = ["node", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def snarkjs(place: Path, step: str) -> Any:
    """One step of `snarkjs/exchange.cjs`."""
    project = PROJECTS / "snarkjs"
    said = node(project / "exchange.cjs", installed(project), place, step)
    return json.loads(said.splitlines()[-1])


def compile_circom(place: Path, name: str) -> None:
    """`name`.r1cs and `name`_js/ from `interop/circom/name`.circom."""
    project = PROJECTS / "circom"
    compiler = installed(project) / "node_modules" / "circom2" / "cli.js"
    shutil.copy(project / f"{name}.circom", place)
    node(compiler, f"{name}.circom", "--r1cs", "--wasm", cwd=place)
