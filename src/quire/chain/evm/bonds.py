"""The port `Bonds` on a real chain: one account at one contract of bonds.

It shares connection, sender and funds with the market of the same account, as the hub does. Read
next: `bonds_opening`.
"""

from __future__ import annotations

from quire.chain.bonds import Bond, BondsDomain, Promise
from quire.chain.clock import RpcChainClock
from quire.chain.evm import bonds_methods as methods
from quire.chain.evm.funds import Funds
from quire.chain.evm.methods import Method
from quire.chain.evm.reader import Reader
from quire.chain.evm.sending import send_call
from quire.chain.outgoing import Transaction
from quire.chain.port import Receipt
from quire.chain.sender import Sender
from quire.chain.values import Address

GAS_PERCENT = 110  # of the estimate


class EvmBonds:
    """Made by `opening.open_market`."""

    def __init__(
        self,
        reader: Reader,
        sender: Sender,
        clock: RpcChainClock,
        funds: Funds,
        domain: BondsDomain,
    ) -> None:
        self._reader = reader
        self._sender = sender
        self._clock = clock
        self._funds = funds
        self._domain = domain

    @property
    def account(self) -> Address:
        return self._reader.account

    @property
    def domain(self) -> BondsDomain:
        return self._domain

    @property
    def clock(self) -> RpcChainClock:
        return self._clock

    # ---- what is ----

    async def bond(self, account: Address | None = None) -> Bond:
        return Bond(*await self._reader.ask(methods.BOND_OF, account or self.account))

    async def is_claimed(self, promise: Promise) -> bool:
        return bool(
            await self._reader.ask(
                methods.IS_CLAIMED,
                promise.aggregator,
                promise.host,
                promise.slot_id,
                promise.period,
            )
        )

    # ---- what is done ----

    async def deposit(self, amount: int) -> Receipt:
        async with self._funds.set_aside(amount, "the bond", self._domain.contract):
            return await self._send(methods.DEPOSIT, amount)

    async def announce(self, amount: int) -> Receipt:
        return await self._send(methods.ANNOUNCE, amount)

    async def withdraw(self) -> Receipt:
        return await self._send(methods.WITHDRAW)

    async def claim(self, promise: Promise, signature: bytes) -> Receipt:
        return await self._send(
            methods.CLAIM,
            promise.aggregator,
            promise.slot_id,
            promise.period,
            promise.amount,
            signature,
        )

    # ---- inside ----

    async def _send(self, method: Method, *values: object) -> Receipt:
        data = method.data(*values)
        transaction = Transaction(self._domain.contract, data, gas_percent=GAS_PERCENT)
        return await send_call(self._sender, transaction, method.name)
