"""Vouchers are signed as EIP-712 says, and only the signer's account comes back."""

from __future__ import annotations

import pytest

from quire.chain.hub import HubDomain
from quire.channels.voucher import (
    Voucher,
    domain_separator,
    sign_voucher,
    signer_of,
    voucher_digest,
)
from quire.kernels.signing import HALF_ORDER, address_of

KEY = bytes([1]) * 32
DOMAIN = HubDomain(31337, bytes([0x11]) * 20)
PAYER, PAYEE = address_of(KEY), bytes([0x22]) * 20
SEPARATOR = domain_separator(DOMAIN)
GOOD = sign_voucher(KEY, SEPARATOR, PAYER, PAYEE, 12345)


def test_the_digest_is_that_of_another_implementation() -> None:
    from eth_account import Account
    from eth_account.messages import encode_typed_data

    fields = [("payer", "address"), ("payee", "address"), ("cumulative", "uint128")]
    message = encode_typed_data(
        {
            "name": "StorageChannels",
            "version": "1",
            "chainId": DOMAIN.chain_id,
            "verifyingContract": f"0x{DOMAIN.contract.hex()}",
        },
        {"Voucher": [{"name": name, "type": kind} for name, kind in fields]},
        {"payer": PAYER, "payee": PAYEE, "cumulative": 12345},
    )
    assert bytes(Account.sign_message(message, KEY).signature) == GOOD.signature
    assert signer_of(SEPARATOR, GOOD) == PAYER


@pytest.mark.parametrize(
    "bad",
    [
        Voucher(PAYER, PAYEE, 12346, GOOD.signature),
        Voucher(PAYEE, PAYER, 12345, GOOD.signature),
        Voucher(PAYER, PAYEE, -1, GOOD.signature),
        Voucher(PAYER, PAYEE, 1 << 128, GOOD.signature),
        Voucher(PAYER, PAYEE, 12345, GOOD.signature[:-1]),
        Voucher(PAYER, PAYEE, 12345, GOOD.signature[:-1] + b"\x1d"),
        Voucher(PAYER, PAYEE, 12345, bytes(64) + b"\x1b"),
        Voucher(
            PAYER,
            PAYEE,
            12345,
            GOOD.signature[:32] + (HALF_ORDER + 1).to_bytes(32, "big") + b"\x1b",
        ),
    ],
    ids=["sum", "swapped", "negative", "too-large", "short", "v", "zero", "high-s"],
)
def test_what_was_not_signed_like_this_has_another_signer_or_none(bad: Voucher) -> None:
    assert signer_of(SEPARATOR, bad) != PAYER


def test_another_chain_or_contract_is_another_digest() -> None:
    other = domain_separator(HubDomain(1, DOMAIN.contract))
    assert voucher_digest(other, PAYER, PAYEE, 1) != voucher_digest(SEPARATOR, PAYER, PAYEE, 1)
    assert signer_of(other, GOOD) != PAYER
