"""What a reader owes a provider: within a credit that grows, from a channel that is topped up
before it is empty."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from quire.base.errors import InsufficientFunds, Refused
from quire.base.units import MIB
from quire.channels.credit import GROWTH_MAX, TRUST_SHARE
from quire.services.retail.tab import FUND_BYTES, LOW_BYTES, Purse, Tab
from support.link_kit import OFFER

PRICE = OFFER.price_get_byte
CREDIT = OFFER.credit_bytes
RUN = CREDIT // 2


@dataclass
class Channel:
    """A payer's channel to one provider. `mined`: top-ups wait for it."""

    room_left: int = 0
    promised: int = 0
    wallet: int = 1 << 80
    mined: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[int, int]] = field(default_factory=list)
    payer: bytes = bytes(20)

    async def room(self, payee: bytes) -> int:
        return self.room_left

    async def fund(self, payee: bytes, at_least: int, wish: int = 0) -> None:
        self.asked.append((at_least, wish))
        await self.mined.wait()
        if self.wallet < at_least - self.room_left:
            raise InsufficientFunds("the wallet is empty")
        more = min(self.wallet, wish - self.room_left)
        self.wallet -= more
        self.room_left += more

    async def pay(self, bill: str, peer: str, payee: bytes, amount: int) -> int:
        await asyncio.sleep(0)
        assert self.room_left >= amount
        self.room_left -= amount
        self.promised += amount
        return self.promised

    async def introduction(self, payee: bytes) -> bytes:
        return b"i" * 65

    async def forget(self, bill_prefix: str) -> None:
        pass


def a_tab(channel: Channel, size: int, budget: int | None = None) -> Tab:
    return Tab(channel, "peer", OFFER, Purse("session", size, budget))


async def has_come(tab: Tab, size: int) -> None:
    await tab.admit(size)
    await tab.verified(size)


async def admitted_at_once(tab: Tab) -> int:
    """Runs that may be asked before one of them is here."""
    count = 0
    while True:
        try:
            async with asyncio.timeout(0.02):
                await tab.admit(RUN)
        except TimeoutError:
            return count
        count += 1


async def test_the_credit_is_that_of_the_offer_and_grows_with_what_was_paid() -> None:
    tab = a_tab(Channel(1 << 60), 1 << 40)
    assert await admitted_at_once(tab) == CREDIT // RUN
    for _ in range(CREDIT // RUN):
        tab.dropped(RUN)
    for paid, grown in ((4, 1), (16, 2), (2 * TRUST_SHARE * GROWTH_MAX, GROWTH_MAX)):
        tab = a_tab(Channel(1 << 60, promised=(paid - 1) * CREDIT * PRICE), 1 << 40)
        await has_come(tab, CREDIT)  # the voucher of it is over all that was paid before, too
        assert await admitted_at_once(tab) == grown * CREDIT // RUN


async def test_a_voucher_pays_a_quarter_of_a_credit_that_has_grown() -> None:
    channel = Channel(1 << 60, promised=(TRUST_SHARE * 16 - 1) * CREDIT * PRICE)
    tab = a_tab(channel, 1 << 40)
    await has_come(tab, CREDIT)
    before = channel.promised
    for _ in range(4 * CREDIT // RUN - 1):
        await has_come(tab, RUN)
    assert channel.promised == before
    await has_come(tab, RUN)
    assert channel.promised == before + 4 * CREDIT * PRICE


async def test_a_channel_is_topped_up_while_reading_goes_on() -> None:
    channel = Channel(CREDIT * PRICE)
    tab = a_tab(channel, 1 << 40)
    async with asyncio.timeout(5):
        await has_come(tab, RUN)
        await has_come(tab, RUN)
        assert (len(channel.asked), channel.room_left) == (1, 0)  # it is under way
        assert channel.asked[0][1] >= FUND_BYTES * PRICE
        channel.mined.set()
        await has_come(tab, RUN)
        while channel.room_left < LOW_BYTES * PRICE:
            await asyncio.sleep(0)
        await has_come(tab, RUN)
        await tab.close()
    assert len(channel.asked) == 1
    assert channel.promised == 4 * RUN * PRICE


async def test_no_more_is_put_into_a_channel_than_the_file_and_the_budget_need() -> None:
    for size, budget, most in ((4 * MIB, None, 4 * MIB), (FUND_BYTES, 5 * MIB * PRICE, 5 * MIB)):
        channel = Channel()
        channel.mined.set()
        tab = a_tab(channel, size, budget)
        await has_come(tab, RUN)
        assert [wish for _, wish in channel.asked] == [most * PRICE]
        await tab.close()


async def test_a_top_up_ahead_that_comes_to_nothing_stops_nobody_before_the_room_is_used() -> None:
    channel = Channel(CREDIT * PRICE, wallet=0)
    channel.mined.set()
    tab = a_tab(channel, 1 << 40)
    await has_come(tab, RUN)
    await asyncio.sleep(0)
    await has_come(tab, RUN)
    assert len(channel.asked) == 1
    with pytest.raises(InsufficientFunds):
        await tab.admit(RUN)
    await tab.close()
    assert channel.promised == CREDIT * PRICE


async def test_who_waits_for_a_block_says_so_and_can_be_called_off() -> None:
    channel = Channel()
    tab = a_tab(channel, 1 << 40)
    waiting = asyncio.ensure_future(tab.admit(RUN))
    while not channel.asked:
        await asyncio.sleep(0)
    assert tab.waits_for_chain
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not tab.waits_for_chain
    channel.mined.set()
    await has_come(tab, CREDIT)
    await tab.close()
    assert channel.promised == CREDIT * PRICE


async def test_closing_waits_for_no_top_up() -> None:
    channel = Channel(CREDIT * PRICE)
    tab = a_tab(channel, 1 << 40)
    await has_come(tab, RUN)
    async with asyncio.timeout(5):
        await tab.close()
    assert channel.promised == RUN * PRICE


async def test_a_budget_is_not_exceeded_by_what_is_under_way() -> None:
    tab = a_tab(Channel(1 << 60), 1 << 40, budget=RUN * PRICE)
    await tab.admit(RUN)
    with pytest.raises(Refused, match="budget"):
        await tab.admit(RUN)
    tab.dropped(RUN)
    await has_come(tab, RUN)
    await tab.close()
