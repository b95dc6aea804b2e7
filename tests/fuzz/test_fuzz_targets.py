"""Every fuzz target over its seeds and ten thousand mutations of them, without atheris."""

import ast
import importlib.util
import random
import sys
from pathlib import Path

import pytest

from support.source import ROOT

HERE = Path(__file__).parent
TARGETS = sorted(path.stem for path in HERE.glob("fuzz_*.py"))
MUTATIONS = 10_000


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_seeds_and_mutations(name):
    harness, target = load("harness"), load(name)
    corpus = harness.seeds(target.VECTORS, getattr(target, "SEEDS", ()))
    for data in corpus:
        target.check(data)
    for data in harness.mutations(corpus, random.Random(name), MUTATIONS):
        target.check(data)


def decoders() -> list[str]:
    """Public functions and methods of the formats that read what comes from outside."""
    found = []
    for path in sorted((ROOT / "src" / "quire" / "formats").glob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith(("decode_", "parse_")):
                found.append(node.name)
            if isinstance(node, ast.ClassDef):
                found += [
                    f"{node.name}.{inner.name}"
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef) and inner.name in ("decode", "parse")
                ]
    return found


def test_every_decoder_of_the_formats_has_a_target():
    targets = "\n".join((HERE / f"{name}.py").read_text() for name in TARGETS)
    assert len(decoders()) > 20
    assert [name for name in decoders() if name not in targets] == []
