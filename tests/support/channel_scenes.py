"""Scenes of payment channels with exact figures, for a hub in memory and for the contract.

Source   point.md 6.7, scenarios 9 and 15
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from quire.base.errors import ChannelTooSmall, InsufficientFunds, Refused, Reverted
from quire.chain.hub import CHALLENGE_SECONDS, Claim, Hub
from quire.channels.channel import At
from quire.channels.voucher import domain_separator, sign_voucher
from support.pay_kit import Town

BILL = 100
PassTime = Callable[[int], Awaitable[None]]


class Allocations:
    """Counts those of a hub that were sent."""

    def __init__(self, hub: Hub) -> None:
        self.sums: list[int] = []
        allocate = hub.allocate

        async def counted(sums):
            receipt = await allocate(sums)
            self.sums += [amount for _, amount in sums]
            return receipt

        hub.allocate = counted  # type: ignore[method-assign]


async def pay_bills(town: Town, first: int, last: int) -> None:
    """As the machine of a link does: pay; where the channel is too small, top it up and pay."""
    payee = town.payee_hub.account
    for number in range(first, last):
        try:
            await town.pay(f"link/{number}", BILL)
        except ChannelTooSmall:
            await town.payer.fund(payee, BILL)
            await town.pay(f"link/{number}", BILL)


async def exhausted(town: Town) -> None:
    """Scenario 9: the deposit covers 2 bills of 5; the third makes one top-up; 5 bills are paid."""
    hub, payee = town.payer_hub, town.payee_hub.account
    before = await hub.tokens()
    await hub.deposit(2 * BILL)
    await hub.allocate([(payee, 2 * BILL)])
    sent = Allocations(hub)
    await pay_bills(town, 0, 5)
    assert sent.sums == [4 * BILL]  # one transaction, room for the bill and three more
    channel = town.payer.channel(payee)
    assert (channel.promised, channel.seen.deposit, channel.room) == (500, 600, 100)
    account = town.payee.account(hub.account)
    assert (account.billed, account.received, account.due) == (500, 500, 0)
    assert await town.claiming.claim_all() == 500
    assert await town.payee_hub.balance() == 500
    assert (await hub.tokens(), await hub.balance()) == (before - 600, 0)


async def without_money(town: Town, send_tokens: Callable[[int], Awaitable[None]]) -> None:
    """Scenario 9, with an empty wallet: the event FUNDS, nothing promised; a deposit helps."""
    hub, payee = town.payer_hub, town.payee_hub.account
    await hub.deposit(await hub.tokens())
    await hub.allocate([(payee, 2 * BILL)])
    await hub.withdraw(await hub.balance())
    empty = await hub.tokens()
    await send_tokens(-empty)
    assert (await hub.tokens(), await hub.balance()) == (0, 0)
    await pay_bills(town, 0, 2)
    with pytest.raises(InsufficientFunds) as caught:
        await pay_bills(town, 2, 3)
    assert caught.value.facts == {"balance": 0, "needed": BILL}
    (told,) = town.told("FUNDS")
    assert (told.subject, told.facts["needed"]) == ("0x" + payee.hex(), BILL)
    assert town.payer.channel(payee).promised == 2 * BILL
    await send_tokens(3 * BILL)
    await pay_bills(town, 2, 5)
    channel = town.payer.channel(payee)
    assert (channel.promised, channel.seen.deposit, channel.room) == (500, 500, 0)
    assert await hub.tokens() == 0
    assert town.payee.account(hub.account).received == 500


async def replay_and_close(town: Town, payer_key: bytes, pass_time: PassTime) -> None:
    """Scenario 15: an old claim reverts, the newest is paid during the challenge, the remainder is
    back with the payer after a day."""
    hub, income = town.payer_hub, town.payee_hub
    payee, separator = income.account, domain_separator(hub.domain)

    def claim_of(cumulative: int) -> list[Claim]:
        made = sign_voucher(payer_key, separator, hub.account, payee, cumulative)
        return [Claim(hub.account, cumulative, made.signature)]

    await town.payer.fund(payee, BILL)
    await town.pay("link/0", BILL)
    assert await town.claiming.claim_all() == BILL
    await town.pay("link/1", BILL // 2)
    with pytest.raises(Reverted) as caught:
        await income.claim(claim_of(BILL))
    assert caught.value.facts["name"] == "Hub_NothingToClaim"
    assert await income.balance() == BILL

    await town.payer.close(payee)
    while town.payer.channel(payee).at is not At.CHALLENGE:
        await asyncio.sleep(0.01)
    with pytest.raises(Refused, match="can be had in"):
        await town.payer.release(payee)
    assert await town.claiming.look() == BILL // 2  # the watcher sees the close
    assert await income.balance() == BILL + BILL // 2
    with pytest.raises(Reverted) as caught:
        await hub.release(payee)
    assert caught.value.facts["name"] == "Hub_TooEarly"

    await pass_time(CHALLENGE_SECONDS)
    while town.payer.channel(payee).at is not At.RELEASED:
        await asyncio.sleep(0.01)
    assert await hub.balance() == 4 * BILL - (BILL + BILL // 2)
    with pytest.raises(Reverted):
        await income.claim(claim_of(BILL + BILL // 2))
    channel = await town.channel()
    assert (channel.deposit, channel.claimed, channel.close_at) == (150, 150, 0)
