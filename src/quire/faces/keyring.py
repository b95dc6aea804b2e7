"""A user's key ring: a file with the master secret, and beside it the catalogue of capabilities.

    keyring             {"version": 1, "master": hex}, or with a passphrase {"version": 1, "age": …}
    keyring.catalogue   the catalogue, AES-256-GCM under a key that follows from the master secret

Both have mode 0600. The master secret is 32 random bytes; as BIP-39 they are 24 words.
"""

from __future__ import annotations

import base64
import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from quire.base.errors import (
    BadConfig,
    BadEncoding,
    InputError,
    IntegrityError,
    NotFound,
    WrongKey,
)
from quire.base.rng import system_rng
from quire.chain.key_file import OWNER_ONLY, read_secret, write_secret
from quire.dataset.envelope.user_keys import UserKeys
from quire.formats.catalogue import CatalogueEntry, decode_catalogue, encode_catalogue, merged
from quire.kernels.age import open_under, wrap_under
from quire.kernels.cipher import KEY_BYTES, NONCE_BYTES, Aead, Suite

KEYRING = "keyring"
VERSION = 1
WORDS = 24
_BOUND = b"quire-local-catalogue-v1"

AskPassphrase = Callable[[], str]


class _File(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    version: int
    master: str | None = None  # hex
    age: str | None = None  # base64


def default_keyring() -> Path:
    """Where a user's key ring is if nothing else is said (XDG base directories)."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "quire" / "keyring"


class Keyring:
    """An open key ring."""

    def __init__(self, path: Path, keys: UserKeys) -> None:
        self.path = path
        self.keys = keys

    @classmethod
    def create(cls, path: Path, master: bytes | None = None) -> Keyring:
        """A new file, with a new secret unless one is given. Raises EnvironmentProblem: it is there
        already, or cannot be written."""
        secret = system_rng().randbytes(KEY_BYTES) if master is None else master
        write_secret(path, _encode(_File(VERSION, master=secret.hex())), KEYRING)
        return cls(path, UserKeys.of(secret))

    @classmethod
    def open(cls, path: Path, ask: AskPassphrase) -> Keyring:
        """`ask` is called when the file is under a passphrase.

        Raises   NotFound           there is none
                 UnsafePermissions  others may read it
                 BadConfig          it is no key ring, or the passphrase is another
        """
        file = _read(path)
        if file.master is not None:
            return cls(path, UserKeys.of(_master(path, file.master)))
        return cls(path, UserKeys.of(_unlocked(path, file.age or "", ask())))

    @property
    def catalogue_path(self) -> Path:
        return self.path.with_name(self.path.name + ".catalogue")

    def phrase(self) -> str:
        """The master secret as 24 words."""
        from mnemonic import Mnemonic

        return str(Mnemonic("english").to_mnemonic(self.keys.master))

    def lock(self, passphrase: str) -> None:
        """Put the master secret under a passphrase (scrypt, by age)."""
        sealed = base64.b64encode(wrap_under(passphrase, self.keys.master)).decode()
        _replace(self.path, _encode(_File(VERSION, age=sealed)))

    def unlock(self) -> None:
        """Keep the master secret without a passphrase again."""
        _replace(self.path, _encode(_File(VERSION, master=self.keys.master.hex())))

    def catalogue(self) -> list[CatalogueEntry]:
        """Everything that was put with this key ring, oldest first.

        Raises   IntegrityError  the file is damaged, or of another key ring
        """
        try:
            data = self.catalogue_path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(f"{self.catalogue_path} cannot be read: {error.strerror}") from None
        try:
            plain = self._aead().decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], _BOUND)
            return decode_catalogue(plain)
        except (IntegrityError, BadEncoding, ValueError):
            raise IntegrityError(
                f"the catalogue {self.catalogue_path} is damaged, or belongs to another key ring; "
                "move it away, and bring back what was backed up: quire restore"
            ) from None

    def add(self, entries: Sequence[CatalogueEntry]) -> list[CatalogueEntry]:
        """Add to the catalogue; all of it, as it is then."""
        with self._alone():
            found = merged(self.catalogue(), entries)
            nonce = system_rng().randbytes(NONCE_BYTES)
            sealed = self._aead().encrypt(nonce, encode_catalogue(found), _BOUND)
            _replace(self.catalogue_path, nonce + sealed)
        return found

    def _aead(self) -> Aead:
        return Aead(Suite.AES_256_GCM, self.keys.catalogue)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other command changes the catalogue meanwhile."""
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            handle = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, OWNER_ONLY)
        except OSError as error:
            raise InputError(f"{lock} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def is_locked(path: Path) -> bool:
    """Whether a passphrase is needed. Raises as `Keyring.open`."""
    return _read(path).age is not None


def parse_phrase(text: str) -> bytes:
    """The master secret of 24 words. Raises BadConfig: a word that is none, or a wrong checksum."""
    from mnemonic import Mnemonic

    language = Mnemonic("english")
    words = text.lower().split()
    if len(words) != WORDS:
        raise BadConfig(f"a phrase has {WORDS} words, this has {len(words)}")
    for place, word in enumerate(words, 1):
        if word not in language.wordlist:
            raise BadConfig(f"word {place} of the phrase is none of BIP-39's: check its spelling")
    try:
        return bytes(language.to_entropy(words))
    except ValueError:
        raise BadConfig(
            "the checksum of the phrase is wrong: a word is another one, or two changed places"
        ) from None


def parse_keyring(data: bytes) -> tuple[str | None, str | None]:
    """The secret in hexadecimal, or what age made of it. Raises BadConfig."""
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadConfig("this is no key ring") from None
    if file.version != VERSION or (file.master is None) == (file.age is None):
        raise BadConfig("this is no key ring, or one of a newer version of this program")
    return file.master, file.age


def _read(path: Path) -> _File:
    if not path.exists():
        raise NotFound(f"there is no key ring at {path}; make one with: quire keyring new")
    try:
        return _File(VERSION, *parse_keyring(read_secret(path, KEYRING)))
    except BadConfig as error:
        raise BadConfig(f"{path}: {error.message}") from None


def _master(path: Path, text: str) -> bytes:
    try:
        master = bytes.fromhex(text)
    except ValueError:
        master = b""
    if len(master) != KEY_BYTES:
        raise BadConfig(f"{path} is damaged: it holds no master secret of {KEY_BYTES} bytes")
    return master


def _unlocked(path: Path, sealed: str, passphrase: str) -> bytes:
    try:
        master = open_under(passphrase, base64.b64decode(sealed, validate=True))
    except (WrongKey, ValueError):
        raise BadConfig(f"the passphrase does not open {path}, or the file is damaged") from None
    return _master(path, master.hex())


def _encode(file: _File) -> bytes:
    return msgspec.json.encode(file) + b"\n"


def _replace(path: Path, data: bytes) -> None:
    """Replace a file as a whole, durably, mode 0600."""
    draft = path.with_name(f"{path.name}.new")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), OWNER_ONLY)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
