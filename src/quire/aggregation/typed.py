"""What offers and receipts of aggregators are signed under: EIP-712, by the account that is paid.

Both are long and of several kinds, so their SHA-256 is what the struct holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from quire.chain.eip712 import domain_separator, type_hash, typed_digest
from quire.chain.hub import HubDomain
from quire.kernels.keccak import keccak256

Sign: TypeAlias = Callable[[bytes], bytes]  # of a digest of 32 bytes: 65 bytes; or of a message

DOMAIN_NAME = b"QuireAggregator"
OFFER_TYPE = b"Offer(bytes32 digest)"
RECEIPT_TYPE = b"EncodedReceipt(bytes32 digest)"


def signed_digest(domain: HubDomain, kind: bytes, digest: bytes) -> bytes:
    """What the payee signs, 32 bytes. `domain`: of the hub that he is paid through."""
    content = keccak256(type_hash(kind) + digest)
    return typed_digest(domain_separator(domain, DOMAIN_NAME), content)
