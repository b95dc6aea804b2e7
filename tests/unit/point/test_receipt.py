"""Receipts: what is signed, and that every alteration is found and named."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial

import pytest
from eth_account.messages import encode_typed_data

from quire.base.errors import BadEncoding, Bug, PeerLied
from quire.kernels.keccak import keccak256
from quire.kernels.signing import sign_recoverable
from quire.point.receipt import (
    SKEW_SECONDS,
    TYPED_BYTES,
    Asked,
    check_receipt,
    decode_terms,
    encode_terms,
    receipt_digest,
    sign_receipt,
)
from quire.point.values import Receipt, ReceiptTerms
from support.link_kit import CLIENT, DOMAIN, NOW, ROOT, SIGNED_OFFER, link, receipt, terms

LINK = link(sealed_root=ROOT)
TERMS = terms(LINK)
ASKED = Asked(
    TERMS.link_id,
    CLIENT,
    SIGNED_OFFER,
    ROOT,
    TERMS.sealed_bytes,
    NOW - SKEW_SECONDS,
    NOW + SKEW_SECONDS,
    TERMS.expires_at,
)


def test_the_digest_is_that_of_eip_712() -> None:
    names = "bytes32 linkId,address client,address provider,bytes32 peer,bytes32 sealedRoot"
    names += ",uint64 sealedBytes,uint32 blockSize,uint64 startsAt,uint64 expiresAt"
    names += ",uint256 pricePerByteSecond,bytes32 offerHash"
    pairs = [pair.split() for pair in names.split(",")]
    values = [getattr(TERMS, field.name) for field in fields(TERMS)]
    values[0] = TERMS.link_id.ljust(32, b"\0")
    message = encode_typed_data(
        {
            "name": "QuireReplica",
            "version": "1",
            "chainId": DOMAIN.chain_id,
            "verifyingContract": "0x" + DOMAIN.contract.hex(),
        },
        {"Receipt": [{"type": kind, "name": name} for kind, name in pairs]},
        {
            name: "0x" + value.hex() if kind == "address" else value
            for (kind, name), value in zip(pairs, values, strict=True)
        },
    )
    assert receipt_digest(DOMAIN, TERMS) == keccak256(b"\x19\x01" + message.header + message.body)


def test_what_was_asked_for_is_accepted() -> None:
    for starts_at in (NOW, ASKED.starts_from, ASKED.starts_to):
        signed = receipt(LINK, starts_at=starts_at)
        check_receipt(signed, ASKED, DOMAIN)
        assert signed.terms.starts_at == starts_at


@pytest.mark.parametrize("name", [field.name for field in fields(ReceiptTerms)])
def test_every_field_is_compared_and_named(name: str) -> None:
    value = getattr(TERMS, name)
    other = bytes(len(value)) if isinstance(value, bytes) else value + SKEW_SECONDS + 1
    with pytest.raises(PeerLied, match=name):
        check_receipt(receipt(LINK, **{name: other}), ASKED, DOMAIN)


@pytest.mark.parametrize("name", [field.name for field in fields(ReceiptTerms)])
def test_a_field_altered_after_signing_is_found(name: str) -> None:
    """Also when the client asked for just that: the signature covers every field."""
    value = getattr(TERMS, name)
    other = bytes(len(value)) if isinstance(value, bytes) else value + 1
    altered = Receipt(replace(TERMS, **{name: other}), receipt(LINK).signature)
    assert receipt_digest(DOMAIN, altered.terms) != receipt_digest(DOMAIN, TERMS)
    with pytest.raises(PeerLied):
        check_receipt(altered, ASKED, DOMAIN)


@pytest.mark.parametrize("starts_at", [ASKED.starts_from - 1, ASKED.starts_to + 1])
def test_a_term_that_begins_too_early_or_too_late_is_refused(starts_at: int) -> None:
    with pytest.raises(PeerLied, match="starts_at"):
        check_receipt(receipt(LINK, starts_at=starts_at), ASKED, DOMAIN)


@pytest.mark.parametrize(
    ("signature", "by"),
    [
        (receipt(LINK, key=b"\x44" * 32).signature, "0x"),
        (receipt(LINK).signature[:-1], "nobody"),
        (receipt(LINK).signature + b"\0", "nobody"),
        (receipt(LINK).signature[:-1] + b"\x1d", "nobody"),
        (b"", "nobody"),
    ],
    ids=["another key", "cut", "longer", "bad v", "none"],
)
def test_another_signature_is_refused(signature: bytes, by: str) -> None:
    with pytest.raises(PeerLied, match=rf"signature is by {by}.*not by the payee"):
        check_receipt(Receipt(TERMS, signature), ASKED, DOMAIN)


def test_a_receipt_for_another_hub_is_refused() -> None:
    other = replace(DOMAIN, chain_id=1)
    signed = sign_receipt(partial(sign_recoverable, b"\xa1" * 32), other, TERMS)
    with pytest.raises(PeerLied, match="signature"):
        check_receipt(signed, ASKED, DOMAIN)


def test_terms_come_back_from_their_bytes() -> None:
    data = encode_terms(TERMS)
    assert len(data) == TYPED_BYTES == 352
    assert decode_terms(data) == TERMS


@pytest.mark.parametrize(
    ("at", "what"),
    [
        (31, "link id"),
        (32, "address"),
        (64 + 11, "address"),
        (160 + 23, "sealed_bytes"),
        (192 + 27, "block_size"),
        (224, "starts_at"),
        (256 + 23, "expires_at"),
    ],
)
def test_bytes_that_no_terms_have_are_refused(at: int, what: str) -> None:
    data = bytearray(encode_terms(TERMS))
    data[at] = 1
    with pytest.raises(BadEncoding, match=what):
        decode_terms(bytes(data))


@pytest.mark.parametrize("data", [b"", encode_terms(TERMS)[:-1], encode_terms(TERMS) + b"\0"])
def test_another_length_is_refused(data: bytes) -> None:
    with pytest.raises(BadEncoding, match="352 bytes"):
        decode_terms(data)


@pytest.mark.parametrize(
    "changes", [{"link_id": b""}, {"sealed_bytes": 1 << 64}, {"starts_at": -1}, {"peer": b"1"}]
)
def test_terms_that_cannot_be_signed_are_a_mistake_of_ours(changes: dict[str, object]) -> None:
    with pytest.raises(Bug):
        encode_terms(terms(LINK, **changes))
