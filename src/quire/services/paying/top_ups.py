"""Top-ups at the hub: all that are asked for at a time go into one transaction.

The deposit that is to be reached is in the journal already. Here the hub is read, and what is
missing is sent, so that a repeated call, or one after a crash, sends the difference only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from quire.base.errors import InsufficientFunds, QuireError
from quire.chain.abi import address_text
from quire.chain.hub import Hub, HubChannel
from quire.chain.values import Address
from quire.channels.channel import Channel
from quire.channels.topup import Ask, plan_top_ups
from quire.services.paying.together import Together

GATHER_SECONDS = 0.05  # others that need a top-up are waited for; a block takes longer


class TopUps:
    """`wanted` tells what a channel is to reach."""

    def __init__(self, hub: Hub, wanted: Callable[[Address], Channel]) -> None:
        self._hub = hub
        self._wanted = wanted
        self._together: Together[Address, HubChannel] = Together(self._do, GATHER_SECONDS)

    async def top_up(self, payee: Address) -> HubChannel:
        """The channel afterwards.

        Raises   InsufficientFunds  hub and wallet have not enough (facts: balance, needed)
                 Reverted, NotMined, ChainUnreachable
        """
        return await self._together.do(payee)

    async def stop(self) -> None:
        await self._together.stop()

    async def _do(self, payees: Sequence[Address]) -> Sequence[HubChannel | QuireError]:
        hub = self._hub
        pairs = [(hub.account, payee) for payee in payees]
        seen, balance, tokens = await asyncio.gather(
            hub.channels(pairs), hub.balance(), hub.tokens()
        )
        asks = []
        for payee, now in zip(payees, seen, strict=True):
            wanted = self._wanted(payee)
            asks.append(Ask(payee, now, wanted.least, wanted.want))
        plan = plan_top_ups(asks, balance, tokens)
        if plan.deposit:
            await hub.deposit(plan.deposit)
        if plan.sums:
            await hub.allocate(plan.sums)
            seen = await hub.channels(pairs)
        short = dict(plan.short)
        return [
            _too_little(payee, short[payee], balance + tokens) if payee in short else now
            for payee, now in zip(payees, seen, strict=True)
        ]


def _too_little(payee: Address, needed: int, money: int) -> InsufficientFunds:
    return InsufficientFunds(
        f"the channel to {address_text(payee)} needs {needed} tokens (smallest unit) more; hub and "
        f"wallet of this account have {money}: send it {max(1, needed - money)} more",
        balance=money,
        needed=needed,
    )
