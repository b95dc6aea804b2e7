"""A circuit on its way to workers: by name and hash, its files only where they are not yet.

    here   parcel = parameters, path and SHA-256 of key and witness program
    there  the path leads to a file with that hash? used in place. Else the worker says so, and is
           given the bytes once, which become a file there

A worker opens a circuit once and keeps it; a proof carries nothing of it but the parcel.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quire.base.errors import BadKey, NotFound
from quire.dataset.circuit import CircuitParameters
from quire.services.circuit_files import CircuitFiles, NoCircuit, file_hash
from quire.services.circuits import LoadedCircuit
from quire.store.disk import Buffer

FILE_MODE = 0o400
_DIRECTORY_MODE = 0o700


@dataclass(frozen=True, slots=True)
class FileParcel:
    """A file by its SHA-256."""

    path: Path
    sha256: bytes

    @classmethod
    def of(cls, path: Path) -> FileParcel:
        """Blocking. Raises NotFound."""
        return cls(path.absolute(), file_hash(path))


@dataclass(frozen=True, slots=True)
class CircuitParcel:
    """`wasm`: the witness program; None where the circuit computes its own witness."""

    parameters: CircuitParameters
    zkey: FileParcel
    wasm: FileParcel | None

    @classmethod
    def of(cls, files: CircuitFiles) -> CircuitParcel:
        """Blocking. Raises NoCircuit, NotFound."""
        if files.zkey is None:
            raise NoCircuit(f"there is no proving key for circuit {files.parameters.id} here")
        wasm = None if files.wasm is None else FileParcel.of(files.wasm)
        return cls(files.parameters, FileParcel.of(files.zkey), wasm)

    @property
    def files(self) -> list[FileParcel]:
        return [self.zkey] if self.wasm is None else [self.zkey, self.wasm]

    def contents(self) -> list[Buffer]:
        """The bytes of the files, mapped and not read yet. Blocking. Raises NotFound."""
        return [_mapped(each.path) for each in self.files]


class CircuitAbsent(NotFound):
    """A worker does not have the files of a circuit. It is given them, and told again."""

    code = "circuit-absent"


def opened(
    parcel: CircuitParcel, contents: Sequence[Buffer] | None, directory: Path
) -> LoadedCircuit:
    """The circuit, from files of this machine. Blocking.

    contents    of the files that are not here yet; they are kept in `directory`
    Raises      CircuitAbsent  files are not here, and were not sent
                BadKey         what came is not what was sent
                NoCircuit
    """
    given: Sequence[Buffer | None] = contents or [None] * len(parcel.files)
    zkey, *rest = [
        _file(each, directory, data) for each, data in zip(parcel.files, given, strict=True)
    ]
    wasm = rest[0] if rest else None
    files = CircuitFiles(parcel.parameters, zkey, None, wasm, None, None)
    return LoadedCircuit.open(files, None)


def _mapped(path: Path) -> Buffer:
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise NotFound(f"{path} cannot be read: {error}") from None


def _file(parcel: FileParcel, directory: Path, data: Buffer | None) -> Path:
    """Where the file is on this machine, checked."""
    kept = directory / f"{parcel.sha256.hex()}{parcel.path.suffix}"
    for path in (parcel.path, kept):
        try:
            if file_hash(path) == parcel.sha256:
                return path
        except NotFound:
            continue
    if data is None:
        raise CircuitAbsent(f"{parcel.path.name} is not on this machine")
    if hashlib.sha256(data).digest() != parcel.sha256:
        raise BadKey(f"the file {parcel.path.name} came to a worker with another hash; try again")
    directory.mkdir(parents=True, exist_ok=True, mode=_DIRECTORY_MODE)
    partial = directory / f"{kept.name}.{os.getpid()}"
    partial.write_bytes(data)
    partial.chmod(FILE_MODE)
    partial.replace(kept)
    return kept
