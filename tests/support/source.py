"""The repository as data, for the tests that read the code instead of running it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "quire"
TESTS = ROOT / "tests"
GENERATED = ("target", ".venv", "node_modules")


@dataclass(frozen=True, eq=False)
class Module:
    """One Python file. `name` is dotted without the leading package, such as `store.disk`."""

    path: Path
    name: str
    text: str
    tree: ast.Module

    @property
    def layer(self) -> str:
        """The first part of the name; empty for the package itself."""
        return self.name.partition(".")[0]

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def shown(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def at(self, node: ast.AST) -> str:
        """`path:line`, for messages."""
        return f"{self.shown}:{getattr(node, 'lineno', 1)}"


@dataclass(frozen=True)
class Import:
    """One imported name. `target` is dotted; `is_lazy` when it happens inside a function."""

    target: str
    line: int
    is_lazy: bool
    is_typing_only: bool


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, sorted by path."""
    return tuple(_load(path, PACKAGE) for path in sorted(PACKAGE.rglob("*.py")))


@cache
def modules_of_tests() -> tuple[Module, ...]:
    """Every Python file below `tests`, sorted by path."""
    return tuple(_load(path, TESTS) for path in sorted(TESTS.rglob("*.py")))


def imports_of(module: Module) -> list[Import]:
    """All imports of a module, also those inside functions and for type checking only."""
    return list(_imports(module.tree, is_lazy=False, is_typing_only=False, module=module))


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@cache
def tracked_files() -> tuple[Path, ...]:
    """Files under version control; outside of a checkout, every file that is not generated."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not set(GENERATED) & set(p.parts)]
    return tuple(sorted(path for path in paths if path.is_file()))


@cache
def tracked_texts() -> tuple[tuple[str, str], ...]:
    """(path from the root, text) of every tracked file that is UTF-8 text."""
    found = []
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((path.relative_to(ROOT).as_posix(), content.decode("utf-8", "replace")))
    return tuple(found)


def _load(path: Path, base: Path) -> Module:
    parts = list(path.relative_to(base).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    text = path.read_text(encoding="utf-8")
    return Module(path, ".".join(parts), text, ast.parse(text, str(path)))


def _imports(
    node: ast.AST, *, is_lazy: bool, is_typing_only: bool, module: Module
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, is_lazy, is_typing_only)
        elif isinstance(child, ast.ImportFrom):
            base = _absolute(child, module)
            for alias in child.names:
                yield Import(f"{base}.{alias.name}", child.lineno, is_lazy, is_typing_only)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            yield from _imports(
                child,
                is_lazy=is_lazy or inside,
                is_typing_only=is_typing_only or typing_only,
                module=module,
            )


def _absolute(statement: ast.ImportFrom, module: Module) -> str:
    if statement.level == 0:
        return statement.module or ""
    parts = ["quire", *module.name.split(".")]
    keep = len(parts) - statement.level + (1 if module.is_package else 0)
    return ".".join([*parts[:keep], *([statement.module] if statement.module else [])])
