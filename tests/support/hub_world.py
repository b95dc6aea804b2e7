"""A hub of payment channels with its token, in a virtual machine of this process, and accounts with
known keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_utils import to_checksum_address

from quire.chain.eip712 import domain_separator
from quire.chain.hub import CHALLENGE_SECONDS, HubDomain
from quire.channels.voucher import sign_voucher
from quire.kernels.signing import address_of
from support.contract_kit import DEPLOYER, TOKENS, Contract, Machine, Outcome, deployed

CHAIN_ID = 1  # of the machine
HUB_TYPES = ("address", "address")
KEYS = tuple(bytes([0xC0 + number]) * 32 for number in range(6))
PEOPLE = tuple(to_checksum_address(address_of(key)) for key in KEYS)
KEY_OF = dict(zip(PEOPLE, KEYS, strict=True))
PAYER, PAYEE, OTHER, THIRD, HOT, COLD = PEOPLE
CHALLENGE = CHALLENGE_SECONDS
MOST = 2**128 - 1


def bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


class HubWorld:
    """`token`: another one than the usual, which all accounts have and let the hub take."""

    def __init__(self, token: Contract | None = None, machine: Machine | None = None) -> None:
        self.machine = machine or Machine()
        self.token = token or deployed(self.machine, "TestToken")
        self.hub = deployed(self.machine, "ChannelHub", HUB_TYPES, (self.token.at, DEPLOYER))
        self.separator = domain_separator(HubDomain(CHAIN_ID, bytes_of(self.hub.at)))
        for each in PEOPLE:
            self.machine.evm.set_balance(each, 10**30)
            if token is None:
                self.token.send(each, "mint", each, TOKENS)
                self.token.send(each, "approve", self.hub.at, 2**256 - 1)

    # ---- asking ----

    def tokens(self, account: str) -> int:
        return int(self.token.call("balanceOf", account))

    def balance(self, account: str) -> int:
        return int(self.hub.call("balanceOf", account))

    def channel(self, payer: str = PAYER, payee: str = PAYEE) -> tuple[int, int, int]:
        """deposit, claimed, closeAt"""
        return tuple(self.hub.call("channels", [payer], [payee])[0])

    # ---- doing ----

    def send(self, sender: str, name: str, *values: Any) -> Outcome:
        return self.hub.send(sender, name, *values)

    def open(self, amount: int, payer: str = PAYER, payee: str = PAYEE) -> None:
        """A channel with so much."""
        self.send(payer, "deposit", amount)
        self.send(payer, "allocate", [payee], [amount])

    def sign(
        self,
        cumulative: int,
        payer: str = PAYER,
        payee: str = PAYEE,
        key: bytes | None = None,
    ) -> bytes:
        key = key or KEY_OF[payer]
        people = bytes_of(payer), bytes_of(payee)
        return sign_voucher(key, self.separator, *people, cumulative).signature

    def claim(self, cumulative: int, signature: bytes | None = None, payer: str = PAYER) -> Outcome:
        """By the payee."""
        signed = self.sign(cumulative, payer) if signature is None else signature
        return self.claim_all([payer], [cumulative], [signed])

    def claim_all(
        self, payers: Sequence[str], sums: Sequence[int], signatures: Sequence[bytes]
    ) -> Outcome:
        return self.send(PAYEE, "claim", payers, sums, signatures)

    def wait(self, seconds: int) -> None:
        self.machine.mine(1, seconds)
