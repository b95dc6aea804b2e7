"""One account of a world in memory: how it asks and sends, with the faults that a test plans."""

from __future__ import annotations

import asyncio

from quire.base.errors import InsufficientFunds, QuireError, Reverted
from quire.chain.memory.faults import MarketFaults
from quire.chain.memory.ledger import Ledger
from quire.chain.memory.world import Call, MemoryWorld, Transaction
from quire.chain.port import Receipt
from quire.chain.values import Address


class MemoryAccount:
    """What the ports on a world have in common."""

    def __init__(self, world: MemoryWorld, account: Address) -> None:
        self.world = world
        self.faults = MarketFaults()
        self.address = account

    def ask(self, method: str) -> Ledger:
        """As of the next block. Raises what is planned for the method of the port."""
        self.faults.before(method)
        return self.world.moment(self.address)

    async def send(self, method: str, call: Call, gas: int) -> Receipt:
        """Try it as of the next block, as estimating its gas does; then send it and wait."""
        self.faults.before(method)
        self._check_funds(method, call, gas)
        mined: asyncio.Future[Transaction] = asyncio.get_running_loop().create_future()

        def wake(transaction: Transaction) -> None:
            if not mined.done():
                mined.set_result(transaction)

        self.world.send(Transaction(self.address, call, gas, wake))
        done = await mined
        self.faults.after(method)
        if done.problem is not None:
            raise done.problem
        assert done.block is not None
        return Receipt(done.hash, done.block, gas, gas * self.world.gas_price)

    def _check_funds(self, method: str, call: Call, gas: int) -> None:
        moment = self.world.moment(self.address)
        fee = gas * self.world.gas_price
        if self.world.gas.get(self.address, 0) < fee:
            raise InsufficientFunds(
                f"{method} costs {fee} wei in fees and the account has"
                f" {self.world.gas.get(self.address, 0)}"
            )
        try:
            call(moment)
        except Reverted as problem:
            raise _plain(problem, method, moment) from None


def _plain(problem: Reverted, method: str, moment: Ledger) -> QuireError:
    if problem.facts["name"] != "ERC20InsufficientBalance":
        return problem
    has = moment.state.tokens.get(moment.caller, 0)
    return InsufficientFunds(f"{method} needs more tokens than the {has} that the account has")
