"""Ciphers, key derivation and signatures of encrypted datasets.

All calls on buffers of more than a few kilobytes release the GIL. The library takes 6 MB of memory
and is loaded with the first use: a node without encrypted datasets does without.

Cost     of 64 KiB, a core: AES-256-GCM with AES units 11 GB/s, ChaCha20-Poly1305 3 GB/s, ChaCha20
         5 GB/s, BLAKE3 7 GB/s; HKDF 3 µs, Ed25519 27 µs to sign and 93 µs to verify
Source   point.md 7.2, 7.7
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import TYPE_CHECKING

import blake3

from quire.base.errors import IntegrityError
from quire.base.invariant import invariant
from quire.formats.cap import Suite
from quire.formats.varint import Buffer

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "KEY_BYTES",
    "NONCE_BYTES",
    "TAG_BYTES",
    "Aead",
    "Suite",
    "chacha20_xor",
    "chacha20_xor_into",
    "ed25519_public",
    "ed25519_sign",
    "ed25519_verify",
    "fastest_suite",
    "hkdf_expand",
    "hkdf_extract",
    "keyed_blake3",
]

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
DIGEST_BYTES = 32

_PROBE_BYTES = 256 * 1024
_PROBES = 5


class Aead:
    """Authenticated encryption under one key. Nonces must never repeat."""

    def __init__(self, suite: Suite, key: bytes) -> None:
        """key: 32 bytes."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

        self._cipher = (AESGCM if suite is Suite.AES_256_GCM else ChaCha20Poly1305)(key)
        self._bad_tag = InvalidTag

    def encrypt(self, nonce: bytes, data: Buffer, bound: bytes) -> bytes:
        """The ciphertext, 16 bytes longer; `bound` is authenticated with it."""
        return self._cipher.encrypt(nonce, data, bound)

    def decrypt(self, nonce: bytes, data: Buffer, bound: bytes) -> bytes:
        """The inverse. Raises IntegrityError: another key, nonce, `bound` or ciphertext."""
        try:
            return self._cipher.decrypt(nonce, data, bound)
        except self._bad_tag:
            raise IntegrityError("the tag of a ciphertext is wrong") from None


def fastest_suite(now: Callable[[], float]) -> Suite:
    """The suite that this machine is quicker with: AES where it has units for it.

    now   seconds on any timeline
    Cost  some milliseconds
    """
    data = bytes(_PROBE_BYTES)
    taken = {}
    for suite in Suite:
        cipher, best = Aead(suite, bytes(KEY_BYTES)), float("inf")
        for _ in range(_PROBES):
            begin = now()
            cipher.encrypt(bytes(NONCE_BYTES), data, b"")
            best = min(best, now() - begin)
        taken[suite] = best
    return min(Suite, key=lambda suite: taken[suite])


def hkdf_extract(salt: bytes, key: bytes) -> bytes:
    """HKDF-SHA-256, first step: 32 bytes."""
    return hmac.digest(salt, key, "sha256")


def hkdf_expand(prk: bytes, info: bytes, size: int = KEY_BYTES) -> bytes:
    """HKDF-SHA-256, second step: `size` bytes, at most 8160."""
    invariant(0 < size <= 255 * DIGEST_BYTES, "HKDF gives 1 to 8160 bytes", size=size)
    made, last = b"", b""
    for counter in range(1, -(-size // DIGEST_BYTES) + 1):
        last = hmac.digest(prk, last + info + bytes((counter,)), "sha256")
        made += last
    return made[:size]


def chacha20_xor(key: bytes, nonce: bytes, data: Buffer) -> bytes:
    """`data` XOR the ChaCha20 stream from counter 0; its own inverse. nonce: 12 bytes."""
    made = bytearray(len(data))
    chacha20_xor_into(key, nonce, data, memoryview(made))
    return bytes(made)


def chacha20_xor_into(key: bytes, nonce: bytes, data: Buffer, room: memoryview) -> None:
    """The same, written to a place of the same length."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    stream = Cipher(algorithms.ChaCha20(key, bytes(4) + nonce), None).encryptor()
    stream.update_into(data, room)


def keyed_blake3(key: bytes) -> blake3.blake3:
    """BLAKE3 keyed with 32 bytes: `update` with pieces, then `digest`, 32 bytes."""
    return blake3.blake3(key=key)


def ed25519_public(seed: bytes) -> bytes:
    """The public key (32 bytes) of a seed (32 bytes)."""
    return _private(seed).public_key().public_bytes_raw()


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    """64 bytes, deterministic."""
    return _private(seed).sign(message)


def ed25519_verify(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature is by this key. False also for what is no key and no signature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _private(seed: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed)
