"""Small files that hold secrets: read only when nobody else can, written once, durably.

An account's key as the reference has it: hexadecimal in a file of mode 0600. Read next: `keystore`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from quire.base.errors import BadConfig, EnvironmentProblem, UnsafePermissions
from quire.chain.wallet import KEY_BYTES, Wallet, check_key

SECRET_BYTES_MAX = 64 * 1024
OWNER_ONLY = 0o600
KEY_FILE = "account key file"


def read_secret(path: Path, what: str) -> bytes:
    """The contents of a file that must have mode 0600; `what` it is, for messages.

    Raises  UnsafePermissions   it has another mode
            EnvironmentProblem  it cannot be read
            BadConfig           it is too long to be one
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode != OWNER_ONLY:
                raise UnsafePermissions(
                    f"the {what} {path} is not safe: it has mode {mode:04o} and must have 0600; "
                    f"run: chmod 600 {path}"
                )
            data = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise EnvironmentProblem(f"the {what} {path} cannot be read: {error.strerror}") from None
    if len(data) > SECRET_BYTES_MAX:
        raise BadConfig(f"{path} is no {what}: it has more than {SECRET_BYTES_MAX} bytes")
    return data


def write_secret(path: Path, data: bytes, what: str) -> None:
    """A new file of mode 0600. Raises EnvironmentProblem, also when there is one already."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
            with os.fdopen(handle, "wb") as file:
                os.fchmod(file.fileno(), OWNER_ONLY)  # whatever the umask took away
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                draft.unlink()
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError:
        raise EnvironmentProblem(
            f"{path} exists already and is left as it is; choose another place for the {what}"
        ) from None
    except OSError as error:
        raise EnvironmentProblem(f"the {what} {path} cannot be written: {error.strerror}") from None


def open_key_file(path: Path) -> Wallet:
    """The account of a plain key file. Raises as `read_secret`, and BadConfig for no key."""
    try:
        return Wallet(parse_key(read_secret(path, KEY_FILE).decode("ascii", "replace")))
    except BadConfig as error:
        raise BadConfig(f"the {KEY_FILE} {path}: {error.message}") from None


def parse_key(text: str) -> bytes:
    """The key in a text: 64 hexadecimal digits, with 0x before them or not. Raises BadConfig, whose
    message shows nothing of it."""
    digits = text.strip().removeprefix("0x")
    if len(digits) != 2 * KEY_BYTES or not digits.isascii() or not digits.isalnum():
        raise BadConfig(f"an account key has {2 * KEY_BYTES} hexadecimal digits, this has not")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        raise BadConfig("an account key has hexadecimal digits only, this has others") from None
    check_key(key)
    return key


def show_key(key: bytes) -> str:
    """What `parse_key` reads, as a line."""
    return f"0x{key.hex()}\n"
