"""Every fuzz target over its seeds and some thousand mutations of them, without atheris."""

import importlib.util
import random
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TARGETS = sorted(path.stem for path in HERE.glob("fuzz_*.py"))
MUTATIONS = 3000


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"fuzz_target_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_seeds_and_mutations(name):
    harness, target = load("harness"), load(name)
    corpus = harness.seeds(target.VECTORS)
    for data in corpus:
        target.check(data)
    for data in harness.mutations(corpus, random.Random(name), MUTATIONS):
        target.check(data)
