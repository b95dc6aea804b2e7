"""Where the program of the embedded chain is: Anvil, found or installed from npm.

Looked for in this order: the variable QUIRE_ANVIL, the PATH, Quire's cache. What is installed is
what `anvil/package-lock.json` says, checked by npm against the hash there, without its scripts.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from quire.base.errors import EnvironmentProblem

VARIABLE = "QUIRE_ANVIL"
VERSION = "1.7.1"
PACKAGE = "anvil-linux-amd64"  # the one that the lock names
INSTALL_SECONDS = 300.0
LOCKED = ("package.json", "package-lock.json")
WITHOUT_IT = f"install Foundry, so that anvil is on the PATH, or name the program in {VARIABLE}"


class NoAnvil(EnvironmentProblem):
    """The program of the embedded chain is not there and could not be installed."""

    code = "no-anvil"
    hint = "any other chain can be used instead: --eth-provider"


async def anvil_program(environment: Mapping[str, str]) -> Path:
    """The program, installed first where needed: 44 MB, once. Raises NoAnvil."""
    found = find_anvil(environment)
    return found if found is not None else await install_anvil(cache_directory(environment))


def find_anvil(environment: Mapping[str, str]) -> Path | None:
    """None when it is in none of the places. Raises NoAnvil."""
    named = environment.get(VARIABLE)
    if named:
        path = Path(named).expanduser()
        if not os.access(path, os.X_OK) or path.is_dir():
            raise NoAnvil(f"{VARIABLE} is {path}, which is no program that can be run")
        return path
    on_path = shutil.which("anvil", path=environment.get("PATH"))
    if on_path is not None:
        return Path(on_path)
    cached = _program_in(cache_directory(environment))
    return cached if os.access(cached, os.X_OK) else None


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Where this version is installed, whichever checkout of Quire it is used from."""
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "~"), ".cache")
    return Path(base).expanduser() / "quire" / f"anvil-{VERSION}"


async def install_anvil(directory: Path) -> Path:
    """Beside it first and then moved there as a whole, so that two may do it at once.
    Raises NoAnvil."""
    machine = f"{platform.system()} {platform.machine()}"
    if machine not in ("Linux x86_64", "Linux AMD64"):
        raise NoAnvil(f"no Anvil is known for {machine}; {WITHOUT_IT}")
    if shutil.which("npm") is None:
        raise NoAnvil(f"Anvil is installed with npm, which is not here; {WITHOUT_IT}")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="anvil-", dir=directory.parent))
    except OSError as error:
        raise NoAnvil(f"{directory} cannot be made: {error.strerror}") from None
    try:
        for name in LOCKED:
            text = files("quire.chain").joinpath("anvil", name).read_bytes()
            (work / name).write_bytes(text)
        await _npm(work)
        if not os.access(_program_in(work), os.X_OK):
            raise NoAnvil(f"npm installed no Anvil for {machine}; {WITHOUT_IT}")
        _put_in_place(work, directory)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return _program_in(directory)


async def _npm(work: Path) -> None:
    run = await asyncio.create_subprocess_exec(
        *("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
        cwd=work,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(INSTALL_SECONDS):
            said, _ = await run.communicate()
    except TimeoutError:
        run.kill()
        await run.wait()
        raise NoAnvil(
            f"npm did not install Anvil within {INSTALL_SECONDS:.0f} s; {WITHOUT_IT}"
        ) from None
    if run.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines()
        errors = [line.strip() for line in lines if "error" in line.lower()]
        raise NoAnvil(f"npm could not install Anvil: {' '.join(errors[:3])[:400]}; {WITHOUT_IT}")


def _put_in_place(work: Path, directory: Path) -> None:
    try:
        work.rename(directory)
    except OSError as error:
        if not os.access(_program_in(directory), os.X_OK):  # else somebody was faster
            raise NoAnvil(f"{directory} is in the way of Anvil: {error.strerror}") from None


def _program_in(directory: Path) -> Path:
    return directory / "node_modules" / "@foundry-rs" / PACKAGE / "bin" / "anvil"
