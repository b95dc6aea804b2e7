"""The port `Hub` on a world in memory, for one account. Several hubs are several nodes.

It shares the world with the `MemoryMarket` of the same account: tokens, gas, blocks and time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from quire.chain.hub import Claim, HubChannel, HubDomain, too_little
from quire.chain.memory.hub_rules import HubRules
from quire.chain.memory.ledger import Ledger
from quire.chain.memory.port import MemoryPort
from quire.chain.port import Receipt
from quire.chain.values import Address

# About what the contract takes; of several in one transaction, each.
GAS = {
    "deposit": 80_000,
    "withdraw": 60_000,
    "allocate": 50_000,
    "claim": 55_000,
    "request_close": 46_000,
    "release": 35_000,
    "set_delegate": 50_000,
}


class MemoryHub(MemoryPort):
    """Implements `Hub`; see MemoryPort."""

    @property
    def domain(self) -> HubDomain:
        return self.world.hub

    # ---- what is ----

    async def tokens(self) -> int:
        return self._on.ask("tokens").state.tokens.get(self.account, 0)

    async def balance(self, account: Address | None = None) -> int:
        return self._ask("balance").balance(account or self.account)

    async def channels(self, pairs: Sequence[tuple[Address, Address]]) -> list[HubChannel]:
        rules = self._ask("channels")
        return [rules.channel(payer, payee) for payer, payee in pairs]

    async def delegates(self, payers: Sequence[Address]) -> list[Address | None]:
        rules = self._ask("delegates")
        return [rules.delegation(payer).signer for payer in payers]

    async def is_signed_by_contract(self, payer: Address, digest: bytes, signature: bytes) -> bool:
        """There are no other contracts in this world."""
        self._on.ask("is_signed_by_contract")
        return False

    # ---- what is done ----

    async def deposit(self, amount: int) -> Receipt:
        return await self._send("deposit", lambda rules: rules.deposit(amount))

    async def withdraw(self, amount: int) -> Receipt:
        self._check_balance("withdraw", amount)
        return await self._send("withdraw", lambda rules: rules.withdraw(amount))

    async def allocate(self, sums: Sequence[tuple[Address, int]]) -> Receipt:
        self._check_balance("allocate", sum(amount for _, amount in sums))
        return await self._send("allocate", lambda rules: rules.allocate(sums), len(sums))

    async def claim(self, claims: Sequence[Claim]) -> Receipt:
        return await self._send("claim", lambda rules: rules.claim(claims), len(claims))

    async def request_close(self, payee: Address) -> Receipt:
        return await self._send("request_close", lambda rules: rules.request_close(payee))

    async def release(self, payee: Address) -> Receipt:
        return await self._send("release", lambda rules: rules.release(payee))

    async def set_delegate(self, signer: Address | None) -> Receipt:
        return await self._send("set_delegate", lambda rules: rules.set_delegate(signer))

    # ---- inside ----

    def _ask(self, method: str) -> HubRules:
        return HubRules(self._on.ask(method), self.domain)

    def _check_balance(self, method: str, amount: int) -> None:
        has = HubRules(self.world.moment(self.account), self.domain).balance(self.account)
        if has < amount:
            raise too_little(method, has, amount)

    async def _send(self, method: str, call: Callable[[HubRules], None], times: int = 1) -> Receipt:
        def run(ledger: Ledger) -> None:
            call(HubRules(ledger, self.domain))

        return await self._on.send(method, run, GAS[method] * times)
