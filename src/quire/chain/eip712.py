"""What accounts sign off the chain for contracts to read: EIP-712, hashed by hand.

Twelve times quicker than building the typed data first. Source   EIP-712, EIP-2612; point.md 4.2
"""

from __future__ import annotations

from functools import cache
from typing import Protocol

from quire.chain.values import ADDRESS_BYTES, Address
from quire.kernels.keccak import keccak256

NAME, VERSION = b"StorageChannels", b"1"
DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
VOUCHER_TYPE = b"Voucher(address payer,address payee,uint128 cumulative)"
INTRODUCTION_TYPE = b"Introduction(address payer,address payee,string peer)"
PERMIT_TYPE = b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"


class SigningDomain(Protocol):
    """Where a signature counts: one contract on one chain."""

    @property
    def chain_id(self) -> int: ...

    @property
    def contract(self) -> Address: ...


@cache
def domain_separator(domain: SigningDomain, name: bytes = NAME) -> bytes:
    """32 bytes; all that signatures of one contract have in common."""
    return keccak256(
        keccak256(DOMAIN_TYPE)
        + keccak256(name)
        + keccak256(VERSION)
        + number_word(domain.chain_id)
        + address_word(domain.contract)
    )


def typed_digest(separator: bytes, content: bytes) -> bytes:
    """What is signed, 32 bytes. `content`: hash of the struct."""
    return keccak256(b"\x19\x01" + separator + content)


def hash_digest(separator: bytes, kind: bytes, digest: bytes) -> bytes:
    """What is signed, 32 bytes, of a struct that holds one hash: a `kind` (bytes32 digest)."""
    return typed_digest(separator, keccak256(type_hash(kind) + digest))


def voucher_digest(separator: bytes, payer: Address, payee: Address, cumulative: int) -> bytes:
    """What the payer signs, 32 bytes."""
    content = (
        type_hash(VOUCHER_TYPE)
        + address_word(payer)
        + address_word(payee)
        + number_word(cumulative)
    )
    return typed_digest(separator, keccak256(content))


def introduction_digest(separator: bytes, payer: Address, payee: Address, peer: str) -> bytes:
    """What the payer signs to let a peer run up bills at a payee, 32 bytes; for no contract."""
    content = (
        type_hash(INTRODUCTION_TYPE)
        + address_word(payer)
        + address_word(payee)
        + keccak256(peer.encode())
    )
    return typed_digest(separator, keccak256(content))


@cache
def type_hash(name: bytes) -> bytes:
    """Of a struct's type; the first word of what is hashed of it."""
    return keccak256(name)


def permit_digest(
    separator: bytes, owner: Address, spender: Address, value: int, nonce: int, deadline: int
) -> bytes:
    """What lets `spender` take tokens (EIP-2612), 32 bytes. `separator`: of the token."""
    numbers = b"".join(map(number_word, (value, nonce, deadline)))
    content = type_hash(PERMIT_TYPE) + address_word(owner) + address_word(spender) + numbers
    return typed_digest(separator, keccak256(content))


def address_word(address: Address) -> bytes:
    assert len(address) == ADDRESS_BYTES
    return address.rjust(32, b"\0")


def number_word(value: int) -> bytes:
    return value.to_bytes(32, "big")
