"""The port `Hub` on a real chain: one account at one hub of payment channels.

It shares connection, sender and funds with the market of the same account: one row of nonces, and
no token counted on twice. Read next: `hub_opening`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from quire.base.errors import Reverted
from quire.chain.abi import told_address
from quire.chain.clock import RpcChainClock
from quire.chain.eip712 import permit_digest
from quire.chain.evm import hub_methods as methods
from quire.chain.evm.funds import Funds
from quire.chain.evm.methods import Method
from quire.chain.evm.reader import Reader
from quire.chain.evm.sending import send_call
from quire.chain.evm.terms import answers
from quire.chain.hub import Claim, HubChannel, HubDomain, too_little
from quire.chain.outgoing import Transaction
from quire.chain.port import Receipt
from quire.chain.sender import Sender
from quire.chain.values import NO_ADDRESS, Address

GAS_PERCENT = 110  # of the estimate
PERMIT_SECONDS = 3600  # a permission is good for; a block has to take it until then
AT_ONCE = 500  # channels or payers asked for in one call of the contract

_Each = TypeVar("_Each")


class EvmHub:
    """Made by `opening.open_market`. `token_separator`: of the token's permissions; None where it
    knows none."""

    def __init__(
        self,
        reader: Reader,
        sender: Sender,
        clock: RpcChainClock,
        funds: Funds,
        domain: HubDomain,
        token_separator: bytes | None,
    ) -> None:
        self._reader = reader
        self._sender = sender
        self._clock = clock
        self._funds = funds
        self._domain = domain
        self._token_separator = token_separator
        self._permitting = asyncio.Lock()  # one permission at a time: each uses up a number

    @property
    def account(self) -> Address:
        return self._reader.account

    @property
    def domain(self) -> HubDomain:
        return self._domain

    @property
    def clock(self) -> RpcChainClock:
        return self._clock

    # ---- what is ----

    async def tokens(self) -> int:
        return await self._funds.balance()

    async def balance(self, account: Address | None = None) -> int:
        return int(await self._reader.ask(methods.BALANCE_OF, account or self.account))

    async def channels(self, pairs: Sequence[tuple[Address, Address]]) -> list[HubChannel]:
        asked = [
            (methods.CHANNELS, [[payer for payer, _ in part], [payee for _, payee in part]])
            for part in _parts(pairs)
        ]
        if len(asked) > 1:
            _, found = await self._reader.ask_as_of_one_block(asked)
        else:
            found = await self._reader.ask_all(asked)
        return [HubChannel(*values) for answer in _all_good(found) for values in answer]

    async def delegates(self, payers: Sequence[Address]) -> list[Address | None]:
        found = await self._reader.ask_all(
            [(methods.DELEGATES, [list(part)]) for part in _parts(payers)]
        )
        texts = [text for answer in _all_good(found) for text in answer]
        signers = list(map(told_address, texts))
        return [None if signer == NO_ADDRESS else signer for signer in signers]

    async def is_signed_by_contract(self, payer: Address, digest: bytes, signature: bytes) -> bool:
        asked = Reader(self._reader.rpc, payer, self.account)
        (answer,) = await answers(asked, [(methods.IS_VALID_SIGNATURE, [digest, signature])])
        return bool(answer == methods.IS_VALID_SIGNATURE.selector)

    # ---- what is done ----

    async def deposit(self, amount: int) -> Receipt:
        if self._token_separator is None:
            async with self._funds.set_aside(amount, "the deposit", self._domain.contract):
                return await self._send(methods.DEPOSIT, amount)
        async with self._permitting, self._funds.count_on(amount, "the deposit"):
            return await self._deposit_with_permit(self._token_separator, amount)

    async def withdraw(self, amount: int) -> Receipt:
        await self._check_balance("withdrawing", amount)
        return await self._send(methods.WITHDRAW, amount)

    async def allocate(self, sums: Sequence[tuple[Address, int]]) -> Receipt:
        await self._check_balance("the allocation", sum(amount for _, amount in sums))
        payees, amounts = [payee for payee, _ in sums], [amount for _, amount in sums]
        return await self._send(methods.ALLOCATE, payees, amounts)

    async def claim(self, claims: Sequence[Claim]) -> Receipt:
        return await self._send(
            methods.CLAIM,
            [each.payer for each in claims],
            [each.cumulative for each in claims],
            [each.signature for each in claims],
        )

    async def request_close(self, payee: Address) -> Receipt:
        return await self._send(methods.REQUEST_CLOSE, payee)

    async def release(self, payee: Address) -> Receipt:
        return await self._send(methods.RELEASE, payee)

    async def set_delegate(self, signer: Address | None) -> Receipt:
        return await self._send(methods.SET_DELEGATE, signer or NO_ADDRESS)

    # ---- inside ----

    async def _deposit_with_permit(self, separator: bytes, amount: int) -> Receipt:
        token, hub = self._funds.token, self._domain.contract
        nonce = int(await self._reader.ask(methods.NONCES, self.account, to=token))
        deadline = int(self._clock.now()) + PERMIT_SECONDS
        digest = permit_digest(separator, self.account, hub, amount, nonce, deadline)
        signature = self._sender.wallet.sign_digest(digest)
        r, s, v = signature[:32], signature[32:64], signature[64]
        return await self._send(methods.DEPOSIT_WITH_PERMIT, amount, deadline, v, r, s)

    async def _check_balance(self, doing: str, amount: int) -> None:
        has = await self.balance()
        if has < amount:
            raise too_little(doing, has, amount)

    async def _send(self, method: Method, *values: object) -> Receipt:
        data = method.data(*values)
        transaction = Transaction(self._domain.contract, data, gas_percent=GAS_PERCENT)
        return await send_call(self._sender, transaction, method.name)


def _parts(every: Sequence[_Each]) -> list[Sequence[_Each]]:
    return [every[i : i + AT_ONCE] for i in range(0, len(every), AT_ONCE)]


def _all_good(answers: Sequence[Any]) -> Sequence[Any]:
    """Raises what is in place of an answer."""
    for answer in answers:
        if isinstance(answer, Reverted):
            raise answer
    return answers
