"""ECDSA on secp256k1 as libp2p uses it: over SHA-256, DER, low S, deterministic (RFC 6979).

Source   network.md 1.2; vectors/peer_record.json holds signatures of the reference
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey

from quire.base.errors import BadEncoding

PRIVATE_KEY_BYTES = 32


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


def _private(private_key: bytes) -> PrivateKey:
    if len(private_key) != PRIVATE_KEY_BYTES:
        raise BadEncoding(f"a private key has {PRIVATE_KEY_BYTES} bytes, not {len(private_key)}")
    try:
        return PrivateKey(private_key)
    except ValueError:
        raise BadEncoding("a private key is zero or above the order of secp256k1") from None
