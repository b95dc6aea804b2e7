"""quire get NAME: what was put is found again by the catalogue of the key ring."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.faces.cli.main import main
from quire.faces.keyring import Keyring
from quire.formats.cap import LiteralCap
from quire.formats.catalogue import CatalogueEntry

API = ("--api", "http://127.0.0.1:1")  # nobody is there, and nobody is needed


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    return Keyring.create(tmp_path / "ring").path


def put(directory: Path, ring: Path, content: bytes) -> None:
    directory.mkdir()
    file = directory / "note.txt"
    file.write_bytes(content)
    assert main([*API, "put", str(file), "--keyring", str(ring)]) == 0


def remember(ring: Path, content: bytes, at: int) -> None:
    entry = CatalogueEntry("note.txt", LiteralCap(content).text, len(content), at, None)
    Keyring.open(ring, lambda: "").add([entry])


def get(ring: Path, name: str, *options: str) -> int:
    return main([*API, "get", name, "--keyring", str(ring), *options])


def test_the_newest_of_a_name_is_what_is_got(tmp_path: Path, ring: Path) -> None:
    put(tmp_path / "new", ring, b"second")
    remember(ring, b"first", at=5)
    assert get(ring, "note.txt", "-o", str(tmp_path / "got")) == 0
    assert (tmp_path / "got").read_bytes() == b"second"


def test_two_of_one_second_are_not_guessed_between(
    tmp_path: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember(ring, b"first", at=5)
    remember(ring, b"second", at=5)
    assert get(ring, "note.txt", "-o", str(tmp_path / "got")) == 2
    assert "in the same second" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("other.txt", "your key ring has no such name"),
        ("zDv" + "Z" * 49, "CID"),
        ("-x", ""),
        ("note.txt/in/it", "holds a few bytes and no 'in/it'"),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path, ring: Path, name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "old", ring, b"first")
    assert get(ring, name, "-o", str(tmp_path / "got")) != 0
    assert words in capsys.readouterr().err
    assert not (tmp_path / "got").exists()


def test_without_a_key_ring_a_name_is_no_cid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get(tmp_path / "none", "note.txt") == 2
    assert "key ring" not in capsys.readouterr().err


def test_a_slip_in_a_cid_asks_for_no_passphrase(
    tmp_path: Path, ring: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Keyring.open(ring, lambda: "")
    opened.lock("a long passphrase")
    assert get(ring, "zDv" + "Z" * 49) == 2
    assert "locked" not in capsys.readouterr().err
    assert get(ring, "note.txt") == 2
    assert "locked" in capsys.readouterr().err
