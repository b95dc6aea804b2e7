"""age files: small secrets under a passphrase (scrypt), or for people (X25519).

The library is loaded with the first call.
Cost     under a passphrase about a second, by design
Source   age-encryption.org/v1; point.md 7.2
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from quire.base.errors import InputError, WrongKey
from quire.formats.bech32 import encode_bech32

__all__ = [
    "check_recipient",
    "identity_of",
    "open_as",
    "open_under",
    "recipient_of",
    "wrap_for",
    "wrap_under",
]


def wrap_under(passphrase: str, secret: bytes) -> bytes:
    """An age file that the passphrase opens."""
    import pyrage  # type: ignore[import-untyped]

    return bytes(pyrage.passphrase.encrypt(secret, passphrase))


def open_under(passphrase: str, wrapped: bytes) -> bytes:
    """The inverse. Raises WrongKey: another passphrase, or no such file."""
    import pyrage

    try:
        return bytes(pyrage.passphrase.decrypt(wrapped, passphrase))
    except pyrage.DecryptError:
        raise WrongKey("the passphrase does not open it, or it is damaged") from None


def identity_of(secret: bytes) -> str:
    """The identity (AGE-SECRET-KEY-1…) of 32 secret bytes."""
    return encode_bech32("age-secret-key-", secret).upper()


def recipient_of(identity: str) -> str:
    """The recipient (age1…) that others wrap for. Raises InputError."""
    return str(_identity(identity).to_public())


def check_recipient(text: str) -> None:
    """Raises   InputError  it is no recipient of age, such as age1…"""
    _recipients([text])


def wrap_for(recipients: Sequence[str], secret: bytes) -> bytes:
    """An age file that the holder of any of these keys opens. Raises InputError."""
    import pyrage

    return bytes(pyrage.encrypt(secret, _recipients(recipients)))


def open_as(identity: str, wrapped: bytes) -> bytes:
    """The inverse, with an identity such as AGE-SECRET-KEY-1…

    Raises   InputError    it is no identity
             WrongKey  the file is for somebody else, or damaged
    """
    import pyrage

    key = _identity(identity)
    try:
        return bytes(pyrage.decrypt(wrapped, [key]))
    except pyrage.DecryptError:
        raise WrongKey("it was not wrapped for this identity, or it is damaged") from None


def _identity(text: str) -> Any:
    import pyrage

    try:
        return pyrage.x25519.Identity.from_str(text.strip())
    except pyrage.IdentityError:
        raise InputError("this is no identity of age: it begins with AGE-SECRET-KEY-1") from None


def _recipients(texts: Sequence[str]) -> list[object]:
    import pyrage

    try:
        return [pyrage.x25519.Recipient.from_str(text.strip()) for text in texts]
    except pyrage.RecipientError:
        raise InputError("this is no recipient of age: it begins with age1") from None
