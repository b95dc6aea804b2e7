"""An account's key under a password, in the format that wallets share: encrypted JSON, version 3.

Encryption and decryption take half a second and 256 MiB, by design. Files that would take far more
are refused before anything is computed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from quire.base.errors import BadConfig
from quire.base.units import MIB
from quire.chain.key_file import read_secret
from quire.chain.same_recursion import same_recursion_limit
from quire.chain.wallet import Wallet, check_key

VERSION = 3
KEYSTORE = "keystore"
PASSWORD_FILE = "password file"  # noqa: S105  (no password)
SCRYPT_BYTES_MAX = 512 * MIB  # 128 * r * n
SCRYPT_LANES_MAX = 16
PBKDF2_ROUNDS_MAX = 10_000_000


def open_keystore(path: Path, password_file: Path) -> Wallet:
    """The account of a keystore. Blocks for half a second: not for an event loop.
    Raises as `read_secret`, and BadConfig."""
    try:
        fields = parse_keystore(read_secret(path, KEYSTORE))
        return Wallet(decrypt_keystore(fields, read_password(password_file)))
    except BadConfig as error:
        raise BadConfig(f"the {KEYSTORE} {path}: {error.message}") from None


def read_password(path: Path) -> str:
    """The first line of a file of mode 0600. Raises as `read_secret`, and BadConfig when empty."""
    try:
        password = read_secret(path, PASSWORD_FILE).decode().split("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise BadConfig(f"the {PASSWORD_FILE} {path} is no text in UTF-8") from None
    if not password:
        raise BadConfig(f"the {PASSWORD_FILE} {path} begins with an empty line; write one into it")
    return password


def parse_keystore(data: bytes) -> dict[str, Any]:
    """The fields of such a file, checked to be affordable. Raises BadConfig."""
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise BadConfig("a keystore is JSON, this is none") from None
    if not isinstance(fields, dict) or fields.get("version") != VERSION:
        raise BadConfig(f"a keystore says `version` {VERSION}, this does not")
    crypto = fields.get("crypto", fields.get("Crypto"))
    if not isinstance(crypto, dict):
        raise BadConfig("a keystore has `crypto`, this has not")
    if crypto.get("cipher") != "aes-128-ctr":
        raise BadConfig("a keystore has the cipher aes-128-ctr, this has another")
    _hexadecimal(crypto, "ciphertext", 32)
    _hexadecimal(crypto, "mac", 32)
    _hexadecimal(_object(crypto, "cipherparams"), "iv", 16)
    _check_derivation(crypto.get("kdf"), _object(crypto, "kdfparams"))
    return fields


def decrypt_keystore(fields: dict[str, Any], password: str) -> bytes:
    """The key. Blocks for half a second: not for an event loop. Raises BadConfig."""
    with same_recursion_limit():
        from eth_account import Account

    try:
        key = bytes(Account.decrypt(fields, password))
    except (ValueError, TypeError, KeyError, NotImplementedError, MemoryError):
        raise BadConfig("the password does not open the keystore, or it is damaged") from None
    check_key(key)
    told = fields.get("address")
    if told is not None and str(told).lower().removeprefix("0x") != Wallet(key).address.hex():
        raise BadConfig(f"the keystore says that it is of account {str(told)[:42]}, and is not")
    return key


def encrypt_keystore(key: bytes, password: str) -> bytes:
    """The file for a key (scrypt, n = 2^18). Blocks for half a second."""
    with same_recursion_limit():
        from eth_account import Account

    return (
        msgspec.json.format(msgspec.json.encode(Account.encrypt(key, password)), indent=2) + b"\n"
    )


def _check_derivation(kdf: object, params: dict[str, Any]) -> None:
    _hexadecimal(params, "salt", None)
    if params.get("dklen") != 32:
        raise BadConfig("a keystore derives a key of 32 bytes, this does not")
    if kdf == "scrypt":
        n, r, p = (_number(params, name) for name in ("n", "r", "p"))
        if n < 2 or n & (n - 1):
            raise BadConfig("scrypt's `n` is a power of two, this is none")
        if 128 * n * r > SCRYPT_BYTES_MAX or p > SCRYPT_LANES_MAX:
            raise BadConfig(f"the keystore takes more than {SCRYPT_BYTES_MAX} bytes to open")
    elif kdf == "pbkdf2":
        if _number(params, "c") > PBKDF2_ROUNDS_MAX or params.get("prf") != "hmac-sha256":
            raise BadConfig(f"pbkdf2 is done with hmac-sha256, {PBKDF2_ROUNDS_MAX} times at most")
    else:
        raise BadConfig("a keystore uses scrypt or pbkdf2, this uses another")


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise BadConfig(f"a keystore has `{name}`, this has not")
    return value


def _number(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if type(value) is not int or value < 1:
        raise BadConfig(f"a keystore's `{name}` is a number above 0")
    return value


def _hexadecimal(fields: dict[str, Any], name: str, length: int | None) -> None:
    value = fields.get(name)
    try:
        data = bytes.fromhex(value) if isinstance(value, str) and value.isalnum() else None
    except ValueError:
        data = None
    if data is None or (length is not None and len(data) != length):
        size = "bytes" if length is None else f"{length} bytes"
        raise BadConfig(f"a keystore's `{name}` is {size} in hexadecimal, this is not")
