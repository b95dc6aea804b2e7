"""An account: its key, its address, and what it signs. The key shows in no repr and no message."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from quire.base.errors import BadConfig
from quire.chain.fees import Fees, LegacyFees
from quire.chain.same_recursion import same_recursion_limit
from quire.chain.values import Address
from quire.kernels.signing import sign_recoverable

KEY_BYTES = 32
GROUP_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A transaction but for its signature. `gas`: the most that it may use."""

    chain_id: int
    nonce: int
    to: Address
    data: bytes
    value: int
    gas: int
    fees: Fees


@dataclass(frozen=True, slots=True)
class Signed:
    hash: bytes
    raw: bytes


class Wallet:
    """One account. Raises BadConfig when the key (32 bytes) is none."""

    def __init__(self, private_key: bytes) -> None:
        check_key(private_key)
        with same_recursion_limit():
            from eth_account import Account

        self._account: Any = Account.from_key(private_key)
        self.address: Address = bytes.fromhex(self._account.address[2:])

    @property
    def address_text(self) -> str:
        """With the checksum of EIP-55."""
        return str(self._account.address)

    def __repr__(self) -> str:
        return f"Wallet({self.address_text})"

    def sign(self, unsigned: Unsigned) -> Signed:
        """The bytes for eth_sendRawTransaction, and the hash they will have. Deterministic."""
        fields: dict[str, Any] = {
            "chainId": unsigned.chain_id,
            "nonce": unsigned.nonce,
            "to": unsigned.to,
            "data": unsigned.data,
            "value": unsigned.value,
            "gas": unsigned.gas,
        }
        fees = unsigned.fees
        if isinstance(fees, LegacyFees):
            fields["gasPrice"] = fees.gas_price
        else:
            fields |= {
                "type": 2,
                "maxFeePerGas": fees.max_fee,
                "maxPriorityFeePerGas": fees.max_priority_fee,
            }
        signed = self._account.sign_transaction(fields)
        return Signed(bytes(signed.hash), bytes(signed.raw_transaction))

    def sign_digest(self, digest: bytes) -> bytes:
        """r, s (low), v (27 or 28) of 32 bytes that are a hash already. Deterministic."""
        return sign_recoverable(bytes(self._account.key), digest)


def check_key(private_key: bytes) -> None:
    """Raises BadConfig when the bytes are no key of the curve."""
    number = int.from_bytes(private_key, "big")
    if len(private_key) != KEY_BYTES or not 0 < number < GROUP_ORDER:
        raise BadConfig("an account key is a number of 32 bytes, not zero and below the order")


def make_key() -> bytes:
    """A new random key, kept nowhere."""
    while True:
        key = secrets.token_bytes(KEY_BYTES)
        if 0 < int.from_bytes(key, "big") < GROUP_ORDER:
            return key
