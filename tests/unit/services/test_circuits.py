"""Circuits on disk: found, opened once, checked, and refused in words when something is wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import shutil
from pathlib import Path

import pytest

from quire.base.errors import (
    BadKey,
    Cancelled,
    EnvironmentProblem,
    InputError,
    NotFound,
    QuireError,
    Refused,
)
from quire.dataset.circuit import OFFICIAL, CircuitParameters
from quire.flow.prove import NO_HOST
from quire.kernels.groth16 import Cancel, VerifyingKey, setup_key, verify
from quire.services import circuits as circuits_module
from quire.services.circuit_check import check_circuit, trial_input
from quire.services.circuit_files import (
    NOTE,
    VERIFYING_KEY,
    CircuitFiles,
    CircuitNote,
    CircuitPlaces,
    NoCircuit,
    decode_circuit_note,
    file_hash,
)
from quire.services.circuit_setup import set_up_circuit
from quire.services.circuits import Circuits, LoadedCircuit, hash_of
from support.circuits import squares_r1cs
from support.prove_kit import TINY, tiny_keys

SEED = bytes(32)
ZKEY, R1CS, WASM = "proof_main.zkey", "proof_main.r1cs", "proof_main.wasm"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A circuit directory of our own with the tiny circuit, to be damaged."""
    shutil.copytree(tiny_keys(), tmp_path / "circuits")
    return tmp_path / "circuits"


@pytest.fixture
def own(directory: Path) -> Path:
    return directory / TINY.id


def files_in(directory: Path, circuit: CircuitParameters = TINY) -> CircuitFiles:
    return CircuitPlaces(directory, TINY).find(circuit)


def problems(directory: Path, published: bytes | None = None) -> list[str]:
    found = check_circuit(files_in(directory), published, SEED)
    return [finding.problem for finding in found if finding.problem]


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Nobody watches."""


# ---- found ----


def test_a_circuit_is_found_under_its_id(directory) -> None:
    places = CircuitPlaces(directory, CircuitParameters())
    assert places.every() == [TINY]
    files = places.find(TINY)
    assert (files.zkey, files.wasm) == (directory / TINY.id / ZKEY, None)
    assert files.is_development
    assert places.find(CircuitParameters()).zkey is None


def test_the_network_s_circuit_may_lie_flat_as_the_reference_has_it(own) -> None:
    flat = CircuitPlaces(own, TINY)
    assert flat.find(TINY).zkey == own / ZKEY
    assert flat.every() == [TINY]
    other = dataclasses.replace(TINY, samples=2)
    assert flat.find(other).zkey is None


def test_files_that_the_settings_name_go_before_the_directory(directory, tmp_path) -> None:
    named = tmp_path / "mine.zkey"
    shutil.copy(directory / TINY.id / ZKEY, named)
    places = CircuitPlaces(directory, TINY, zkey=named)
    files = places.find(TINY)
    assert (files.zkey, files.r1cs) == (named, directory / TINY.id / R1CS)
    assert (files.note, files.verifying_key) == (None, None)  # they are of another key
    other = dataclasses.replace(TINY, samples=2)
    assert places.find(other).zkey is None


def test_a_directory_that_does_not_exist_has_no_circuits(tmp_path) -> None:
    assert CircuitPlaces(tmp_path / "none", TINY).every() == []


def test_what_is_no_circuit_is_passed_over(directory) -> None:
    (directory / "quire-9-8-7-1-67").mkdir()  # without a key
    (directory / "notes").mkdir()
    (directory / "quire-0-8-7-1-67").mkdir()
    (directory / ".quire-1-6-3-1-67.draft-7").mkdir()
    assert CircuitPlaces(directory, TINY).every() == [TINY]


# ---- opened ----


async def test_a_circuit_is_opened_once_and_proves(directory) -> None:
    circuits = Circuits(CircuitPlaces(directory, TINY))
    assert not circuits.is_open(TINY)
    first, second = await asyncio.gather(circuits.prover(TINY), circuits.prover(TINY))
    assert first is second
    assert circuits.is_open(TINY)
    proof, public = first.begin(trial_input(TINY), NO_HOST).run()
    key = await circuits.verifying_key(TINY)
    assert verify(key, b"".join(public), proof)
    assert hash_of(key) == first.key_hash


async def test_a_verifier_needs_the_verifying_key_only(directory, own) -> None:
    circuits = Circuits(CircuitPlaces(directory, TINY))
    whole = await circuits.verifying_key(TINY)
    (own / ZKEY).unlink()
    assert await circuits.verifying_key(TINY) == whole
    with pytest.raises(NoCircuit):
        await circuits.prover(TINY)
    (own / VERIFYING_KEY).unlink()
    with pytest.raises(NoCircuit):
        await circuits.verifying_key(TINY)


async def test_a_key_that_came_later_is_found(directory, own, tmp_path) -> None:
    circuits = Circuits(CircuitPlaces(directory, TINY))
    (own / ZKEY).rename(tmp_path / ZKEY)
    with pytest.raises(NoCircuit):
        await circuits.prover(TINY)
    (tmp_path / ZKEY).rename(own / ZKEY)
    assert (await circuits.prover(TINY)).parameters == TINY


async def test_only_the_key_that_the_network_publishes_is_used(directory, own) -> None:
    right = file_hash(own / ZKEY)
    assert right == hashlib.sha256((own / ZKEY).read_bytes()).digest()
    opened = await Circuits(CircuitPlaces(directory, TINY, right)).prover(TINY)
    assert opened.parameters == TINY
    with pytest.raises(BadKey, match="not the one that the network publishes"):
        await Circuits(CircuitPlaces(directory, TINY, bytes(32))).prover(TINY)


async def test_a_node_that_makes_no_proofs_says_so(directory) -> None:
    with pytest.raises(Refused, match="circom-no-zkey"):
        await Circuits(CircuitPlaces(directory, TINY, has_no_key=True)).prover(TINY)


async def test_names_of_circuits_are_read_or_refused(directory) -> None:
    circuits = Circuits(CircuitPlaces(directory, TINY))
    assert circuits.parameters(None) == TINY
    assert circuits.parameters("codex-5-32-8-5-67") == CircuitParameters(OFFICIAL)
    with pytest.raises(InputError):
        circuits.parameters("../..")


async def test_an_official_circuit_needs_its_witness_program(directory, own) -> None:
    official = dataclasses.replace(TINY, family=OFFICIAL)
    shutil.copytree(own, directory / official.id)
    (directory / official.id / NOTE).unlink()
    circuits = Circuits(CircuitPlaces(directory, official))
    with pytest.raises(BadKey, match="4 public inputs"):  # the key is that of our circuit
        await circuits.prover(official)


def test_an_official_circuit_gets_the_signals_by_name(monkeypatch) -> None:
    seen = []
    monkeypatch.setattr(
        circuits_module, "wasm_witness", lambda *arguments: seen.append(arguments) or "witness"
    )
    official = dataclasses.replace(TINY, family=OFFICIAL)
    program = Path("proof_main.wasm")
    files = CircuitFiles(official, None, None, program, None, None)
    made, cancel = trial_input(official), Cancel()
    make = circuits_module._witness_maker(files)
    assert make(made, None, cancel) == "witness"
    values = made.values(official.max_slot_depth, official.max_dataset_depth)
    assert seen == [(program, values, cancel)]
    assert [len(path) for path in values["merklePaths"]] == [official.max_slot_depth]
    with pytest.raises(NoCircuit, match="witness program"):
        circuits_module._witness_maker(dataclasses.replace(files, wasm=None))


# ---- damaged, cut, foreign ----


@pytest.mark.parametrize("keep", [0, 3, 100, 700, 5000, -1])
async def test_a_key_that_is_cut_is_refused(directory, own, keep) -> None:
    data = (own / ZKEY).read_bytes()
    (own / ZKEY).write_bytes(data[:keep])
    with pytest.raises(BadKey if keep else NotFound):
        await Circuits(CircuitPlaces(directory, TINY)).prover(TINY)
    assert problems(directory) != []


async def test_a_file_that_is_no_key_is_refused(directory, own) -> None:
    shutil.copy(own / R1CS, own / ZKEY)
    with pytest.raises(BadKey):
        await Circuits(CircuitPlaces(directory, TINY)).prover(TINY)


def with_squares_key(own: Path) -> None:
    """The key of a circuit that has nothing to do with storage, with four public inputs."""
    circuit = own / "other.r1cs"
    circuit.write_bytes(squares_r1cs(5))
    setup_key(circuit, own / ZKEY, SEED)
    (own / VERIFYING_KEY).write_text(VerifyingKey.from_zkey(own / ZKEY).to_json())


async def test_the_key_of_another_circuit_is_refused(directory, own) -> None:
    with_squares_key(own)
    with pytest.raises(BadKey, match="public inputs"):
        await Circuits(CircuitPlaces(directory, TINY)).prover(TINY)


def test_the_key_of_a_sister_circuit_never_gives_a_proof(directory, own, tmp_path) -> None:
    sister = dataclasses.replace(TINY, max_dataset_depth=2)
    set_up_circuit(tmp_path, sister, "x", silent)
    for name in (ZKEY, VERIFYING_KEY):
        shutil.copy(tmp_path / sister.id / name, own / name)
    (own / NOTE).unlink()
    circuit = LoadedCircuit.open(files_in(directory), None)
    with pytest.raises(BadKey, match="wires"):
        circuit.begin(trial_input(TINY), NO_HOST).run()
    found = problems(directory)
    assert any("other constraints" in problem for problem in found)
    assert any("wires" in problem for problem in found)


def test_a_note_of_another_circuit_is_refused(directory, own) -> None:
    note = decode_circuit_note((own / NOTE).read_bytes())
    other = dataclasses.replace(note, circuit=CircuitParameters())
    (own / NOTE).write_bytes(other.encode())
    with pytest.raises(BadKey, match="is for circuit quire-5-32-8-5-67"):
        files_in(directory)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"format": "quire-circuit/2"}',
        b'{"format": "quire-circuit/1"}',
        b'{"format": "quire-circuit/1", "circuit": "quire-5-32-8-5-67"}',
        b'{"format": "quire-circuit/1", "circuit": "quire-5-32-8-5-67", "keyHash": "zz"}',
        b'{"format": "quire-circuit/1", "circuit": "quire-5-32-8-5-67", "keyHash": 7}',
        b"[" * 60_000,
    ],
)
def test_a_note_that_cannot_be_read_is_refused(directory, own, data) -> None:
    (own / NOTE).write_bytes(data)
    with pytest.raises(BadKey, match=NOTE):
        files_in(directory)


# ---- checked ----


def test_a_good_key_passes_every_check(directory, own) -> None:
    right = file_hash(own / ZKEY)
    findings = list(check_circuit(files_in(directory), right, SEED))
    assert [finding.problem for finding in findings] == [""] * 7
    assert problems(directory, bytes(32)) == [f"it is {right.hex()}, published is {'00' * 32}"]


def test_a_changed_point_is_found(directory, own) -> None:
    data = bytearray((own / ZKEY).read_bytes())
    data[-200_000] ^= 1  # in a section of points
    (own / ZKEY).write_bytes(data)
    found = problems(directory)
    assert "it was changed" in found
    assert len(found) >= 2


def test_the_verifying_key_of_another_is_found(directory, own, tmp_path) -> None:
    set_up_circuit(tmp_path, TINY, "another seed", silent)
    shutil.copy(tmp_path / TINY.id / VERIFYING_KEY, own)
    assert problems(directory) == [f"{VERIFYING_KEY} is the verifying key of another proving key"]


def test_other_constraints_beside_the_key_are_found(directory, own) -> None:
    (own / R1CS).write_bytes(squares_r1cs(5))
    assert len(problems(directory)) == 1


def test_a_circuit_without_a_key_cannot_be_checked(directory, own) -> None:
    (own / ZKEY).unlink()
    with pytest.raises(NoCircuit):
        problems(directory)


# ---- set up ----


def test_the_same_seed_gives_the_same_key_and_another_another(directory, own, tmp_path) -> None:
    again = set_up_circuit(tmp_path / "again", TINY, "tests", silent)
    assert again == decode_circuit_note((own / NOTE).read_bytes())
    other = set_up_circuit(tmp_path / "again", TINY, "other", silent)  # takes the first one's place
    assert other.key_hash != again.key_hash
    assert other.r1cs_hash == again.r1cs_hash
    assert b"UNSAFE" in (tmp_path / "again" / TINY.id / NOTE).read_bytes()


def test_how_far_the_set_up_is_is_told(tmp_path) -> None:
    told = []
    set_up_circuit(tmp_path, TINY, "x", lambda *news: told.append(news))
    points = [(done, total) for what, done, total in told if "points" in what]
    assert points == sorted(points)
    assert points[-1][0] == points[-1][1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, Cancelled("stopped")])
def test_a_set_up_that_is_stopped_leaves_nothing(tmp_path, error) -> None:
    def stop(what: str, _done: int, _total: int | None) -> None:
        if "points" in what:
            raise error

    with pytest.raises((KeyboardInterrupt, QuireError)):
        set_up_circuit(tmp_path / "circuits", TINY, "x", stop)
    assert list((tmp_path / "circuits").iterdir()) == []


def test_a_key_that_was_not_set_up_here_is_never_overwritten(directory, own) -> None:
    (own / NOTE).unlink()
    before = (own / ZKEY).read_bytes()
    with pytest.raises(Refused, match="move it away"):
        set_up_circuit(directory, TINY, "x", silent)
    assert (own / ZKEY).read_bytes() == before


@pytest.mark.parametrize(
    ("circuit", "seed"),
    [(dataclasses.replace(TINY, family=OFFICIAL), "x"), (TINY, ""), (TINY, "x" * 257)],
)
def test_official_circuits_and_bad_seeds_are_not_set_up(tmp_path, circuit, seed) -> None:
    with pytest.raises(InputError):
        set_up_circuit(tmp_path, circuit, seed, silent)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_told(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EnvironmentProblem):
        set_up_circuit(tmp_path / "file", TINY, "x", silent)


def test_a_note_says_what_is_to_be_known() -> None:
    note = CircuitNote(TINY, b"k" * 32, b"r" * 32, None)
    assert decode_circuit_note(note.encode()) == note
    assert b"UNSAFE" not in note.encode()
