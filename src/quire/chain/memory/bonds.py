"""The port `Bonds` on a world in memory, for one account. Several of them are several nodes.

It shares the world with the `MemoryMarket` of the same account: tokens, gas, blocks and time.
"""

from __future__ import annotations

from collections.abc import Callable

from quire.chain.bonds import Bond, BondsDomain, Promise
from quire.chain.memory.bonds_rules import BondsRules
from quire.chain.memory.ledger import Ledger
from quire.chain.memory.port import MemoryPort
from quire.chain.port import Receipt
from quire.chain.values import Address

# About what the contract takes.
GAS = {"deposit": 80_000, "announce": 70_000, "withdraw": 50_000, "claim": 100_000}


class MemoryBonds(MemoryPort):
    """Implements `Bonds`; see MemoryPort."""

    @property
    def domain(self) -> BondsDomain:
        return self.world.bonds

    # ---- what is ----

    async def bond(self, account: Address | None = None) -> Bond:
        return self._ask("bond").bond(account or self.account)

    async def is_claimed(self, promise: Promise) -> bool:
        return self._ask("is_claimed").is_claimed(promise)

    # ---- what is done ----

    async def deposit(self, amount: int) -> Receipt:
        return await self._send("deposit", lambda rules: rules.deposit(amount))

    async def announce(self, amount: int) -> Receipt:
        return await self._send("announce", lambda rules: rules.announce(amount))

    async def withdraw(self) -> Receipt:
        return await self._send("withdraw", lambda rules: rules.withdraw())

    async def claim(self, promise: Promise, signature: bytes) -> Receipt:
        return await self._send("claim", lambda rules: rules.claim(promise, signature))

    # ---- inside ----

    def _ask(self, method: str) -> BondsRules:
        return BondsRules(self._on.ask(method), self.domain)

    async def _send(self, method: str, call: Callable[[BondsRules], object]) -> Receipt:
        def run(ledger: Ledger) -> None:
            call(BondsRules(ledger, self.domain))

        return await self._on.send(method, run, GAS[method])
