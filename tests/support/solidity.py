"""The compiler of the contracts, for tests that check artefacts or bring contracts of their own."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from support.npm import installed

CONTRACTS = Path(__file__).parents[2] / "contracts"
TEST_SOURCES = Path(__file__).parents[1] / "contracts" / "sources"


@cache
def build_script() -> ModuleType:
    """contracts/build.py, loaded."""
    spec = importlib.util.spec_from_file_location("contracts_build", CONTRACTS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiler() -> Path:
    """Where the compiler is installed."""
    return installed(CONTRACTS)


@cache
def compiled(name: str, *needed: str) -> dict[str, Any]:
    """A contract of tests/contracts/sources; `needed`: files of contracts/src that it imports."""
    paths = [TEST_SOURCES / f"{name}.sol", *(CONTRACTS / "src" / each for each in needed)]
    return build_script().compile_sources(paths, compiler())[name]
