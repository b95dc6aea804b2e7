"""Every fuzz target over its seeds and mutations of them, without atheris.

QUIRE_MUTATIONS sets how many (default 4000; `make long` does a million, guided by atheris).
"""

import ast
import gc
import importlib.util
import os
import random
import re
import sys
from pathlib import Path

import pytest

from support.source import ROOT

HERE = Path(__file__).parent
TARGETS = sorted(path.stem for path in HERE.glob("fuzz_*.py"))
MUTATIONS = int(os.environ.get("QUIRE_MUTATIONS", "4000"))


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def frozen():
    """What other tests of this process have left is not searched for garbage again and again."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_seeds_and_mutations(name):
    harness, target = load("harness"), load(name)
    corpus = harness.seeds(target.VECTORS, getattr(target, "SEEDS", ()))
    for data in corpus:
        target.check(data)
    for data in harness.mutations(corpus, random.Random(name), MUTATIONS):
        target.check(data)


SOURCE = ROOT / "src" / "quire"
RAW = {"loads", "b64decode", "urlsplit", "unquote", "unpack", "unpack_from", "literal_eval"}
# Modules that call one of RAW on what does not come from outside.
TRUSTED = {
    "chain/artefact.py": "files of this package, compared with the compiler's output by a test",
    "faces/local.py": "the first line of a process that it has started itself",
    "faces/replicas.py": "answers of the node in use; the manifest is compared with the CID",
    "faces/local_market.py": "answers of a node that it has started itself",
    "services/workers/frames.py": "between a node and the child process that it has started itself",
    "services/workers/ray.py": "the words of that child process",
    "services/workers/ray_bridge.py": "the words of the node that has started it",
}


def modules() -> dict[str, ast.Module]:
    """The sources that run in a node or a command, by path below `quire`."""
    return {
        name: ast.parse(path.read_text())
        for path in sorted(SOURCE.rglob("*.py"))
        if not (name := path.relative_to(SOURCE).as_posix()).startswith("sim/")
    }


def decoders(tree: ast.Module) -> list[str]:
    """Public functions and methods that say that they read what comes from outside."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith(("decode_", "parse_")):
            found.append(node.name)
        if isinstance(node, ast.ClassDef) and not is_port(node):
            found += [
                f"{node.name}.{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef) and inner.name in ("decode", "parse")
            ]
    return found


def is_port(node: ast.ClassDef) -> bool:
    """Whether it says what others decode."""
    return any(ast.unparse(base).startswith("Protocol") for base in node.bases)


def takes_apart(tree: ast.Module) -> bool:
    """Whether it reads JSON, base64, URLs or records by itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.rpartition(".")[2] in RAW or called.endswith("json.decode"):
                return True
    return False


def test_every_parser_of_what_comes_from_outside_has_a_target():
    targets = "\n".join((HERE / f"{name}.py").read_text() for name in TARGETS)
    found = [name for tree in modules().values() for name in decoders(tree)]
    assert len(found) > 30
    assert [name for name in found if not re.search(rf"\b{re.escape(name)}\b", targets)] == []


def test_every_module_that_takes_outside_data_apart_is_used_by_a_target():
    targets = "\n".join((HERE / f"{name}.py").read_text() for name in TARGETS)
    found = {name for name, tree in modules().items() if takes_apart(tree)}
    assert len(found) > 8
    assert set(TRUSTED) <= found
    used = {name for name in found if f"from quire.{name[:-3].replace('/', '.')} " in targets}
    assert found - used - set(TRUSTED) == set()


def test_every_reader_of_request_headers_has_a_target():
    targets = "\n".join((HERE / f"{name}.py").read_text() for name in TARGETS)
    for reader in ("accept", "byteranges", "conditions", "disposition", "guard", "inputs"):
        assert (SOURCE / "faces" / "rest" / f"{reader}.py").exists()
        assert re.search(rf"faces\.rest(\.{reader} | import .*\b{reader}\b)", targets), reader
