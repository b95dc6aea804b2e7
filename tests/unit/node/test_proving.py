"""Which circuit a node proves with, and where its keys are: settings, profile, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.base.errors import BadConfig
from quire.dataset.circuit import OFFICIAL, CircuitParameters
from quire.node.config_load import load_config
from quire.node.profile import decode_profile, load_profile
from quire.node.proving import circuit_places
from quire.services.circuit_files import CircuitPlaces

HASH = "ab" * 32
PROFILE = """
name = "mine"
brand = "mine"
agent = "Mine"
rest-bases = ["/api/mine/v1"]
[protocols]
exchange = "/mine/exchange/1.0.0"
kad = "/mine/kad/1.0.0"
[circuit]
"""


def places(profile: str = "quire", text: str = "", **settings: object) -> CircuitPlaces:
    flags = {name.replace("_", "-"): value for name, value in settings.items()}
    config = load_config({"data-dir": "/data", **flags}, {}, None)
    network = decode_profile(PROFILE + text, "test") if text else load_profile(profile)
    return circuit_places(config, network)


def test_each_network_has_its_circuit() -> None:
    assert places("quire").default.id == "quire-5-32-8-5-67"
    assert places("codex").default.id == places("archivist").default.id == "codex-5-32-8-5-67"
    assert places("promethei").default.id == "codex-5-32-8-6-67"
    assert places().directory == Path("/data/circuits")
    assert places(circuit_dir="/elsewhere").directory == Path("/elsewhere")


def test_the_reference_s_options_change_the_circuit() -> None:
    found = places(
        proof_samples=20,
        max_slot_depth=24,
        max_dataset_depth=4,
        max_block_depth=6,
        max_cell_elements=34,
    )
    assert found.default == CircuitParameters("quire", 20, 24, 4, 6, 34)


def test_a_published_hash_counts_for_the_network_s_circuit_only() -> None:
    text = f'family = "quire"\nkey-hash = "{HASH}"'
    found = places(text=text)
    assert found.published(found.default) == bytes.fromhex(HASH)
    assert found.published(CircuitParameters(samples=7)) is None
    changed = places(text=text, proof_samples=7)
    assert changed.published(changed.default) is None


def test_a_witness_program_makes_the_circuit_an_official_one(tmp_path) -> None:
    for name in ("a.wasm", "a.zkey", "a.r1cs"):
        (tmp_path / name).write_bytes(b"")
    named = {f"circom_{kind}": str(tmp_path / f"a.{kind}") for kind in ("wasm", "zkey", "r1cs")}
    found = places(**named)
    assert found.default.family == OFFICIAL
    assert (found.wasm, found.zkey) == (tmp_path / "a.wasm", tmp_path / "a.zkey")
    assert places(circom_no_zkey="true").has_no_key


@pytest.mark.parametrize("kind", ["wasm", "zkey", "r1cs"])
def test_files_of_another_suffix_or_that_are_not_there_are_refused(tmp_path, kind) -> None:
    wrong = tmp_path / "key.bin"
    wrong.write_bytes(b"")
    with pytest.raises(BadConfig, match=f"circom-{kind}.*{kind} file"):
        places(**{f"circom_{kind}": str(wrong)})
    with pytest.raises(BadConfig, match="cannot be read"):
        places(**{f"circom_{kind}": str(tmp_path / f"none.{kind}")})


@pytest.mark.parametrize(
    "settings",
    [
        {"proof_samples": 0},
        {"proof_samples": 5000},
        {"max_slot_depth": 33},
        {"max_slot_depth": 5},
        {"max_dataset_depth": 9},
        {"max_block_depth": 0},
        {"max_cell_elements": 0},
    ],
)
def test_settings_of_no_circuit_are_refused(settings) -> None:
    with pytest.raises(BadConfig, match=r"whole number|do not go together"):
        places(**settings)


@pytest.mark.parametrize(
    "text",
    [
        'family = "other"',
        "samples = 0",
        "max-slot-depth = 40",
        'key-hash = "zz"',
        'key-hash = "AB"',
        f'key-hash = "{HASH}0"',
        'surprise = "1"',
        'samples = "5"',
    ],
)
def test_a_profile_with_no_such_circuit_is_refused(text) -> None:
    with pytest.raises(BadConfig):
        places(text=text)
