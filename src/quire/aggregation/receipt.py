"""The receipt of a coded dataset: what the aggregator stands for with its signature.

    EncodedReceipt { 1 job id, 2 offer hash, 3 customer, 4 original CID, 5 encoded CID, 6 manifest,
                     7 leaf list CID, 8 digest list CID }

Tree root, slot roots and verify root are in the manifest, whose CID it names.
Source   market.md 6.4
"""

from __future__ import annotations

from hashlib import sha256

from quire.aggregation.values import JOB_ID_BYTES, EncodedReceipt, SignedReceipt
from quire.base.errors import BadCid, BadEncoding
from quire.chain.eip712 import domain_separator, hash_digest
from quire.chain.hub import HubDomain
from quire.chain.values import Address
from quire.channels.signed_offer import Sign
from quire.formats.aggregator_answers import MAX_RECEIPT_BYTES
from quire.formats.aggregator_asking import ADDRESS_BYTES, MAX_MANIFEST_BYTES, WORD_BYTES
from quire.formats.cid import Cid, is_manifest, manifest_cid
from quire.formats.protobuf import Fields, bytes_field
from quire.kernels.signing import recover_address

DOMAIN_NAME = b"QuireAggregator"
RECEIPT_TYPE = b"EncodedReceipt(bytes32 digest)"


def encode_receipt(receipt: EncodedReceipt) -> bytes:
    """The bytes that are signed."""
    return b"".join(
        bytes_field(number, value)
        for number, value in enumerate(
            (
                receipt.job_id,
                receipt.offer_hash,
                receipt.customer,
                receipt.original.encode(),
                receipt.encoded.encode(),
                receipt.manifest,
                receipt.leaf_list.encode(),
                receipt.digest_list.encode(),
            ),
            1,
        )
    )


def decode_receipt(data: bytes) -> EncodedReceipt:
    """Raises BadEncoding, also when the manifest is not that of the CID."""
    fields = Fields(data, max_bytes=MAX_RECEIPT_BYTES)
    receipt = EncodedReceipt(
        job_id=fields.exactly(1, JOB_ID_BYTES, "a job id"),
        offer_hash=fields.exactly(2, WORD_BYTES, "the hash of an offer"),
        customer=fields.exactly(3, ADDRESS_BYTES, "an account"),
        original=_dataset(fields, 4),
        encoded=_dataset(fields, 5),
        manifest=fields.at_most(6, MAX_MANIFEST_BYTES, "a manifest"),
        leaf_list=_dataset(fields, 7),
        digest_list=_dataset(fields, 8),
    )
    if manifest_cid(receipt.manifest) != receipt.encoded:
        raise BadEncoding("the manifest in a receipt is not that of the CID which it names")
    return receipt


def receipt_in(result: bytes) -> EncodedReceipt | None:
    """What an aggregator delivered, unchecked; None where it is no receipt, or nothing yet."""
    try:
        return decode_receipt(result) if result else None
    except BadEncoding:
        return None


def sign_receipt(sign: Sign, domain: HubDomain, receipt: EncodedReceipt) -> SignedReceipt:
    """`sign` of a digest, as Ethereum does. The same receipt gives the same signature."""
    data = encode_receipt(receipt)
    return SignedReceipt(receipt, data, sign(_digest(data, domain)))


def receipt_signer(data: bytes, signature: bytes, domain: HubDomain) -> Address | None:
    """Who signed it; None when that is no signature."""
    return recover_address(signature, _digest(data, domain))


def _digest(data: bytes, domain: HubDomain) -> bytes:
    """A receipt is long, so its SHA-256 is what the struct holds."""
    separator = domain_separator(domain, DOMAIN_NAME)
    return hash_digest(separator, RECEIPT_TYPE, sha256(data).digest())


def _dataset(fields: Fields, number: int) -> Cid:
    try:
        cid = Cid.decode(bytes(fields.blob(number)))
    except BadCid as error:
        raise BadEncoding(f"a receipt names a dataset by a broken CID: {error.message}") from None
    if not is_manifest(cid):
        raise BadEncoding(f"{cid} in a receipt does not name a dataset")
    return cid
