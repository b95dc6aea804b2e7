"""The key file: the reference's format, kept private, never half written."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from quire.base.errors import BadEncoding, EnvironmentProblem, UnsafePermissions
from quire.kernels import signing
from quire.net.identity import Identity, load_or_create_key, make_identity


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_a_new_key_is_private_and_loads_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "key"
    made = load_or_create_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == bytes.fromhex("08021220") + made.private_key
    assert load_or_create_key(path) == made
    assert [file.name for file in path.parent.iterdir()] == ["key"]


def test_two_new_keys_differ(tmp_path: Path) -> None:
    assert load_or_create_key(tmp_path / "a") != load_or_create_key(tmp_path / "b")


def test_a_peer_id_has_the_known_form() -> None:
    assert make_identity().peer_id.startswith("16Uiu2HA")


def test_the_identity_of_a_known_key() -> None:
    identity = Identity.of(bytes(31) + b"\x01")
    generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    assert identity.public_key.hex() == generator
    assert identity.peer_id == Identity.of(bytes(31) + b"\x01").peer_id


def test_signatures_verify_and_the_private_key_does_not_show() -> None:
    identity = make_identity()
    assert signing.verify(identity.public_key, identity.sign(b"text"), b"text")
    assert identity.private_key.hex() not in repr(identity)
    assert repr(identity.private_key) not in repr(identity)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666, 0o777])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    load_or_create_key(path)
    path.chmod(mode)
    with pytest.raises(UnsafePermissions, match=r"network private key file is not safe.*chmod 600"):
        load_or_create_key(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes.fromhex("08021220"),
        bytes.fromhex("08021220") + bytes(31),
        bytes.fromhex("08021220") + bytes(31) + b"\x01\x00",
        bytes.fromhex("08011220") + bytes(31) + b"\x01",
        bytes.fromhex("08021220") + bytes(32),
        bytes.fromhex("08021220") + b"\xff" * 32,
        b"-----BEGIN PRIVATE KEY-----\n",
    ],
    ids=["empty", "header", "short", "long", "ed25519", "zero", "order", "pem"],
)
def test_a_file_that_is_no_key_is_an_error_and_stays(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "key", data)
    with pytest.raises(EnvironmentProblem, match=r"not a network private key.*move it away"):
        load_or_create_key(path)
    assert path.read_bytes() == data


def test_a_directory_in_the_place_of_the_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="cannot be used"):
        load_or_create_key(tmp_path)


@pytest.mark.parametrize("key", [b"", bytes(32), b"\xff" * 32, b"\x01" * 33])
def test_no_identity_follows_from_a_bad_scalar(key: bytes) -> None:
    with pytest.raises(BadEncoding):
        Identity.of(key)
