"""Circuits reach a worker once, and are what was sent, wherever its files come from."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from quire.base.errors import BadKey, NotFound
from quire.services.circuit_check import trial_input
from quire.services.circuit_files import CircuitFiles, NoCircuit
from quire.services.workers.circuit_parcel import CircuitAbsent, CircuitParcel, opened
from support.prove_kit import TINY, tiny_keys

HOST = bytes(20)


@pytest.fixture
def parcel() -> CircuitParcel:
    return CircuitParcel.of(CircuitFiles.in_directory(TINY, tiny_keys() / TINY.id))


def elsewhere(parcel: CircuitParcel) -> CircuitParcel:
    """As it is read on a machine that has no such path."""
    return replace(parcel, zkey=replace(parcel.zkey, path=Path("/nowhere/proof_main.zkey")))


def test_files_that_are_there_are_used_in_place(parcel: CircuitParcel, tmp_path: Path) -> None:
    circuit = opened(pickle.loads(pickle.dumps(parcel)), None, tmp_path / "kept")
    assert circuit.files.zkey == parcel.zkey.path
    assert not (tmp_path / "kept").exists()
    circuit.begin(trial_input(TINY), HOST).run()


def test_files_that_are_not_there_are_asked_for_and_kept(
    parcel: CircuitParcel, tmp_path: Path
) -> None:
    far = elsewhere(parcel)
    with pytest.raises(CircuitAbsent, match=r"proof_main\.zkey is not on this machine"):
        opened(far, None, tmp_path)
    circuit = opened(far, parcel.contents(), tmp_path)
    assert circuit.files.zkey == tmp_path / f"{parcel.zkey.sha256.hex()}.zkey"
    circuit.begin(trial_input(TINY), HOST).run()
    assert opened(far, None, tmp_path).key_hash == circuit.key_hash


def test_what_came_otherwise_than_it_was_sent_is_refused(
    parcel: CircuitParcel, tmp_path: Path
) -> None:
    damaged = bytearray(parcel.contents()[0])
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(BadKey, match="with another hash"):
        opened(elsewhere(parcel), [damaged], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_kept_file_that_was_changed_is_not_used(parcel: CircuitParcel, tmp_path: Path) -> None:
    far = elsewhere(parcel)
    kept = opened(far, parcel.contents(), tmp_path).files.zkey
    assert kept is not None
    kept.chmod(0o600)
    with kept.open("r+b") as file:
        file.seek(1000)
        file.write(b"another key")
    with pytest.raises(CircuitAbsent):
        opened(far, None, tmp_path)
    opened(far, parcel.contents(), tmp_path)


def test_a_circuit_without_a_key_cannot_be_sent(parcel: CircuitParcel, tmp_path: Path) -> None:
    with pytest.raises(NoCircuit):
        CircuitParcel.of(CircuitFiles.in_directory(TINY, tmp_path))
    with pytest.raises(NotFound):
        elsewhere(parcel).contents()
