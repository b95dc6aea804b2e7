"""The accounts of a local chain: those of the mnemonic that all local chains use.

Their keys are public. Source   market.md 1.7, vectors market_chain.json
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from quire.chain.abi import address_text
from quire.chain.same_recursion import same_recursion_limit
from quire.chain.values import Address

MNEMONIC = "test test test test test test test test test test test junk"


@dataclass(frozen=True, slots=True)
class DevAccount:
    address: Address
    key: bytes  # known to everybody

    @property
    def text(self) -> str:
        return address_text(self.address)


@cache
def dev_account(index: int) -> DevAccount:
    """m/44'/60'/0'/0/index."""
    with same_recursion_limit():
        from eth_account import Account
        from eth_account.hdaccount import key_from_seed, seed_from_mnemonic

    key = key_from_seed(seed_from_mnemonic(MNEMONIC, ""), f"m/44'/60'/0'/0/{index}")
    return DevAccount(bytes.fromhex(Account.from_key(key).address[2:]), bytes(key))
