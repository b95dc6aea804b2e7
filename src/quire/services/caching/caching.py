"""The cache of a node as a business: who is served for nothing, who pays, and what that comes to.

    exchange ◄─ toll ─► books ◄─ spender ─► Payments     (what others have cached)
                          ▲──── biller ───► Income       (what this node has cached)

Made with the exchange; the account and the journal come when the chain is reached, if there is one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from quire.base.clock import Clock
from quire.base.errors import QuireError
from quire.base.events import EventBus
from quire.base.units import format_size
from quire.chain.abi import id_text
from quire.channels.book import Book
from quire.channels.tab import DAY_SECONDS
from quire.net.transport import PeerId
from quire.services.background import Background
from quire.services.caching.biller import Biller
from quire.services.caching.books import Books
from quire.services.caching.shelf import Shelf
from quire.services.caching.spender import Spender
from quire.services.caching.terms import Account, CacheTerms
from quire.services.caching.toll import CacheToll
from quire.store.dataset import Dataset
from quire.store.journal import Journal

LOOK_SECONDS = 1.0
SHELF_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Trade:
    """With one peer, or with all. Tokens and bytes since ever, of what was and was not paid.

    free_left  bytes that the peer may have today without paying; of all: 0
    balance    bytes given for nothing less taken for nothing, since the day began, credit kept
    """

    earned: int = 0
    spent: int = 0
    owed_to_us: int = 0
    owed_by_us: int = 0
    given_bytes: int = 0
    sold_bytes: int = 0
    taken_bytes: int = 0
    bought_bytes: int = 0
    free_left_bytes: int = 0
    balance_bytes: int = 0


class Caching:
    """Made with the exchange, which asks `toll`. `attach` comes before `start`, or not at all."""

    def __init__(self, terms: CacheTerms, shelf: Shelf, clock: Clock, events: EventBus) -> None:
        self.terms = terms
        self.shelf = shelf
        self._clock = clock
        self._events = events
        self._has_account = False
        self.books = Books(events)
        self._spender = Spender(terms, self.books, clock, events)
        self._biller = Biller(self.books, events)
        self.toll = CacheToll(terms, self.books, self._spender, shelf, clock, events)
        self._background = Background("cache", self._run, events)

    def attach(self, journal: Journal, account: Account) -> None:
        """There is a chain: books are durable, and there is money."""
        domain, payee = account.domain, id_text(account.income.payee)
        self.books.attach(journal, f"{domain.chain_id} {id_text(domain.contract)} {payee}")
        self._spender.attach(account)
        self._biller.account = self.toll.account = account
        self._has_account = True

    async def start(self) -> None:
        """Read the books, settle what a stop left open. Raises StoreCorrupt, DiskFull."""
        await self.books.start()
        await self._biller.start()
        self._spender.start()
        await self.shelf.start()
        self.toll.is_open = True
        self._background.start()

    async def stop(self) -> None:
        """Everything that is known is written."""
        self.toll.is_open = False
        await self._background.stop()
        self.shelf.stop()
        await self._spender.stop()
        await self.books.flush()

    def read_here(self, dataset: Dataset, start: int, stop: int) -> None:
        """Blocks [start, stop) are read on this node."""
        self.shelf.asked("", dataset.tree_root, start, stop - start)

    @property
    def has_account(self) -> bool:
        return self._has_account

    @property
    def price(self) -> int:
        """Tokens for a MiB of what is cached here, now."""
        return self.toll.price

    def explain(self, dataset: Dataset) -> list[str]:
        """What the cache has to do with a dataset, as sentences."""
        if not self.shelf.is_cached(dataset.tree_root):
            return []
        found = ["It came from the network and is cached."]
        if self.terms.price:
            free = format_size(self.terms.free_bytes)
            found.append(
                f"Others have {free} a day of this cache for nothing, and what they give; beyond "
                f"that a MiB costs {self.price} tokens."
            )
        if self.shelf.size_bytes and self.shelf.may_go(dataset.tree_root):
            found.append(
                f"It may go when others are asked for more: {format_size(self.shelf.cached_bytes)} "
                f"of at most {format_size(self.shelf.size_bytes)} are cached."
            )
        return found

    def peers(self) -> dict[PeerId, Trade]:
        """Everybody who gave or took, oldest first."""
        day = int(self._clock.now() // DAY_SECONDS)
        return {peer: self._trade(book, day) for peer, book in self.books.all().items()}

    def total(self) -> Trade:
        """With all peers together."""
        trades = list(self.peers().values())
        names = [name for name in Trade.__slots__ if name != "free_left_bytes"]
        return Trade(**{name: sum(getattr(each, name) for each in trades) for name in names})

    def spent_today(self) -> int:
        return self._spender.spent_today()

    def _trade(self, book: Book, day: int) -> Trade:
        tab, owing = book.tab, book.owing
        tab.on_day(day)
        return Trade(
            earned=tab.billed + max(0, tab.unbilled),
            spent=owing.promised,
            owed_to_us=max(0, tab.unbilled),
            owed_by_us=max(0, owing.owes),
            given_bytes=tab.given_bytes - tab.charged_bytes,
            sold_bytes=tab.charged_bytes,
            taken_bytes=tab.taken_bytes,
            bought_bytes=owing.bought_bytes,
            free_left_bytes=tab.free_left(self.terms.free_bytes),
            balance_bytes=tab.ahead_bytes,
        )

    async def _next_look(self) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self.toll.worth_a_look.wait()
        except TimeoutError:
            return
        self.toll.worth_a_look.clear()

    async def _run(self) -> None:
        shelf_at = 0.0
        while True:
            await self._next_look()
            now = self._clock.monotonic()
            try:
                self._spender.look()
                await self._biller.look()
                if now >= shelf_at:
                    shelf_at = now + SHELF_SECONDS
                    await self.shelf.look()
            except QuireError as error:
                self._events.publish("cache.unwritten", "", error.message, code=error.code)
