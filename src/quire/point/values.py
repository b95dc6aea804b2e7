"""What client and provider of sealed replicas speak of.

Source   point.md 6.4, 6.5. Amounts in the smallest unit of the token, sizes in bytes, times in unix
seconds of the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from quire.chain.values import Address
from quire.channels import signed_offer
from quire.formats.replica_codes import Code as Code

LinkId: TypeAlias = bytes  # 16 random bytes; made by the client, before anything is sent

LINK_ID_BYTES = 16
BLOCK_BYTES = 65536
CHUNK_BLOCKS = 256  # of a chunk, by default
CHUNK_BLOCKS_LEAST, CHUNK_BLOCKS_MOST = 4, 1024
BILLING_SECONDS = 86400  # a longer term is billed in periods of this


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider's terms. Prices in tokens per byte-second, per byte read, per byte written.

    peer_id       the multihash of the libp2p key, raw
    credit_bytes  served ahead of payment
    free_bytes    free space
    operator      at most 64 bytes that name who runs it; empty: the payee
    """

    peer_id: bytes
    payee: Address
    chain_id: int
    contract: Address
    price_byte_second: int
    price_get_byte: int
    fee_put_byte: int
    free_bytes: int
    max_seconds: int
    credit_bytes: int
    valid_until: int
    operator: bytes = b""


SignedOffer: TypeAlias = signed_offer.SignedOffer[Offer]


@dataclass(frozen=True, slots=True)
class ReceiptTerms:
    """All that a provider signs for one replica (EIP-712 `Receipt`, point.md 6.4).

    peer         SHA-256 of the provider's raw peer id
    sealed_root  digest of the tree CID of the sealed blocks
    """

    link_id: LinkId
    client: Address
    provider: Address
    peer: bytes
    sealed_root: bytes
    sealed_bytes: int
    block_size: int
    starts_at: int
    expires_at: int
    price_byte_second: int
    offer_hash: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    terms: ReceiptTerms
    signature: bytes  # 65 bytes
