"""The tokens of an account: whether they are enough, and what contracts may take of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quire.base.errors import InsufficientFunds
from quire.chain.abi import address_text
from quire.chain.evm.methods import ALLOWANCE, APPROVE, BALANCE_OF
from quire.chain.evm.reader import Reader
from quire.chain.outgoing import Transaction
from quire.chain.sender import Sender
from quire.chain.values import Address

# Of the estimate: it costs more once a call under way has used up what was allowed.
APPROVE_PERCENT = 200


class Funds:
    """What calls under way may take is set aside, so that two of them do not count on the same
    tokens. A contract is allowed exactly what it is to take; where a call under way took its
    part just before, that much is left over, and used up by the next one."""

    def __init__(self, reader: Reader, sender: Sender, token: Address) -> None:
        self._reader = reader
        self._sender = sender
        self.token = token
        self._lock = asyncio.Lock()
        self._aside = 0
        self._allowed: Counter[Address] = Counter()  # to contracts, for calls under way

    async def balance(self, account: Address | None = None) -> int:
        holder = account or self._reader.account
        return int(await self._reader.ask(BALANCE_OF, holder, to=self.token))

    @asynccontextmanager
    async def set_aside(self, tokens: int, purpose: str, contract: Address) -> AsyncIterator[None]:
        """While it lasts the contract may take so many tokens of this account.

        Raises   InsufficientFunds, and what sending raises"""
        async with self.count_on(tokens, purpose):
            async with self._lock:
                await self._allow(contract, self._allowed[contract] + tokens)
                self._allowed[contract] += tokens
            try:
                yield
            finally:
                self._allowed[contract] -= tokens

    @asynccontextmanager
    async def count_on(self, tokens: int, purpose: str) -> AsyncIterator[None]:
        """While it lasts nobody else counts on these tokens. Raises InsufficientFunds."""
        async with self._lock:
            await self._check(tokens, purpose)
            self._aside += tokens
        try:
            yield
        finally:
            self._aside -= tokens

    async def _check(self, tokens: int, purpose: str) -> None:
        account, needed = self._reader.account, self._aside + tokens
        balance = await self.balance()
        if balance < needed:
            others = f" besides {self._aside} for what is under way" if self._aside else ""
            raise InsufficientFunds(
                f"account {address_text(account)} has {balance} tokens (smallest unit); {purpose} "
                f"takes {tokens}{others}: it lacks {needed - balance}",
                balance=balance,
                needed=needed,
            )

    async def _allow(self, contract: Address, needed: int) -> None:
        account = self._reader.account
        if await self._reader.ask(ALLOWANCE, account, contract, to=self.token) < needed:
            data = APPROVE.data(contract, needed)
            await self._sender.send(Transaction(self.token, data, gas_percent=APPROVE_PERCENT))
