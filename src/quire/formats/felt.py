"""Elements of the BN254 scalar field as bytes: 32, little-endian, canonical."""

from __future__ import annotations

from quire.base.errors import BadEncoding

FELT_BYTES = 32
MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617


def check_felt(data: bytes) -> None:
    """Raise `BadEncoding` unless `data` is the one encoding of a field element."""
    if len(data) != FELT_BYTES:
        raise BadEncoding(f"a field element has {FELT_BYTES} bytes, not {len(data)}")
    if int.from_bytes(data, "little") >= MODULUS:
        raise BadEncoding("a field element is not below the modulus of BN254")
