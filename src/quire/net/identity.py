"""Who this node is: a secp256k1 key in a file that only its owner may read.

The file is that of the reference, so that a node can move between implementations: 36 bytes,
`08 02 12 20` and the scalar (network.md 1.2).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path

from quire.base.errors import BadEncoding, EnvironmentProblem, UnsafePermissions
from quire.formats.peer_id import encode_peer_id, peer_id_of
from quire.kernels import signing

_HEADER = bytes.fromhex("08021220")  # protobuf: key type 2 (secp256k1), 32 bytes follow
KEY_FILE_BYTES = len(_HEADER) + signing.PRIVATE_KEY_BYTES


@dataclass(frozen=True, slots=True)
class Identity:
    """A key pair and the name that follows from it. The private key never shows in a repr."""

    private_key: bytes = field(repr=False)  # 32
    public_key: bytes  # 33, compressed
    peer_id: str

    @classmethod
    def of(cls, private_key: bytes) -> Identity:
        """The identity of a scalar (32 bytes). Raises `BadEncoding` when it is none."""
        public_key = signing.public_key_of(private_key)
        return cls(private_key, public_key, encode_peer_id(peer_id_of(public_key)))

    def sign(self, message: bytes) -> bytes:
        """The DER signature of SHA-256(message)."""
        return signing.sign(self.private_key, message)


def make_identity() -> Identity:
    """A new random identity, kept nowhere."""
    while True:
        with contextlib.suppress(BadEncoding):  # one scalar in 2^128 is not below the order
            return Identity.of(secrets.token_bytes(signing.PRIVATE_KEY_BYTES))


def load_or_create_key(path: Path) -> Identity:
    """The identity in the file, made at first use.

    Raises   UnsafePermissions   others may read the file
             EnvironmentProblem  the file is not a key, or cannot be read or written
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            return _load(path)
        _create(path, make_identity())
        return _load(path)
    except OSError as error:
        raise EnvironmentProblem(
            f"the network private key file {path} cannot be used: {error.strerror}"
        ) from None


def _load(path: Path) -> Identity:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise UnsafePermissions(
                f"The network private key file is not safe: others may use {path} "
                f"(mode {mode:04o}); run: chmod 600 {path}"
            )
        data = file.read(KEY_FILE_BYTES + 1)
    if len(data) != KEY_FILE_BYTES or not data.startswith(_HEADER):
        raise EnvironmentProblem(
            f"{path} is not a network private key: {KEY_FILE_BYTES} bytes that begin with "
            f"{_HEADER.hex()} are expected; restore the file, or move it away for a new identity"
        )
    try:
        return Identity.of(data[len(_HEADER) :])
    except BadEncoding as error:
        raise EnvironmentProblem(
            f"{path} is not a network private key: {error.message}; "
            "restore the file, or move it away for a new identity"
        ) from None


def _create(path: Path, identity: Identity) -> None:
    """Write the file durably. Of two processes that try at once, the first one's key stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(_HEADER + identity.private_key)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
