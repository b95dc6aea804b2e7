"""Whether a receipt is about this order, and its manifest that of what was ordered.

Source   market.md 6.5, 1.
"""

from __future__ import annotations

from quire.aggregation.order import Order, Wrong
from quire.aggregation.receipt import decode_receipt, receipt_signer
from quire.aggregation.values import EncodedReceipt, EncodeWork
from quire.base.errors import BadEncoding, BadManifest, Bug, InputError
from quire.chain.hub import HubDomain
from quire.dataset.protected import protected_manifest, verifiable_manifest
from quire.formats.aggregator_codes import Reason
from quire.formats.cid import Cid
from quire.formats.manifest import Manifest, decode_manifest, encode_manifest


def open_receipt(order: Order, original: Cid, domain: HubDomain) -> EncodedReceipt | Wrong:
    """The receipt that an order brought, if its payee signed it for this very order."""
    try:
        receipt = decode_receipt(order.result)
    except BadEncoding as error:
        return _foreign(f"what came is no receipt: {error.message}")
    if receipt_signer(order.result, order.signature, domain) != order.offer.offer.payee:
        return _foreign("the receipt is not signed by the account that made the offer")
    if receipt.job_id != order.job_id:
        return _foreign(f"the receipt is that of the order {receipt.job_id.hex()}, not of this one")
    if receipt.customer != order.account:
        return _foreign(f"the receipt is for the account 0x{receipt.customer.hex()}")
    if receipt.offer_hash != order.offer.digest:
        return _foreign("the receipt is about another offer than was accepted")
    if receipt.original != original:
        return Wrong(Reason.PARAMETERS, f"{receipt.original} was coded, {original} was ordered")
    return receipt


def check_parameters(
    receipt: EncodedReceipt, original: Manifest, work: EncodeWork
) -> Manifest | Wrong:
    """The manifest of the coded dataset, if it is the one that coding it here would give, with the
    roots that the receipt claims. Roots are looked at with the lists (encoded_check.py)."""
    try:
        encoded = decode_manifest(receipt.manifest)
    except BadManifest as error:
        return Wrong(Reason.PARAMETERS, f"the manifest in the receipt is none: {error.message}")
    protection = encoded.protection
    if protection is None or protection.verification is None:
        return Wrong(Reason.PARAMETERS, "the manifest in the receipt has no slots")
    if (protection.k, protection.m) != (work.k, work.m):
        return Wrong(
            Reason.PARAMETERS,
            f"it was coded with {protection.k} + {protection.m} rows, ordered were "
            f"{work.k} + {work.m}",
        )
    verification = protection.verification
    try:
        expected = verifiable_manifest(
            protected_manifest(original, work.k, work.m, encoded.tree_cid.digest),
            [root.digest for root in verification.slot_roots],
            verification.verify_root.digest,
        )
    except InputError as error:
        raise Bug(f"an order for what cannot be coded: {error.message}") from None
    if encode_manifest(expected) != receipt.manifest:
        return Wrong(Reason.PARAMETERS, _difference(encoded, expected))
    return encoded


def _difference(found: Manifest, expected: Manifest) -> str:
    """In words, with both values."""
    for name in ("block_size", "dataset_size", "filename", "mimetype", "original_size"):
        values = getattr(found, name), getattr(expected, name)
        if values[0] != values[1]:
            return f"the manifest says {name} = {values[0]}, ordered was {values[1]}"
    if found.original_tree_cid != expected.original_tree_cid:
        return f"the manifest is of the tree {found.original_tree_cid}, not of the one ordered"
    return "the manifest is not the one that coding the dataset here would give"


def _foreign(why: str) -> Wrong:
    return Wrong(Reason.SIGNATURE, why)
