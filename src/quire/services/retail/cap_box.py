"""Repair capabilities as the journal keeps them: encrypted under a key of this node's identity.

Whoever has the journal alone, as from a backup, learns nothing of the files.
"""

from __future__ import annotations

from quire.base.errors import BadCap, IntegrityError, StoreCorrupt
from quire.formats.cap import RepairCap, parse_cap
from quire.kernels.cipher import NONCE_BYTES, Aead, Suite, hkdf_expand, hkdf_extract

_SALT, _INFO = b"quire-node-v1", b"quire/repair-caps"


class CapBox:
    """Locks and opens. `private_key`: of the node's identity, 32 bytes."""

    def __init__(self, private_key: bytes) -> None:
        self._key = hkdf_expand(hkdf_extract(_SALT, private_key), _INFO)

    def lock(self, cap: RepairCap, upload_id: bytes, nonce: bytes) -> bytes:
        """`nonce`: 12 random bytes; the upload's id is bound to the ciphertext."""
        return nonce + self._aead().encrypt(nonce, cap.text.encode(), upload_id)

    def open(self, locked: bytes, upload_id: bytes) -> RepairCap:
        """Raises StoreCorrupt: another node's, or damaged."""
        try:
            nonce, data = locked[:NONCE_BYTES], locked[NONCE_BYTES:]
            cap = parse_cap(self._aead().decrypt(nonce, data, upload_id).decode())
        except (IntegrityError, BadCap, ValueError):
            raise StoreCorrupt(
                f"the capability of upload {upload_id.hex()} does not open with the key of this "
                "node; if the key was replaced, put the file again"
            ) from None
        if not isinstance(cap, RepairCap):
            raise StoreCorrupt(f"upload {upload_id.hex()} has another capability than to repair")
        return cap

    def _aead(self) -> Aead:
        """Made when it is wanted: most nodes never do, and the ciphers take memory."""
        return Aead(Suite.AES_256_GCM, self._key)
