"""What follows from a user's master secret: nothing of it is ever sent, and all of it comes back
from the 24 words that the secret is written in.

Source   point.md 7.6 (key ring); docs/reference/encryption.md
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.invariant import invariant
from quire.dataset.envelope.signed_blob import CATALOGUE_LABEL, BlobKeys
from quire.kernels.cipher import KEY_BYTES, hkdf_expand, hkdf_extract


@dataclass(frozen=True, slots=True, repr=False)
class UserKeys:
    """Keys of one user, 32 bytes each.

    convergence   secret of convergent file keys: one user's, or a group's that shares it
    catalogue     encrypts the list of capabilities on this disk
    sharing       opens what others shared with this user (X25519, as age has it)
    pointer       encrypts and signs the pointer to the list that was backed up
    """

    master: bytes
    convergence: bytes
    catalogue: bytes
    sharing: bytes
    pointer: BlobKeys

    @classmethod
    def of(cls, master: bytes) -> UserKeys:
        invariant(len(master) == KEY_BYTES, "a master secret has 32 bytes", size=len(master))
        prk = hkdf_extract(b"quire-keyring-v1", master)
        pointer = BlobKeys(
            CATALOGUE_LABEL,
            hkdf_expand(prk, b"quire/pointer"),
            hkdf_expand(prk, b"quire/pointer-sign"),
        )
        return cls(
            master,
            convergence=hkdf_expand(prk, b"quire/convergence"),
            catalogue=hkdf_expand(prk, b"quire/catalogue"),
            sharing=hkdf_expand(prk, b"quire/sharing"),
            pointer=pointer,
        )

    def __repr__(self) -> str:
        return "<keys of a user>"
