"""A voucher: a payer's signed promise to a payee of so many tokens since ever (EIP-712).

A later voucher contains all earlier ones, so losing one loses nothing, and taking one twice pays
once. Source   point.md 4.2, variant B
"""

from __future__ import annotations

from dataclasses import dataclass, field

from quire.chain.eip712 import domain_separator, introduction_digest, voucher_digest
from quire.chain.values import Address
from quire.kernels.signing import recover_address, sign_recoverable

MAX_CUMULATIVE = (1 << 128) - 1
SIGNATURE_BYTES = 65

__all__ = [
    "MAX_CUMULATIVE",
    "SIGNATURE_BYTES",
    "Voucher",
    "domain_separator",
    "introduction_digest",
    "sign_voucher",
    "signer_of",
    "voucher_digest",
]


@dataclass(frozen=True, slots=True)
class Voucher:
    """`signature`: r, s (low), v (27 or 28); 65 bytes."""

    payer: Address
    payee: Address
    cumulative: int
    signature: bytes = field(repr=False)


def sign_voucher(
    key: bytes, separator: bytes, payer: Address, payee: Address, cumulative: int
) -> Voucher:
    """Raises BadEncoding for a bad key."""
    digest = voucher_digest(separator, payer, payee, cumulative)
    return Voucher(payer, payee, cumulative, sign_recoverable(key, digest))


def signer_of(separator: bytes, voucher: Voucher) -> Address | None:
    """Who signed it; None when the signature is none (high s, bad v, not 65 bytes)."""
    if not 0 <= voucher.cumulative <= MAX_CUMULATIVE:
        return None
    digest = voucher_digest(separator, voucher.payer, voucher.payee, voucher.cumulative)
    return recover_address(voucher.signature, digest)
