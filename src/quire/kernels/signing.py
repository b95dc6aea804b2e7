"""ECDSA on secp256k1: as libp2p uses it (SHA-256, DER) and as Ethereum does (recoverable).

Signatures have a low S and are deterministic (RFC 6979).

Source   network.md 1.2; vectors/peer_record.json holds signatures of the reference
"""

from __future__ import annotations

from functools import lru_cache

from coincurve import PrivateKey, PublicKey

from quire.base.errors import BadEncoding
from quire.kernels.keccak import keccak256

PRIVATE_KEY_BYTES = 32
RECOVERABLE_BYTES = 65
FIRST_V = 27
KEYS = 16  # that are kept ready: making one costs as much as a signature
HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def public_key_of(private_key: bytes) -> bytes:
    """The compressed point (33 bytes) of a scalar (32 bytes).

    Raises   BadEncoding  not 32 bytes, zero, or not below the order of the curve
    """
    return _private(private_key).public_key.format(compressed=True)


def sign(private_key: bytes, message: bytes) -> bytes:
    """The DER signature of SHA-256(message). Raises `BadEncoding` for a bad key."""
    return _private(private_key).sign(message)


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the DER signature of SHA-256(message) is by this compressed point.

    False also for a point off the curve, malformed DER and high S.
    """
    try:
        return PublicKey(public_key).verify(signature, message)
    except (ValueError, TypeError):
        return False


@lru_cache(KEYS)
def _private(private_key: bytes) -> PrivateKey:
    if len(private_key) != PRIVATE_KEY_BYTES:
        raise BadEncoding(f"a private key has {PRIVATE_KEY_BYTES} bytes, not {len(private_key)}")
    try:
        return PrivateKey(private_key)
    except ValueError:
        raise BadEncoding("a private key is zero or above the order of secp256k1") from None


def sign_recoverable(private_key: bytes, digest: bytes) -> bytes:
    """The Ethereum signature of a digest (32 bytes): r, s (low), v (27 or 28). Deterministic.

    Raises   BadEncoding  a bad key
    """
    made = _private(private_key).sign_recoverable(digest, hasher=None)
    return made[:-1] + bytes([made[-1] + FIRST_V])


def recover_address(signature: bytes, digest: bytes) -> bytes | None:
    """The account (20 bytes) that signed a digest; None when the signature has not 65 bytes, a high
    s, another v than 27 or 28, or belongs to no key."""
    if len(signature) != RECOVERABLE_BYTES or signature[-1] - FIRST_V not in (0, 1):
        return None
    if int.from_bytes(signature[32:64], "big") > HALF_ORDER:
        return None
    plain = signature[:-1] + bytes([signature[-1] - FIRST_V])
    try:
        point = PublicKey.from_signature_and_message(plain, digest, hasher=None)
    except ValueError:
        return None
    return address_of_point(point.format(compressed=False))


def address_of(private_key: bytes) -> bytes:
    """The account of a key, 20 bytes. Raises BadEncoding."""
    return address_of_point(_private(private_key).public_key.format(compressed=False))


def address_of_point(point: bytes) -> bytes:
    """The account of an uncompressed point (65 bytes)."""
    return keccak256(point[1:])[-20:]
