"""quire key: account keys for a chain, made, shown and brought in. Needs no node."""

from __future__ import annotations

from pathlib import Path

import click

from quire.base.errors import BadConfig
from quire.chain.key_file import (
    KEY_FILE,
    open_key_file,
    parse_key,
    read_secret,
    show_key,
    write_secret,
)
from quire.chain.keystore import (
    KEYSTORE,
    decrypt_keystore,
    encrypt_keystore,
    open_keystore,
    parse_keystore,
    read_password,
)
from quire.chain.wallet import Wallet, make_key
from quire.faces.cli.common import json_option, show_json

path_argument = click.argument("path", type=click.Path(path_type=Path))
password_option = click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    help="File (mode 600) whose first line is the password; the key is kept as a keystore then.",
)


@click.group()
def key_command() -> None:
    """Keys of accounts on a chain."""


@key_command.command("new")
@path_argument
@password_option
@json_option
def new(path: Path, password_file: Path | None, as_json: bool) -> None:
    """Make a key in a new file of mode 600 and show its account."""
    key = make_key()
    _write(path, key, password_file)
    _show(Wallet(key), path, password_file is not None, as_json)


@key_command.command("show")
@path_argument
@password_option
@json_option
def show(path: Path, password_file: Path | None, as_json: bool) -> None:
    """Show the account of a key file or keystore; never the key."""
    wallet = open_keystore(path, password_file) if password_file else open_key_file(path)
    _show(wallet, path, password_file is not None, as_json)


@key_command.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@path_argument
@click.option(
    "--source-password-file",
    type=click.Path(path_type=Path),
    help="File (mode 600) with the password of SOURCE, where that is a keystore.",
)
@password_option
@json_option
def bring_in(
    source: Path,
    path: Path,
    source_password_file: Path | None,
    password_file: Path | None,
    as_json: bool,
) -> None:
    """Copy the key of SOURCE, a key file or keystore, to a new file PATH."""
    key = _read(source, source_password_file)
    _write(path, key, password_file)
    _show(Wallet(key), path, password_file is not None, as_json)


def _read(source: Path, password_file: Path | None) -> bytes:
    try:
        if password_file is None:
            return parse_key(read_secret(source, KEY_FILE).decode("ascii", "replace"))
        fields = parse_keystore(read_secret(source, KEYSTORE))
        return decrypt_keystore(fields, read_password(password_file))
    except BadConfig as error:
        raise BadConfig(f"{source}: {error.message}") from None


def _write(path: Path, key: bytes, password_file: Path | None) -> None:
    if password_file is None:
        write_secret(path, show_key(key).encode(), KEY_FILE)
    else:
        write_secret(path, encrypt_keystore(key, read_password(password_file)), KEYSTORE)


def _show(wallet: Wallet, path: Path, is_encrypted: bool, as_json: bool) -> None:
    if as_json:
        kind = KEYSTORE if is_encrypted else "plain"
        show_json({"address": wallet.address_text, "path": str(path), "kind": kind})
    else:
        click.echo(wallet.address_text)
