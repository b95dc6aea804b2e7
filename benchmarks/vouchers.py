"""Vouchers and receipts, signed and verified, beside libsecp256k1 over a digest in the same run.

One thread. Signing and verifying include the EIP-712 hashing; the limit is the signature alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from coincurve import PrivateKey, PublicKey

from benchmarks.processes import REPEATS, middle
from benchmarks.report import Row
from quire.chain.hub import HubDomain
from quire.channels.voucher import domain_separator, sign_voucher, signer_of
from quire.kernels.signing import address_of, recover_address, sign_recoverable
from quire.point.receipt import receipt_digest, sign_receipt
from quire.point.values import ReceiptTerms

ROUNDS = 4_000
KEY = bytes([7]) * 32
PAYER, PAYEE = address_of(KEY), bytes(range(20))
DOMAIN = HubDomain(31337, bytes([0x11]) * 20)
TERMS = ReceiptTerms(
    link_id=bytes(range(16)),
    client=PAYEE,
    provider=PAYER,
    peer=bytes(32),
    sealed_root=bytes(range(32)),
    sealed_bytes=16 << 20,
    block_size=65536,
    starts_at=1_800_000_000,
    expires_at=1_802_592_000,
    price_byte_second=3,
    offer_hash=bytes(32),
)


def vouchers() -> list[Row]:
    separator, digest = domain_separator(DOMAIN), bytes(range(32))
    key = PrivateKey(KEY)
    raw = key.sign_recoverable(digest, hasher=None)
    voucher = sign_voucher(KEY, separator, PAYER, PAYEE, 1 << 70)
    receipt = sign_receipt(lambda data: sign_recoverable(KEY, data), DOMAIN, TERMS)

    def sign_raw() -> None:
        key.sign_recoverable(digest, hasher=None)

    def recover_raw() -> None:
        PublicKey.from_signature_and_message(raw, digest, hasher=None)

    def check_voucher() -> None:
        assert signer_of(separator, voucher) == PAYER

    def check_receipt() -> None:
        assert recover_address(receipt.signature, receipt_digest(DOMAIN, TERMS)) == PAYER

    works: dict[str, Callable[[], object]] = {
        "sign": sign_raw,
        "recover": recover_raw,
        "vouchers signed": lambda: sign_voucher(KEY, separator, PAYER, PAYEE, 1 << 70),
        "vouchers verified": check_voucher,
        "receipts signed": lambda: sign_receipt(
            lambda data: sign_recoverable(KEY, data), DOMAIN, TERMS
        ),
        "receipts verified": check_receipt,
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(REPEATS):
        for name, work in works.items():
            rates[name].append(_rate(work))
    speed = {name: middle(found) for name, found in rates.items()}
    rows = []
    for name in list(works)[2:]:
        limit = "sign" if name.endswith("signed") else "recover"
        told = f"libsecp256k1 {limit}, one core"
        micros = f"{1e6 / speed[name]:.0f} µs each"
        rows.append(Row(name, speed[name], "/s", speed[limit], told, "> 0.5", micros))
    return rows


def _rate(work: Callable[[], object]) -> float:
    """Calls in a second."""
    started = time.perf_counter()
    for _ in range(ROUNDS):
        work()
    return ROUNDS / (time.perf_counter() - started)
