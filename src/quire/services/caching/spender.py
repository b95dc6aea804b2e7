"""Pays peers for what they have cached: after it came and verified, one step ahead at most.

refusal ─► may it cost that? ─► introduced? no: fund the channel, introduce the payer
                             └► yes: promise what is due, as far as that is right
came    ─► PAY_BYTES owed, or nothing more came for a while ─► promise it
"""

from __future__ import annotations

import asyncio

from quire.base.clock import Clock
from quire.base.errors import ChainError, ChannelTooSmall, InsufficientFunds, QuireError
from quire.base.events import EventBus
from quire.base.units import MIB
from quire.channels.tab import CREDIT_BYTES, DAY_SECONDS, cost
from quire.formats.charge import Charge, Purse
from quire.net.single_flight import SingleFlight
from quire.net.transport import PeerId
from quire.services.caching.books import KIND, Books
from quire.services.caching.terms import Account, CacheTerms

FUND_BYTES = 16 * MIB  # a channel that is too small is made fit for so much, at the price asked
QUIET_SECONDS = 1.0  # without more from a peer, then the rest is paid
AGAIN_SECONDS = 30.0  # until a payment that failed is tried again
INTRODUCTIONS_MAX = 64  # refusals of who was told who pays
PEERS_MAX = 10_000  # that asked for money; the first is forgotten then
NOTHING = Purse()


class Spender:
    """One node as client."""

    def __init__(
        self,
        terms: CacheTerms,
        books: Books,
        clock: Clock,
        events: EventBus,
    ) -> None:
        self._terms = terms
        self._books = books
        self._account: Account | None = None
        self._clock = clock
        self._events = events
        self._purse = NOTHING
        self._purses: dict[PeerId, Purse] = {}
        self._introduced: dict[PeerId, int] = {}  # times, without having been understood
        self._prices: dict[PeerId, int] = {}  # last charged or asked
        self._heard: dict[PeerId, float] = {}  # when what is owed came; monotonic
        self._flights: SingleFlight[PeerId, str] = SingleFlight()
        self._locks: dict[PeerId, asyncio.Lock] = {}
        self._again: dict[PeerId, float] = {}  # monotonic
        self._unsettled: dict[PeerId, None] = {}  # whose last bill may not have been promised
        self._spent = self._spent_on = 0  # tokens, on a day
        self._tasks: dict[asyncio.Task[None], None] = {}

    def attach(self, account: Account) -> None:
        self._account = account
        self._purse = Purse(self._terms.max_price)

    def start(self) -> None:
        """Promise again what may not have been before the last stop."""
        books, self._spent_on = self._books.all(), self._day()
        self._unsettled = {peer: None for peer, book in books.items() if book.owing.last}
        self._heard = {peer: 0.0 for peer, book in books.items() if book.owing.owes > 0}
        self._spent = sum(book.owing.promised_on(self._spent_on) for book in books.values())

    async def stop(self) -> None:
        """What is owed is paid after the next start."""
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    # ---- for the toll ----

    def purse(self, peer: PeerId) -> Purse:
        return self._purses.get(peer, self._purse) if self._has_budget() else NOTHING

    @property
    def most(self) -> int:
        """The highest price that is ever offered, for a MiB."""
        return self._purse.price

    def room(self, peer: PeerId) -> int | None:
        """Bytes that may be under way from a peer; None while it charges nothing."""
        price = self._prices.get(peer)
        return None if price is None else self._room(peer, price)

    def _room(self, peer: PeerId, price: int) -> int:
        owing = self._books.of(peer).owing
        return owing.room(price, owing.last if peer in self._unsettled else 0)

    def came(self, peer: PeerId, charged: int, price: int) -> None:
        """Bytes came and verified, so many of them charged."""
        if not charged:
            self._prices.pop(peer, None)
            return
        self._prices[peer] = price
        owing = self._books.of(peer).owing
        owing.came(charged, price)
        self._heard[peer] = self._clock.monotonic()
        if owing.is_due(price):
            self._pay_soon(peer)

    async def demanded(self, peer: PeerId, charge: Charge) -> str:
        """Do what a refusal asks for; empty when it is done, else why not."""
        return await self._flights.run(peer, lambda: self._meet(peer, charge))

    def look(self) -> None:
        """Pay the rest where nothing more has come for a while. Called now and then."""
        now = self._clock.monotonic()
        for peer, heard in list(self._heard.items()):
            if now - heard < QUIET_SECONDS or now < self._again.get(peer, 0.0):
                continue
            if self._books.of(peer).owing.owes > 0:
                self._pay_soon(peer)
            else:
                del self._heard[peer]

    def spent_today(self) -> int:
        """Tokens promised."""
        return self._spent if self._spent_on == self._day() else 0

    def _has_budget(self) -> bool:
        """Whether more may be bought today, besides what peers have on credit."""
        if not self._terms.budget:
            return True
        credit = cost(CREDIT_BYTES, self._terms.max_price) * max(1, len(self._prices))
        return self.spent_today() + credit <= self._terms.budget

    # ---- paying ----

    def _day(self) -> int:
        return int(self._clock.now() // DAY_SECONDS)

    def _why_not(self, charge: Charge) -> str:
        """Why a price is not paid; empty when it is."""
        asks, terms = f"asks {charge.price} tokens a MiB for what it has cached", self._terms
        account = self._account
        if account is None:
            return f"{asks}; what is free today is used up, and this node has no account to pay"
        if charge.price > terms.max_price:
            most = f"at most {terms.max_price}" if terms.max_price else "for nothing"
            return f"{asks}; this node pays {most} (cache-max-price)"
        if not charge.payee:
            return f"{asks}, and has no account to be paid at; what is free today is used up"
        if (charge.chain_id, charge.hub) != (account.domain.chain_id, account.domain.contract):
            return f"{asks}, at a hub that is not this node's"
        if not self._has_budget():
            return f"{asks}; the budget of {terms.budget} tokens a day is spent (cache-budget)"
        return ""

    async def _meet(self, peer: PeerId, charge: Charge) -> str:
        problem = self._why_not(charge)
        account, book = self._account, self._books.of(peer)
        if problem or account is None:
            return problem
        self._prices[peer] = charge.price
        while len(self._prices) > PEERS_MAX:
            del self._prices[next(iter(self._prices))]
        try:
            if not charge.is_known or book.payee != charge.payee:
                return await self._introduce(account, peer, charge)
            self._introduced.pop(peer, None)
            amount = book.owing.may_promise(charge.due, charge.price)
            if not amount:
                return self._report(peer, charge.due)
            await self._promise(account, peer, amount)
        except QuireError as error:
            self._say(peer, f"{peer} is not paid: {error.message}")
            return f"cannot be paid: {error.message}"
        return ""

    async def _introduce(self, account: Account, peer: PeerId, charge: Charge) -> str:
        """Have a channel that is worth being served on, and say whose it is. Requests that were
        on their way without it are refused once more; why not, when that does not end."""
        payments, book = account.payments, self._books.of(peer)
        times = self._introduced[peer] = self._introduced.get(peer, 0) + 1
        if times > 1 and peer in self._purses and book.payee == charge.payee:
            is_patient = times < INTRODUCTIONS_MAX
            return "" if is_patient else "does not know who pays for this node, though it was told"
        if book.payee != charge.payee:
            book.payee = charge.payee
            self._books.changed(peer)
        # Whatever it asks for: a channel is not filled further than what is served on it.
        least = min(charge.due, cost(CREDIT_BYTES, charge.price))
        if await payments.room(charge.payee) < least:
            await payments.fund(charge.payee, cost(FUND_BYTES, charge.price))
        introduction = await payments.introduction(charge.payee)
        self._purses[peer] = Purse(self._terms.max_price, payments.payer, introduction)
        return ""

    def _report(self, peer: PeerId, due: int) -> str:
        """It wants more than is right: no more than one step is lost to it."""
        owing = self._books.of(peer).owing
        ahead = max(0, -owing.owes)
        text = f"asks for {due} tokens more, has {ahead} ahead of what it delivered, and serves no"
        self._say(peer, f"{peer} {text} more; it is paid no further")
        return f"{text} more"

    def _pay_soon(self, peer: PeerId) -> None:
        lock = self._locks.setdefault(peer, asyncio.Lock())
        if lock.locked() or self._account is None or not self._books.of(peer).payee:
            return
        if self._clock.monotonic() < self._again.get(peer, 0.0):
            return
        task = asyncio.get_running_loop().create_task(self._pay_rest(self._account, peer))
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def _pay_rest(self, account: Account, peer: PeerId) -> None:
        owing = self._books.of(peer).owing
        try:
            await self._promise(account, peer, 0)
        except QuireError as error:
            self._again[peer] = self._clock.monotonic() + AGAIN_SECONDS
            self._say(peer, f"{peer} is owed {max(0, owing.owes)} tokens: {error.message}")

    async def _promise(self, account: Account, peer: PeerId, ahead: int) -> None:
        """Promise what is owed, or this amount, whichever is more. Raises as `Payments.pay`."""
        book, payments = self._books.of(peer), account.payments
        async with self._locks.setdefault(peer, asyncio.Lock()):
            if peer in self._unsettled:
                await self._hand_over(account, peer, book.owing.bills - 1, book.owing.last)
            amount = max(book.owing.owes, ahead)
            if amount <= 0:
                return
            day = self._day()
            number = book.owing.promise(amount, day)
            self._spent, self._spent_on = self.spent_today() + amount, day
            await self._books.write(peer, f"{amount} tokens for what it served")
            self._unsettled[peer] = None
            await self._hand_over(account, peer, number, amount)
        if number:
            await payments.forget(f"{KIND}/{peer}/{number - 1}")

    async def _hand_over(self, account: Account, peer: PeerId, number: int, amount: int) -> None:
        """The voucher of a bill; the channel is made larger where it has no room."""
        book, bill = self._books.of(peer), f"{KIND}/{peer}/{number}"
        payments, price = account.payments, self._prices.get(peer, 0)
        try:
            await payments.pay(bill, peer, book.payee, amount)
        except ChannelTooSmall:
            try:
                await payments.fund(book.payee, max(amount, cost(FUND_BYTES, price)))
                await payments.pay(bill, peer, book.payee, amount)
            except (ChannelTooSmall, InsufficientFunds, ChainError):
                self._unsettled.pop(peer, None)
                book.owing.withdraw()
                self._spent -= min(self._spent, amount)
                self._books.changed(peer)
                raise
        self._unsettled.pop(peer, None)

    def _say(self, peer: PeerId, text: str) -> None:
        self._events.publish("cache.unpaid", peer, text, peer=peer)
