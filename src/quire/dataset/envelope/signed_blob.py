"""A small encrypted value that its owner may replace: it has a version and a signature.

Providers keep such values and can read none of them. Two kinds exist, told apart by the label that
is signed: the map of a dataset's replicas, and the pointer to a user's catalogue. A value is found
under its *locator*, the SHA-256 of label and public key.

Source   point.md 6.4 (MapBlob), 6.5 (replica map), A6b
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from quire.base.errors import BadEncoding, IntegrityError, WrongKey
from quire.formats.varint import Buffer
from quire.kernels.cipher import (
    KEY_BYTES,
    NONCE_BYTES,
    TAG_BYTES,
    Aead,
    Suite,
    ed25519_public,
    ed25519_sign,
    ed25519_verify,
)

MAP_LABEL = b"pn-map-v1"
CATALOGUE_LABEL = b"quire-catalogue-v1"
LABELS = (MAP_LABEL, CATALOGUE_LABEL)

BLOB_BYTES_MAX = 1024 * 1024
SIGNATURE_BYTES = 64
LOCATOR_BYTES = 32
FIXED_BYTES = KEY_BYTES + 8 + NONCE_BYTES + SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class SignedBlob:
    """What is kept and sent."""

    public_key: bytes  # Ed25519, 32
    version: int  # a higher one replaces a lower one
    nonce: bytes  # 12
    ciphertext: bytes
    signature: bytes  # 64

    @property
    def size(self) -> int:
        return FIXED_BYTES + len(self.ciphertext)

    def encode(self) -> bytes:
        """`public key ‖ version u64 BE ‖ nonce ‖ signature ‖ ciphertext`."""
        fixed = self.public_key + self.version.to_bytes(8) + self.nonce + self.signature
        return fixed + self.ciphertext

    @property
    def locator(self) -> bytes | None:
        """Where it is found; None when nobody signed it."""
        label = self.label()
        return None if label is None else locator(label, self.public_key)

    def label(self) -> bytes | None:
        """The label that its owner signed; None: nobody did, or it has not the right shape."""
        if not self._has_shape():
            return None
        signed = self._signed_part()
        for label in LABELS:
            if ed25519_verify(self.public_key, self.signature, label + signed):
                return label
        return None

    def _has_shape(self) -> bool:
        return (
            len(self.public_key) == KEY_BYTES
            and len(self.nonce) == NONCE_BYTES
            and len(self.signature) == SIGNATURE_BYTES
            and 0 <= self.version < 1 << 64
            and len(self.ciphertext) >= TAG_BYTES
            and self.size <= BLOB_BYTES_MAX
        )

    def _signed_part(self) -> bytes:
        return self.version.to_bytes(8) + self.nonce + self.ciphertext


def decode_blob(data: Buffer) -> SignedBlob:
    """The inverse of `SignedBlob.encode`. Whether somebody signed it, `label` says.

    Raises   BadEncoding  too short or too long
    """
    view = memoryview(data)
    if not FIXED_BYTES + TAG_BYTES <= len(view) <= BLOB_BYTES_MAX:
        raise BadEncoding(
            f"a signed value has {FIXED_BYTES + TAG_BYTES} to {BLOB_BYTES_MAX} bytes, "
            f"not {len(view)}"
        )
    at = KEY_BYTES + 8
    return SignedBlob(
        public_key=bytes(view[:KEY_BYTES]),
        version=int.from_bytes(view[KEY_BYTES:at]),
        nonce=bytes(view[at : at + NONCE_BYTES]),
        signature=bytes(view[at + NONCE_BYTES : FIXED_BYTES]),
        ciphertext=bytes(view[FIXED_BYTES:]),
    )


def locator(label: bytes, public_key: bytes) -> bytes:
    """Under which a value is announced and asked for: 32 bytes."""
    return hashlib.sha256(label + public_key).digest()


@dataclass(frozen=True, slots=True, repr=False)
class BlobKeys:
    """What the owner of a value has: the key that it is read with, and the one that signs it."""

    label: bytes
    key: bytes  # 32
    seed: bytes  # 32, Ed25519

    @property
    def public_key(self) -> bytes:
        return ed25519_public(self.seed)

    @property
    def locator(self) -> bytes:
        return locator(self.label, self.public_key)

    def seal(self, version: int, nonce: bytes, plain: bytes) -> SignedBlob:
        """nonce: 12 random bytes. The version is bound to the ciphertext."""
        sealed = Aead(Suite.AES_256_GCM, self.key).encrypt(nonce, plain, version.to_bytes(8))
        signed = self.label + version.to_bytes(8) + nonce + sealed
        return SignedBlob(self.public_key, version, nonce, sealed, ed25519_sign(self.seed, signed))

    def open(self, blob: SignedBlob) -> bytes:
        """The plain value.

        Raises   WrongKey        it belongs to somebody else
                 IntegrityError  it is not what its owner signed
        """
        if blob.public_key != self.public_key:
            raise WrongKey("the encrypted value belongs to another key")
        if blob.label() != self.label:
            raise IntegrityError("the signature of an encrypted value is wrong")
        aead = Aead(Suite.AES_256_GCM, self.key)
        return aead.decrypt(blob.nonce, blob.ciphertext, blob.version.to_bytes(8))

    def __repr__(self) -> str:
        return f"<keys of a signed value, {self.label.decode()}>"
