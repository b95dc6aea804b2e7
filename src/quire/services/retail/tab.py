"""What one reader owes one provider for blocks that it has verified, and how that is paid.

    admit ─► asked ─► verified ─► a voucher after each MiB or more, and for the rest at the end
                 └─► dropped

What is asked and not yet paid never exceeds the credit that the provider gives: that of its offer,
and more as more is paid. What was not verified is never paid. A channel that gets small is topped
up while reading goes on.
Source   point.md 4.2 (exposure limits), 6.5 (billing of retrieval)
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from quire.base.errors import ChannelTooSmall, PeerError, QuireError, Refused
from quire.base.units import MIB
from quire.channels.credit import credit_tokens
from quire.channels.port import Payments
from quire.point.values import Offer

STEP_BYTES = MIB  # verified bytes that one voucher pays, at least
STEPS = 4  # vouchers for a credit that has grown
PAY_ATTEMPTS = 4
PAY_PAUSE_SECONDS = 1.0
FUND_BYTES = 256 * MIB  # a channel is made large enough to read so much, or what is left
LOW_BYTES = 128 * MIB  # it is topped up when it is good for less than that, or for what is left


@dataclass(slots=True)
class Purse:
    """What one reading may spend in all, and the names of its bills. `left`: bytes of the file that
    nobody was asked for yet."""

    session: str
    left: int
    budget: int | None = None
    committed: int = 0  # for what is asked, verified or paid
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(1 << 62)))

    def bill(self) -> str:
        return f"get/{self.session}/{next(self._numbers)}"

    def commit(self, amount: int) -> None:
        """Raises Refused when it is not to be spent."""
        if self.budget is not None and self.committed + amount > self.budget:
            raise Refused(
                f"reading on would cost {self.committed + amount} in all, above the budget of "
                f"{self.budget}; give a larger one",
                committed=self.committed,
            )
        self.committed += amount


@dataclass(slots=True)
class _Bill:
    name: str
    size: int


class Tab:
    """The account of one reader at one provider."""

    def __init__(self, payments: Payments | None, peer: str, offer: Offer, purse: Purse) -> None:
        self._payments = payments
        self._peer = peer
        self._offer = offer
        self._purse = purse
        self._asked = 0  # bytes under way
        self._verified = 0  # bytes verified and not paid
        self._open: _Bill | None = None  # promised perhaps; it keeps its amount until it is paid
        self._paying = asyncio.Lock()
        self._introduced = b""
        self._room = 0  # what the channel could promise when it was last looked at, less since
        self._funding = asyncio.Lock()
        self._topping_up: asyncio.Task[None] | None = None
        self._paid = 0  # tokens promised to this provider since ever, as far as he has the vouchers
        self._changed = asyncio.Event()

    @property
    def waits_for_chain(self) -> bool:
        """Whether what is admitted now would wait for a top-up, or for a look at the channel."""
        return self._funding.locked()

    @property
    def price(self) -> int:
        """Tokens per byte read."""
        return self._offer.price_get_byte

    @property
    def _unpaid(self) -> int:
        return self._verified + (0 if self._open is None else self._open.size)

    async def introduction(self) -> tuple[bytes, bytes]:
        """Who is billed and how he shows it; empty where reading costs nothing."""
        if not self.price or self._payments is None:
            return b"", b""
        if not self._introduced:
            self._introduced = await self._payments.introduction(self._offer.payee)
        return self._payments.payer, self._introduced

    async def admit(self, size: int) -> None:
        """Wait until `size` bytes may be asked. Raises what paying raises."""
        if not self.price:
            self._begin(size)
            return
        self._commit(size)
        try:
            await self._admit(size)
        except BaseException:
            self._purse.committed -= size * self.price
            raise

    async def _admit(self, size: int) -> None:
        # What is larger than the credit goes alone. Nothing is awaited between the look and the
        # entry, as others are admitted at the same time.
        while self._asked or self._unpaid:
            if self._asked + self._unpaid + size <= self._credit_bytes:
                break
            if self._asked:
                self._changed.clear()
                await self._changed.wait()
            else:
                await self.settle()
        self._begin(size)
        try:
            await self._have_room()
        except BaseException:
            self._end(size)
            raise

    def dropped(self, size: int) -> None:
        """It did not come, or does not verify."""
        self._end(size)
        self._purse.committed -= size * self.price

    def _begin(self, size: int) -> None:
        self._asked += size
        self._purse.left -= size

    def _end(self, size: int) -> None:
        self._asked -= size
        self._purse.left += size
        self._changed.set()

    async def verified(self, size: int) -> None:
        """It is here; pay when it is time. Raises as `settle`."""
        self._asked -= size
        if self.price:
            self._verified += size
            credit = self._credit_bytes
            if self._verified >= max(min(STEP_BYTES, credit), credit // STEPS):
                await self.settle()
        self._changed.set()

    async def settle(self) -> None:
        """Pay what is verified.

        Raises   InsufficientFunds, ChannelTooSmall, VoucherRefused, Refused (budget), PeerError
        """
        async with self._paying:
            try:
                while self._open is not None or self._verified:
                    if self._open is None:
                        self._open = _Bill(self._purse.bill(), self._verified)
                        self._verified = 0
                    await self._pay(self._open)
                    self._open = None
            finally:
                self._changed.set()

    async def close(self) -> None:
        """Pay the rest. Raises as `settle`."""
        if self._topping_up is not None:
            self._topping_up.cancel()  # what was sent to the chain goes on
            await asyncio.wait([self._topping_up])
        await self.settle()

    @property
    def _credit_bytes(self) -> int:
        price = self.price
        return credit_tokens(self._offer.credit_bytes, price, self._paid) // price

    async def _have_room(self) -> None:
        """Have a channel that can promise all that is asked: who serves looks at it first."""
        assert self._payments is not None
        async with self._funding:
            needed = (self._asked + self._unpaid) * self.price
            if self._room < needed:
                if self._topping_up is not None:
                    await asyncio.wait([self._topping_up])
                self._room = await self._payments.room(self._offer.payee)
            if self._room < needed:
                await self._payments.fund(self._offer.payee, needed, needed + self._ahead())
                self._room = await self._payments.room(self._offer.payee)
        if self._room < needed + self._ahead(LOW_BYTES) and self._topping_up is None:
            self._topping_up = asyncio.create_task(self._top_up(), name="top up while reading")

    async def _top_up(self) -> None:
        """Before the room is needed. When it comes to nothing, whoever needs it hears of that."""
        assert self._payments is not None
        payee = self._offer.payee
        with suppress(QuireError):
            needed = (self._asked + self._unpaid) * self.price
            await self._payments.fund(payee, self._room + 1, needed + self._ahead())
            self._room = await self._payments.room(payee)
            self._topping_up = None

    def _commit(self, size: int) -> None:
        if self._payments is None:
            raise Refused(
                f"{self._peer} wants {self.price} for each byte and this node has no account; "
                "start it with --eth-provider and a key"
            )
        self._purse.commit(size * self.price)

    async def _pay(self, bill: _Bill) -> None:
        assert self._payments is not None
        payee, amount = self._offer.payee, bill.size * self.price
        for attempt in range(PAY_ATTEMPTS):
            try:
                self._paid = await self._payments.pay(bill.name, self._peer, payee, amount)
                self._room -= amount
                return
            except ChannelTooSmall:
                await self._payments.fund(payee, amount, amount + self._ahead())
            except PeerError as error:
                if attempt == PAY_ATTEMPTS - 1 or not error.retry:
                    raise
                await asyncio.sleep(PAY_PAUSE_SECONDS * 2**attempt)
        raise ChannelTooSmall(f"the channel to {self._peer} cannot promise {amount}")

    def _ahead(self, most: int = FUND_BYTES) -> int:
        """What is worth having in a channel, so that one transaction serves for a while."""
        wanted = min(most, max(0, self._purse.left)) * self.price
        budget = self._purse.budget
        return wanted if budget is None else min(wanted, budget - self._purse.committed)
