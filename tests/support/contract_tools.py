"""What checks the contracts beside our own tests: forge from npm; slither and halmos from PyPI, in
an environment of their own. All of it is kept outside the checkout and made on first use."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from support.npm import installed

ROOT = Path(__file__).parents[2]
CONTRACTS = ROOT / "contracts"
LOCK = ROOT / "requirements" / "contracts.txt"
INSTALL_SECONDS = 900
RUN_SECONDS = 300


def why_not() -> str:
    """Why these tools cannot run here, or an empty text."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "node and npm are not here"
    return "" if _forges() else "there is no forge for this machine"


def out_directory() -> str:
    """Where the compiled contracts are, as seen from theirs."""
    return os.path.relpath(_build_place() / "out", CONTRACTS)


def run(program: str | Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Forge, or a tool that reads what it built; first it is built. One after the other."""
    place = _build_place()
    with (place / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        _build(place)
        return _run(place, program, *arguments)


def _build(place: Path) -> None:
    """All anew if anything changed: slither cannot put the parts of several builds together."""
    sources = [CONTRACTS / "foundry.toml", *sorted(CONTRACTS.glob("*/*.sol"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    mark = place / "built"
    if mark.exists() and mark.read_text() == digest:
        return
    for part in ("out", "cache"):
        shutil.rmtree(place / part, ignore_errors=True)
    done = _run(place, "forge", "build")
    assert done.returncode == 0, done.stdout + done.stderr
    mark.write_text(digest)


def _run(
    place: Path, program: str | Path, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *arguments],
        cwd=CONTRACTS,
        env=_environment(place),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


def _environment(place: Path) -> dict[str, str]:
    """The compiler is that of the contracts; nothing is written into the checkout."""
    programs = (_forges()[0].parent, os.environ["PATH"])
    return {
        **os.environ,
        "PATH": os.pathsep.join(map(str, programs)),
        "FOUNDRY_SOLC": str(CONTRACTS / "forge" / "solc.js"),
        "QUIRE_SOLC": str(installed(CONTRACTS)),
        "FOUNDRY_OUT": str(place / "out"),
        "FOUNDRY_CACHE_PATH": str(place / "cache"),
        "FOUNDRY_TEST_FAILURES_FILE": str(place / "failures"),
        "FOUNDRY_FUZZ_FAILURE_PERSIST_DIR": str(place / "fuzz"),
        "FOUNDRY_INVARIANT_FAILURE_PERSIST_DIR": str(place / "invariant"),
    }


def _build_place() -> Path:
    """One for each checkout."""
    place = _home() / f"forge-build-{hashlib.sha256(bytes(CONTRACTS)).hexdigest()[:8]}"
    place.mkdir(parents=True, exist_ok=True)
    return place


def python_tool(name: str) -> Path:
    """A program of requirements/contracts.txt."""
    return _python_tools() / "bin" / name


@cache
def _python_tools() -> Path:
    lock = LOCK.read_bytes()
    version = f"{sys.version_info.major}{sys.version_info.minor}"
    place = _home() / f"contract-tools-{version}-{hashlib.sha256(lock).hexdigest()[:16]}"
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (place / ".done").exists():
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
            pip = [place / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps"]
            subprocess.run(
                [*pip, "--require-hashes", "-r", LOCK],
                check=True,
                capture_output=True,
                timeout=INSTALL_SECONDS,
            )
            (place / ".done").touch()
    return place


def _home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "quire-tests"


@cache
def _forges() -> list[Path]:
    packages = installed(CONTRACTS / "forge") / "node_modules" / "@foundry-rs"
    return sorted(packages.glob("forge-*/bin/forge"))
