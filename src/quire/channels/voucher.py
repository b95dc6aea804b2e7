"""A voucher: a payer's signed promise to a payee of so many tokens since ever (EIP-712).

A later voucher contains all earlier ones, so losing one loses nothing, and taking one twice pays
once. Source   point.md 4.2, variant B
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.chain.hub import HubDomain
from quire.chain.values import ADDRESS_BYTES, Address
from quire.kernels.keccak import keccak256
from quire.kernels.signing import recover_address, sign_recoverable

MAX_CUMULATIVE = (1 << 128) - 1
SIGNATURE_BYTES = 65
NAME, VERSION = b"StorageChannels", b"1"
DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
VOUCHER_TYPE = b"Voucher(address payer,address payee,uint128 cumulative)"


@dataclass(frozen=True, slots=True)
class Voucher:
    """`signature`: r, s (low), v (27 or 28); 65 bytes."""

    payer: Address
    payee: Address
    cumulative: int
    signature: bytes


def domain_separator(domain: HubDomain, name: bytes = NAME) -> bytes:
    """32 bytes; all that signatures of one contract have in common."""
    return keccak256(
        keccak256(DOMAIN_TYPE)
        + keccak256(name)
        + keccak256(VERSION)
        + domain.chain_id.to_bytes(32, "big")
        + _word(domain.contract)
    )


def voucher_digest(separator: bytes, payer: Address, payee: Address, cumulative: int) -> bytes:
    """What is signed, 32 bytes."""
    content = keccak256(
        keccak256(VOUCHER_TYPE) + _word(payer) + _word(payee) + cumulative.to_bytes(32, "big")
    )
    return keccak256(b"\x19\x01" + separator + content)


def sign_voucher(
    key: bytes, separator: bytes, payer: Address, payee: Address, cumulative: int
) -> Voucher:
    """Raises BadEncoding for a bad key."""
    digest = voucher_digest(separator, payer, payee, cumulative)
    return Voucher(payer, payee, cumulative, sign_recoverable(key, digest))


def signer_of(separator: bytes, voucher: Voucher) -> Address | None:
    """Who signed it; None when the signature is none (high s, bad v, not 65 bytes)."""
    if not 0 <= voucher.cumulative <= MAX_CUMULATIVE:
        return None
    digest = voucher_digest(separator, voucher.payer, voucher.payee, voucher.cumulative)
    return recover_address(voucher.signature, digest)


def _word(address: Address) -> bytes:
    assert len(address) == ADDRESS_BYTES
    return address.rjust(32, b"\0")
