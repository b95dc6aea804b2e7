"""quire cap: what a capability is, those that can less, and capabilities for others."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import click

from quire.base.errors import InputError
from quire.chain.key_file import read_secret
from quire.dataset.envelope.derive import repair_of, verify_of
from quire.faces.cli.common import json_option, show_json
from quire.faces.cli.keyring_options import keyring_options, open_keyring
from quire.formats.cap import Cap, LiteralCap, parse_cap
from quire.kernels.age import check_recipient, identity_of, open_as, wrap_for

IDENTITY = "identity file"
WRAPPED_BYTES_MAX = 64 * 1024
CAN = {
    "r": "read, and everything that repair and verify can",
    "p": "move and renew replicas, and everything that verify can; it cannot read",
    "v": "find, check and audit; it cannot read",
    "l": "it is the content itself",
}
_NAMES = {"r": "read", "p": "repair", "v": "verify", "l": "literal"}

cap_argument = click.argument("cap")


@click.group()
def cap_command() -> None:
    """Capabilities: what they can, what follows from them, how they are given to others."""


@cap_command.command("show")
@cap_argument
@json_option
def show(cap: str, as_json: bool) -> None:
    """Say what CAP is and can; never its key. - reads it from standard input."""
    found = _cap(cap)
    facts: dict[str, Any] = {"kind": _NAMES[found.kind], "can": CAN[found.kind]}
    if isinstance(found, LiteralCap):
        facts["bytes"] = len(found.content)
    else:
        facts |= {
            "cid": str(found.cid),
            "suite": found.suite.name.lower().replace("_", "-"),
            "convergent": found.is_convergent,
            "padded": found.is_padded,
        }
    if as_json:
        show_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name:<10} {value}")


@cap_command.command("repair")
@cap_argument
@json_option
def repair(cap: str, as_json: bool) -> None:
    """Print the repair capability that follows from CAP: it moves replicas and cannot read."""
    _show(repair_of(_cap(cap)).text, as_json)


@cap_command.command("verify")
@cap_argument
@json_option
def verify(cap: str, as_json: bool) -> None:
    """Print the verify capability that follows from CAP: it checks and cannot read."""
    _show(verify_of(_cap(cap)).text, as_json)


@cap_command.command("share")
@cap_argument
@click.option("--to", "recipients", multiple=True, required=True,
              help="Recipient of age: age1…; given again for more.")  # fmt: skip
@json_option
def share(cap: str, recipients: tuple[str, ...], as_json: bool) -> None:
    """Wrap CAP for the owner of an age key, so that it can be sent over any channel."""
    for recipient in recipients:
        check_recipient(recipient)
    wrapped = wrap_for(recipients, _cap(cap).text.encode())
    text = base64.b64encode(wrapped).decode()
    if as_json:
        show_json({"wrapped": text})
    else:
        click.echo(text)


@cap_command.command("open")
@click.argument("wrapped", default="-")
@click.option("--identity", type=click.Path(path_type=Path),
              help="File (mode 600) with an age identity, AGE-SECRET-KEY-1…; that of the key ring "
              "if not given.")  # fmt: skip
@keyring_options
@json_option
def open_shared(
    wrapped: str,
    identity: Path | None,
    keyring: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Open what somebody shared with you; - reads it from standard input."""
    text = sys.stdin.read(WRAPPED_BYTES_MAX) if wrapped == "-" else wrapped
    data = parse_shared(text)
    if identity is None:
        mine = identity_of(open_keyring(keyring, passphrase_file).keys.sharing)
    else:
        mine = _identity(identity)
    found = open_as(mine, data)
    try:
        cap = parse_cap(found.decode().strip())
    except UnicodeDecodeError:
        raise InputError("what was shared is no capability") from None
    _show(cap.text, as_json)


def parse_shared(text: str) -> bytes:
    """The age file of the text that `quire cap share` prints. Raises InputError."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise InputError("what was shared is text in base64, as quire cap share prints") from None


def _cap(text: str) -> Cap:
    return parse_cap(sys.stdin.readline().strip() if text == "-" else text)


def _show(text: str, as_json: bool) -> None:
    if as_json:
        show_json({"cap": text})
    else:
        click.echo(text)


def _identity(path: Path) -> str:
    """The first line of an identity file that is no comment. Raises as `read_secret`."""
    try:
        lines = read_secret(path, IDENTITY).decode().splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path} is no {IDENTITY}") from None
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise InputError(f"{path} holds no identity")
    return found[0]
