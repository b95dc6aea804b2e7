"""The tokens of an account: whether they are enough, and what the contract may take of them."""

from __future__ import annotations

import asyncio
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
    tokens. The contract is allowed exactly what it is to take; where a call under way took its
    part just before, that much is left over, and used up by the next one."""

    def __init__(self, reader: Reader, sender: Sender, token: Address) -> None:
        self._reader = reader
        self._sender = sender
        self._token = token
        self._lock = asyncio.Lock()
        self._aside = 0

    async def balance(self, account: Address | None = None) -> int:
        holder = account or self._reader.account
        return int(await self._reader.ask(BALANCE_OF, holder, to=self._token))

    @asynccontextmanager
    async def set_aside(self, tokens: int, purpose: str) -> AsyncIterator[None]:
        """While it lasts the contract may take so many tokens of this account.

        Raises   InsufficientFunds, and what sending raises"""
        async with self._lock:
            await self._allow(tokens, purpose)
            self._aside += tokens
        try:
            yield
        finally:
            self._aside -= tokens

    async def _allow(self, tokens: int, purpose: str) -> None:
        needed = self._aside + tokens
        account, contract = self._reader.account, self._reader.contract
        balance, allowance = await self._reader.ask_all(
            [(BALANCE_OF, [account]), (ALLOWANCE, [account, contract])], to=self._token
        )
        for answer in (balance, allowance):
            if isinstance(answer, Exception):
                raise answer
        if balance < needed:
            others = f" besides {self._aside} for what is under way" if self._aside else ""
            raise InsufficientFunds(
                f"account {address_text(account)} has {balance} tokens (smallest unit); {purpose} "
                f"takes {tokens}{others}: it lacks {needed - balance}",
                balance=balance,
                needed=needed,
            )
        if allowance < needed:
            data = APPROVE.data(contract, needed)
            await self._sender.send(Transaction(self._token, data, gas_percent=APPROVE_PERCENT))
