"""What customers and aggregators speak of. Amounts in the smallest unit of the token, sizes in
bytes, times in unix seconds of the chain. Source   market.md 6.4
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from quire.chain.values import Address
from quire.channels import signed_offer
from quire.formats.aggregator_codes import Service as Service
from quire.formats.cid import Cid

JobId: TypeAlias = bytes  # 16 bytes; made by the customer, before anything is sent

JOB_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Offer:
    """An aggregator's terms for one quote.

    peer_id      the multihash of its libp2p key, raw
    quote_hash   SHA-256 of the quote that it answers (aggregator_asking.QuoteRequest.encode)
    price        of the whole: of one dataset coded, of one proof made, of one proof submitted
    price_first  of it, what is due as soon as the result is checked; the rest when hosts have the
                 blocks. All of it but for ENCODE
    max_bytes    the largest dataset, ENCODE only
    key_hash     of the circuit's key, PROVE only; else zeros
    bond         that stands behind each promise, SUBMIT only
    seconds      that the work will take at most, as the aggregator thinks
    """

    peer_id: bytes
    payee: Address
    chain_id: int
    contract: Address
    service: Service
    quote_hash: bytes
    price: int
    price_first: int
    max_bytes: int
    key_hash: bytes
    bond: int
    seconds: int
    valid_until: int

    @property
    def price_last(self) -> int:
        return self.price - self.price_first

    def part(self, number: int) -> int:
        """The price of part 0 or 1."""
        return self.price_last if number else self.price_first


SignedOffer: TypeAlias = signed_offer.SignedOffer[Offer]


@dataclass(frozen=True, slots=True)
class EncodedReceipt:
    """What an aggregator says that it made of a dataset, for one job of one customer.

    original     manifest CID of what was coded
    encoded      manifest CID of the verifiable dataset; `manifest` its bytes
    leaf_list    CID of a plain dataset: the SHA-256 digests of all leaves, joined, 32 bytes each
    digest_list  CID of a plain dataset: the Poseidon2 digests of the blocks of all rows, row after
                 row, `steps` of 32 bytes each
    """

    job_id: JobId
    offer_hash: bytes
    customer: Address
    original: Cid
    encoded: Cid
    manifest: bytes
    leaf_list: Cid
    digest_list: Cid


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """`data` is the receipt as it was signed. The signature is the payee's: EIP-712
    EncodedReceipt(bytes32 digest) under the hub's domain named "QuireAggregator", 65 bytes."""

    receipt: EncodedReceipt
    data: bytes
    signature: bytes = field(repr=False)


class EncodeWork(msgspec.Struct, frozen=True, tag="encode"):
    """A dataset to be coded with `k` + `m` rows. `original`: manifest CID; None while a customer
    that keeps nothing still pushes it. `size`, `block_size`: of the original."""

    original: Cid | None
    k: int
    m: int
    size: int
    block_size: int


class ProveWork(msgspec.Struct, frozen=True, tag="prove"):
    """A proof to be made. `public`: its public inputs, words of 32 bytes big-endian, joined (as in
    dataset/storage_proof.py); `key_hash` names the key of the circuit. The witness is not part of
    it: it is not kept."""

    key_hash: bytes
    public: bytes


class SubmitWork(msgspec.Struct, frozen=True, tag="submit"):
    """A proof to be brought into the chain within `period`. `amount`: promised from the bond."""

    slot_id: bytes
    period: int
    challenge: bytes
    proof: bytes
    amount: int = 0


Work: TypeAlias = EncodeWork | ProveWork | SubmitWork


def service_of(work: Work) -> Service:
    match work:
        case EncodeWork():
            return Service.ENCODE
        case ProveWork():
            return Service.PROVE
        case SubmitWork():
            return Service.SUBMIT
