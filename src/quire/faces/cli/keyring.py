"""quire keyring: the master secret of a user, its 24 words, and the catalogue of what was put."""

from __future__ import annotations

from pathlib import Path

import click

from quire.base.errors import Refused
from quire.base.units import format_size, format_time
from quire.faces.cli.common import json_option, show_json
from quire.faces.cli.keyring_options import (
    asked_passphrase,
    keyring_options,
    open_keyring,
    place_of,
)
from quire.faces.keyring import Keyring, is_locked
from quire.kernels.age import identity_of, recipient_of


@click.group()
def keyring_command() -> None:
    """Your key ring: one secret, from which everything else follows."""


@keyring_command.command("new")
@keyring_options
@json_option
def new(keyring: Path | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a key ring. With a passphrase file it is locked at once."""
    ring = Keyring.create(place_of(keyring))
    if passphrase_file is not None:
        ring.lock(asked_passphrase(passphrase_file, ""))
    if as_json:
        show_json({"path": str(ring.path), "locked": passphrase_file is not None})
        return
    click.echo(str(ring.path))
    click.echo("Write its 24 words down and keep them safe: quire keyring phrase", err=True)


@keyring_command.command("show")
@keyring_options
@json_option
def show(keyring: Path | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Show where the key ring is, what is in it, and the recipient that others share with (quire
    cap share --to); never a secret."""
    ring = open_keyring(keyring, passphrase_file)
    facts = {
        "path": str(ring.path),
        "locked": is_locked(ring.path),
        "entries": len(ring.catalogue()),
        "locator": ring.keys.pointer.locator.hex(),
        "recipient": recipient_of(identity_of(ring.keys.sharing)),
    }
    if as_json:
        show_json(facts)
        return
    click.echo(f"path       {facts['path']}")
    click.echo(f"locked     {'yes' if facts['locked'] else 'no: quire keyring lock'}")
    click.echo(f"catalogue  {facts['entries']} entries")
    click.echo(f"locator    {facts['locator']}")
    click.echo(f"recipient  {facts['recipient']}")


@keyring_command.command("phrase")
@keyring_options
@json_option
def phrase(keyring: Path | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Print the 24 words: whoever has them has everything."""
    words = open_keyring(keyring, passphrase_file).phrase()
    if as_json:
        show_json({"phrase": words})
    else:
        click.echo(words)


@keyring_command.command("list")
@click.option("--caps", is_flag=True, help="Show the capabilities themselves.")
@keyring_options
@json_option
def list_entries(
    caps: bool, keyring: Path | None, passphrase_file: Path | None, as_json: bool
) -> None:
    """List what was put, oldest first."""
    entries = open_keyring(keyring, passphrase_file).catalogue()
    if as_json:
        show_json(
            {
                "entries": [
                    {"name": e.name, "size": e.size, "at": e.at, "cid": e.cid}
                    | ({"cap": e.cap} if caps else {})
                    for e in entries
                ]
            }
        )
        return
    for entry in entries:
        named = entry.cap if caps else entry.cid or "literal"
        when, size = format_time(entry.at), format_size(entry.size)
        click.echo(f"{when}  {size:>11}  {named}  {entry.name or ''}".rstrip())


@keyring_command.command("lock")
@keyring_options
@json_option
def lock(keyring: Path | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Put the key ring under a passphrase; without the passphrase and the words it is lost."""
    place = place_of(keyring)
    if place.exists() and is_locked(place):
        raise Refused(f"{place} is locked already; for another passphrase unlock it first")
    ring = open_keyring(keyring, passphrase_file)
    ring.lock(asked_passphrase(passphrase_file, "New passphrase", is_new=True))
    if as_json:
        show_json({"path": str(ring.path), "locked": True})


@keyring_command.command("unlock")
@keyring_options
@json_option
def unlock(keyring: Path | None, passphrase_file: Path | None, as_json: bool) -> None:
    """Keep the key ring without a passphrase."""
    ring = open_keyring(keyring, passphrase_file)
    ring.unlock()
    if as_json:
        show_json({"path": str(ring.path), "locked": False})
