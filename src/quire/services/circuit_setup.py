"""Makes a development key for one of our circuits. Its maker can prove anything: for tests only.

    constraints -> key -> verifying key -> note -> the directory gets its name

The directory appears whole or not at all. The same circuit and seed give the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from quire.base.errors import EnvironmentProblem, InputError, Refused
from quire.dataset.circuit import CircuitParameters
from quire.kernels.circuit import StorageCircuit
from quire.kernels.groth16 import Cancel, setup_key
from quire.services.circuit_files import NOTE, STEM, VERIFYING_KEY, CircuitNote, file_hash

DEFAULT_SEED = "quire development key"
SEED_TEXT_MAX = 256

Report = Callable[[str, int, int | None], None]  # what is being done, how far, of how much


def set_up_circuit(
    directory: Path,
    parameters: CircuitParameters,
    seed: str,
    report: Report,
    cancel: Cancel | None = None,
) -> CircuitNote:
    """Make circuit and key below `directory`, in place of what is there; what was made.

    seed     any text; who knows it can forge proofs
    Raises   InputError   an official circuit, whose constraints we do not have, or no seed
             Refused      another key is there that was not made so
             Cancelled, EnvironmentProblem
    Cost     5 samples: about 6 s of one core, 0.3 GB and a key of 50 MB; grows with the samples
    """
    if not parameters.binds_host:
        raise InputError(
            f"{parameters.id} is an official circuit; its keys come from its network. Set up one "
            "of ours, such as quire-5-32-8-5-67"
        )
    if not 0 < len(seed) <= SEED_TEXT_MAX:
        raise InputError(f"a seed is a text of up to {SEED_TEXT_MAX} letters")
    final = directory / parameters.id
    _check_replaceable(final)
    draft = directory / f".{parameters.id}.draft-{os.getpid()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        note = _make(draft, parameters, seed, report, cancel)
        if final.exists():
            shutil.rmtree(final)
        draft.rename(final)
        _sync(directory)
    except OSError as error:
        raise EnvironmentProblem(
            f"the key cannot be written to {directory}: {error.strerror or error}; check the disk"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return note


def _make(
    draft: Path,
    parameters: CircuitParameters,
    seed: str,
    report: Report,
    cancel: Cancel | None,
) -> CircuitNote:
    r1cs, zkey = draft / f"{STEM}.r1cs", draft / f"{STEM}.zkey"
    report("constraints are written", 0, None)
    circuit = StorageCircuit(
        parameters.samples,
        parameters.max_slot_depth,
        parameters.max_dataset_depth,
        parameters.block_depth,
        parameters.cell_elements,
    )
    circuit.write_r1cs(r1cs)

    def points(done: int, total: int) -> None:
        report("points of the key are computed", done, total)

    raw = hashlib.sha256(seed.encode()).digest()
    key = setup_key(r1cs, zkey, raw, cancel, points)
    report("the key is written down", 0, None)
    note = CircuitNote(parameters, file_hash(zkey), file_hash(r1cs), seed)
    (draft / VERIFYING_KEY).write_text(key.to_json(), "utf-8")
    (draft / NOTE).write_bytes(note.encode())
    for path in sorted(draft.iterdir()):
        _sync(path)
    return note


def _check_replaceable(final: Path) -> None:
    """What is not a development key is never overwritten."""
    if any(final.glob(f"{STEM}.zkey")) and not _is_ours(final):
        raise Refused(
            f"{final} holds a key that was not set up here; move it away before making another"
        )


def _is_ours(final: Path) -> bool:
    note = final / NOTE
    return note.is_file() and b'"seed"' in note.read_bytes()


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
