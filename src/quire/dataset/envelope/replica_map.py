"""Keys of the map that says who holds sealed replicas of a dataset.

Source   point.md 6.5, A6b
"""

from __future__ import annotations

from quire.dataset.envelope.signed_blob import MAP_LABEL, BlobKeys
from quire.kernels.cipher import hkdf_expand, hkdf_extract


def map_keys(seal_root: bytes) -> BlobKeys:
    """Of whoever may read and replace the map: holders of a repair or read capability."""
    prk = hkdf_extract(b"pn-seal-v1", seal_root)
    return BlobKeys(MAP_LABEL, hkdf_expand(prk, b"pn1/map"), hkdf_expand(prk, b"pn1/map-sign"))
