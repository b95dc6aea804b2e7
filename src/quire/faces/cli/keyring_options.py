"""The options of commands that use a key ring, and how its passphrase is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from quire.base.errors import InputError
from quire.chain.keystore import read_password
from quire.faces.cli.common import is_terminal
from quire.faces.keyring import Keyring, default_keyring

F = TypeVar("F", bound=Callable[..., Any])


def keyring_options(command: F) -> F:
    """`--keyring`, `--passphrase-file`."""
    options = (
        click.option(
            "--keyring",
            type=click.Path(path_type=Path),
            envvar="QUIRE_KEYRING",
            help="Key ring.  [default: quire/keyring in the user's configuration]",
        ),
        click.option(
            "--passphrase-file",
            type=click.Path(path_type=Path),
            envvar="QUIRE_PASSPHRASE_FILE",
            help="File (mode 600) whose first line opens a locked key ring.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def place_of(keyring: Path | None) -> Path:
    return default_keyring() if keyring is None else keyring


def open_keyring(keyring: Path | None, passphrase_file: Path | None) -> Keyring:
    """Raises   NotFound, BadConfig, InputError  there is none, or it does not open"""

    def ask() -> str:
        return asked_passphrase(passphrase_file, "Passphrase of the key ring")

    return Keyring.open(place_of(keyring), ask)


def asked_passphrase(file: Path | None, title: str, *, is_new: bool = False) -> str:
    """From a file, or from the person at the terminal."""
    if file is not None:
        return read_password(file)
    if not is_terminal():
        raise InputError("the key ring is locked and nobody can be asked: give --passphrase-file")
    found: str = click.prompt(title, hide_input=True, confirmation_prompt=is_new, err=True)
    return found
