"""A receipt has to be about this very order, and its manifest that of what was ordered."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import msgspec
import pytest

from quire.aggregation.offer import sign_offer
from quire.aggregation.order import At, Order, Wrong
from quire.aggregation.receipt import sign_receipt
from quire.aggregation.receipt_check import check_parameters, open_receipt
from quire.aggregation.values import EncodedReceipt, EncodeWork, Offer, Service
from quire.chain.hub import HubDomain
from quire.formats.aggregator_codes import Reason
from quire.formats.cid import Cid, manifest_cid
from quire.formats.manifest import Manifest, encode_manifest
from quire.kernels.signing import address_of, sign, sign_recoverable
from support.aggregator_messages import PEER
from support.coded import Coded, coded

DOMAIN = HubDomain(31337, b"\x77" * 20)
KEY, OTHER_KEY = b"\x05" * 32, b"\x06" * 32
MADE = coded(12, 4, 2)
ORIGINAL = manifest_cid(encode_manifest(MADE.original))
WORK = EncodeWork(ORIGINAL, 4, 2, MADE.original.dataset_size, MADE.original.block_size)
OFFER = Offer(
    PEER, address_of(KEY), 31337, DOMAIN.contract, Service.ENCODE, bytes(32), 100, 50,
    1 << 30, bytes(32), 0, 60, 2_000_000_000,
)  # fmt: skip


def order(**changes: object) -> Order:
    offer = sign_offer(OFFER, partial(sign_recoverable, KEY), partial(sign, OTHER_KEY))
    fresh = Order(
        b"j" * 16, At.CHECKING, "a peer", (), b"c" * 20, str(ORIGINAL), offer, WORK,
        1_900_000_000, 3600,
    )  # fmt: skip
    return replace(fresh, **changes)


def receipt(made: Coded | Manifest = MADE, **changes: object) -> EncodedReceipt:
    manifest = encode_manifest(made.manifest if isinstance(made, Coded) else made)
    honest = EncodedReceipt(
        b"j" * 16, order().offer.digest, b"c" * 20, ORIGINAL, manifest_cid(manifest), manifest,
        manifest_cid(b"leaves"), manifest_cid(b"digests"),
    )  # fmt: skip
    return replace(honest, **changes)


def brought(given: EncodedReceipt, key: bytes = KEY, domain: HubDomain = DOMAIN) -> Order:
    signed = sign_receipt(partial(sign_recoverable, key), domain, given)
    return order(result=signed.data, signature=signed.signature)


def opened(given: Order) -> EncodedReceipt | Wrong:
    return open_receipt(given, ORIGINAL, DOMAIN)


def test_the_receipt_of_this_order_is_opened() -> None:
    assert opened(brought(receipt())) == receipt()
    assert check_parameters(receipt(), MADE.original, WORK) == MADE.manifest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"job_id": b"k" * 16}, "that of the order 6b6b"),
        ({"customer": b"d" * 20}, "for the account 0x6464"),
        ({"offer_hash": bytes(32)}, "another offer"),
    ],
)
def test_the_receipt_of_another_order_customer_or_offer_is_none(
    changes: dict[str, object], words: str
) -> None:
    wrong = opened(brought(receipt(**changes)))
    assert isinstance(wrong, Wrong)
    assert wrong.reason is Reason.SIGNATURE
    assert words in wrong.why


def test_a_receipt_for_another_dataset_is_none() -> None:
    wrong = opened(brought(receipt(original=manifest_cid(b"another"))))
    assert isinstance(wrong, Wrong)
    assert wrong.reason is Reason.PARAMETERS


@pytest.mark.parametrize(
    "given",
    [
        brought(receipt(), key=OTHER_KEY),
        brought(receipt(), domain=HubDomain(1, DOMAIN.contract)),
        brought(receipt(), domain=HubDomain(31337, b"\x78" * 20)),
        order(result=brought(receipt()).result, signature=bytes(65)),
        order(result=brought(receipt()).result, signature=b""),
        order(result=b"", signature=brought(receipt()).signature),
        order(result=b"\xff\x00", signature=bytes(65)),
        order(result=brought(receipt()).result + b"\x00", signature=bytes(65)),
    ],
)
def test_a_receipt_that_the_payee_has_not_signed_for_this_hub_is_none(given: Order) -> None:
    wrong = opened(given)
    assert isinstance(wrong, Wrong)
    assert wrong.reason is Reason.SIGNATURE


def test_a_stale_receipt_of_an_earlier_order_of_the_same_dataset_is_none() -> None:
    earlier = brought(receipt(job_id=b"i" * 16, offer_hash=b"o" * 32))
    assert isinstance(opened(earlier), Wrong)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (coded(12, 6, 2).manifest, "6 + 2 rows, ordered were 4 + 2"),
        (coded(12, 4, 3).manifest, "4 + 3 rows, ordered were 4 + 2"),
        (coded(12, 4, 2, short=6).manifest, "original_size"),
        (coded(12, 4, 2, seed=2).manifest, "the tree"),
        (coded(13, 4, 2).manifest, "dataset_size"),
        (replace(MADE.manifest, filename="another"), "filename"),
        (replace(MADE.manifest, mimetype=None), "mimetype"),
        (MADE.original, "has no slots"),
        (
            replace(MADE.manifest, protection=replace(MADE.manifest.protection, strategy=0)),
            "coding the dataset here",
        ),
    ],
)
def test_a_manifest_of_anything_else_than_was_ordered_is_refused(
    made: Manifest, words: str
) -> None:
    wrong = check_parameters(receipt(made), MADE.original, WORK)
    assert isinstance(wrong, Wrong)
    assert wrong.reason is Reason.PARAMETERS
    assert words in wrong.why


def test_a_manifest_with_other_cells_is_refused() -> None:
    protection = MADE.manifest.protection
    verification = replace(protection.verification, cell_size=1024)
    made = replace(MADE.manifest, protection=replace(protection, verification=verification))
    assert isinstance(check_parameters(receipt(made), MADE.original, WORK), Wrong)


def test_a_root_that_is_no_field_element_is_refused() -> None:
    protection = MADE.manifest.protection
    root = protection.verification.verify_root
    broken = Cid(root.version, root.codec, root.hash_code, b"\xff" * 32)
    verification = replace(protection.verification, verify_root=broken)
    made = replace(MADE.manifest, protection=replace(protection, verification=verification))
    wrong = check_parameters(receipt(made), MADE.original, WORK)
    assert isinstance(wrong, Wrong)
    assert wrong.reason is Reason.PARAMETERS
    assert "field element" in wrong.why


def test_bytes_that_are_no_manifest_are_refused() -> None:
    wrong = check_parameters(receipt(manifest=b"\x00"), MADE.original, WORK)
    assert isinstance(wrong, Wrong)
    assert wrong.reason is Reason.PARAMETERS


def test_an_order_that_was_pushed_is_about_what_was_pushed() -> None:
    pushed = replace(brought(receipt()), work=msgspec.structs.replace(WORK, original=None))
    assert isinstance(opened(pushed), EncodedReceipt)
