"""Offers: signed by the account that is paid and by the peer, and whatever is not is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data

from quire.base.errors import BadEncoding, BadOffer, Bug
from quire.formats.peer_id import peer_id_of
from quire.formats.protobuf import bytes_field
from quire.kernels.keccak import keccak256
from quire.kernels.signing import public_key_of, recover_address
from quire.point.offer import (
    check_offer,
    decode_offer,
    encode_offer,
    open_offer,
    sign_offer,
)
from quire.point.values import SignedOffer
from support.link_kit import DOMAIN, NOW, OFFER, PEER_ID, SIGN_PAYEE, SIGN_PEER, SIGNED_OFFER


def opened(signed: SignedOffer) -> SignedOffer:
    return open_offer(signed.data, signed.sig_payee, signed.sig_peer)


def test_the_digest_is_that_of_eip_712() -> None:
    message = encode_typed_data(
        {
            "name": "QuireReplica",
            "version": "1",
            "chainId": DOMAIN.chain_id,
            "verifyingContract": "0x" + DOMAIN.contract.hex(),
        },
        {"Offer": [{"type": "bytes32", "name": "digest"}]},
        {"digest": SIGNED_OFFER.digest},
    )
    expected = keccak256(b"\x19\x01" + message.header + message.body)
    assert recover_address(SIGNED_OFFER.sig_payee, expected) == OFFER.payee


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"price_byte_second": 0, "price_get_byte": 0, "fee_put_byte": 0, "operator": b""},
        {"price_byte_second": (1 << 256) - 1, "free_bytes": (1 << 64) - 1, "operator": b"o" * 64},
    ],
)
def test_an_offer_comes_back_from_its_bytes(changes: dict[str, int]) -> None:
    offer = replace(OFFER, **changes)
    assert decode_offer(encode_offer(offer)) == offer
    assert opened(sign_offer(offer, SIGN_PAYEE, SIGN_PEER)).offer == offer


def test_fields_that_are_not_known_here_are_signed_too() -> None:
    data = encode_offer(OFFER) + bytes_field(99, b"new")
    with pytest.raises(BadOffer, match="payee"):
        open_offer(data, SIGNED_OFFER.sig_payee, SIGNED_OFFER.sig_peer)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "peer id"),
        (b"\xff", "varint"),
        (encode_offer(replace(OFFER, peer_id=PEER_ID[:-1])), "peer id"),
        (encode_offer(replace(OFFER, payee=bytes(19))), "20 bytes"),
        (encode_offer(replace(OFFER, contract=b"")), "20 bytes"),
        (encode_offer(OFFER) + bytes_field(5, bytes(33)), "price_byte_second"),
        (encode_offer(OFFER) + bytes_field(6, bytes(33)), "price_get_byte"),
        (encode_offer(OFFER) + bytes_field(7, bytes(33)), "fee_put_byte"),
        (encode_offer(OFFER) + bytes_field(12, bytes(65)), "operator"),
        (encode_offer(OFFER) + bytes_field(98, bytes(1000)), "1024"),
    ],
)
def test_bytes_that_are_no_offer_are_refused(data: bytes, what: str) -> None:
    with pytest.raises(BadEncoding, match=what):
        decode_offer(data)


def test_an_offer_signed_by_another_is_refused() -> None:
    with pytest.raises(BadOffer, match="not signed by its payee"):
        opened(replace(SIGNED_OFFER, sig_payee=SIGN_PAYEE(bytes(32))))
    with pytest.raises(BadOffer, match="not signed by its payee"):
        opened(replace(SIGNED_OFFER, sig_payee=b""))
    with pytest.raises(BadOffer, match="not signed by that peer"):
        opened(replace(SIGNED_OFFER, sig_peer=SIGN_PEER(b"quire-offer:" + bytes(32))))
    with pytest.raises(BadOffer, match="not signed by that peer"):
        opened(replace(SIGNED_OFFER, sig_peer=b""))


def test_an_offer_is_for_one_peer_one_hub_and_a_time() -> None:
    check_offer(SIGNED_OFFER, PEER_ID, DOMAIN, NOW)
    check_offer(SIGNED_OFFER, PEER_ID, DOMAIN, OFFER.valid_until)
    other = peer_id_of(public_key_of(b"\x07" * 32))
    with pytest.raises(BadOffer, match="gave an offer of"):
        check_offer(SIGNED_OFFER, other, DOMAIN, NOW)
    with pytest.raises(BadOffer, match=r"chain 31337.*chain 1$"):
        check_offer(SIGNED_OFFER, PEER_ID, replace(DOMAIN, chain_id=1), NOW)
    with pytest.raises(BadOffer, match="hub"):
        check_offer(SIGNED_OFFER, PEER_ID, replace(DOMAIN, contract=bytes(20)), NOW)
    with pytest.raises(BadOffer, match="ask again"):
        check_offer(SIGNED_OFFER, PEER_ID, DOMAIN, OFFER.valid_until + 1)


@pytest.mark.parametrize("changes", [{"operator": bytes(65)}, {"price_get_byte": -1}])
def test_an_offer_that_cannot_be_sent_is_a_mistake_of_ours(changes: dict[str, object]) -> None:
    with pytest.raises(Bug):
        encode_offer(replace(OFFER, **changes))
