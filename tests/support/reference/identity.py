"""secp256k1 keys: the only kind that the reference accepts."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from support.reference.bytes_ import (
    Malformed,
    base58,
    blob,
    fields,
    first_blob,
    first_number,
    number,
)

SECP256K1 = 2
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141


class Key:
    """A node's key pair."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256K1())
        point = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.public = number(1, SECP256K1) + blob(2, point)
        self.peer_id = peer_id_of(self.public)

    def sign(self, message: bytes) -> bytes:
        """DER, with the smaller of the two possible values of s."""
        r, s = decode_dss_signature(self._private.sign(message, ec.ECDSA(SHA256())))
        return encode_dss_signature(r, min(s, ORDER - s))


def peer_id_of(public: bytes) -> str:
    return base58(b"\x00" + bytes([len(public)]) + public)


def check_signature(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise unless a secp256k1 key has signed."""
    found = fields(public)
    if first_number(found, 1, -1) != SECP256K1:
        raise Malformed("only secp256k1 keys are accepted")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), first_blob(found, 2))
    try:
        key.verify(signature, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise Malformed("the signature is false") from None
