"""Decides for the exchange what serving and being served costs. Implements `net.exchange.toll`.

asked of us   free by balance or allowance? on credit of the payer? else: the price, and what is due
asked by us   what came is noted; a refusal goes to the spender
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from quire.base.clock import Clock
from quire.base.errors import PeerLied, QuireError
from quire.base.events import EventBus
from quire.chain.abi import id_text
from quire.channels.book import Book
from quire.channels.demand import Demand
from quire.channels.tab import CREDIT_BYTES, DAY_SECONDS, Admitted, cost
from quire.formats.charge import Charge, Purse
from quire.net.exchange.toll import UNLIMITED_BYTES
from quire.net.transport import PeerId
from quire.services.caching.books import Books
from quire.services.caching.spender import Spender
from quire.services.caching.terms import Account, CacheTerms

LOOK_SECONDS = 5.0  # for the chain to say who a payer is
LOOKED_SECONDS = 60.0  # until it is asked again
OTHER_SECONDS = 5.0  # until a peer may show another purse


class CachedTrees(Protocol):
    """What is used of the shelf."""

    def is_cached(self, root: bytes) -> bool: ...

    def asked(self, who: str, root: bytes, start: int, count: int) -> None: ...

    def doubt(self, root: bytes) -> None: ...


class CacheToll:
    """Everything is free until `is_open`. The shelf says what is served at the price: what a node
    has published itself, or keeps by contract, is free."""

    def __init__(
        self,
        terms: CacheTerms,
        books: Books,
        spender: Spender,
        shelf: CachedTrees,
        clock: Clock,
        events: EventBus,
    ) -> None:
        self.terms = terms
        self._books = books
        self._spender = spender
        self.account: Account | None = None
        self.is_open = False
        self.worth_a_look = asyncio.Event()  # a payer has had so much that it should be billed
        self._shelf = shelf
        self._clock = clock
        self._events = events
        self._demand = Demand()
        self._looked: dict[PeerId, tuple[Purse, float]] = {}  # when, monotonic
        self._credit: dict[PeerId, int] = {}  # bytes
        self._refused: dict[PeerId, int] = {}  # the day of the last word about it

    @property
    def price(self) -> int:
        """Of a MiB, now."""
        return self._demand.price(self.terms.price, self._clock.monotonic())

    # ---- asked of us ----

    def posted(self, peer: PeerId, root: bytes) -> int:
        return self.price if self.is_open and self._shelf.is_cached(root) else 0

    def knows(self, peer: PeerId, purse: Purse) -> bool:
        looked = self._looked.get(peer)
        if looked is None:
            return False
        age = self._clock.monotonic() - looked[1]
        return age < (LOOKED_SECONDS if looked[0] == purse else OTHER_SECONDS)

    async def introduce(self, peer: PeerId, purse: Purse) -> None:
        if self.account is None or not self.is_open or not self.terms.price:
            return
        self._looked[peer] = (purse, self._clock.monotonic())
        income, book = self.account.income, self._books.of(peer)
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                if book.payer != purse.payer:
                    if not await income.is_introduced(purse.payer, peer, purse.introduction):
                        self._tell(peer, f"does not speak for {id_text(purse.payer)}")
                        return
                    book.payer = purse.payer
                    self._books.changed(peer)
                step = cost(CREDIT_BYTES, self.price)
                is_funded = await income.is_funded(purse.payer, step)
        except (TimeoutError, QuireError):
            return  # as it was: it is looked again, and he can pay ahead
        self._credit[peer] = CREDIT_BYTES if is_funded else 0

    def admit(
        self, peer: PeerId, root: bytes | None, size_bytes: int, purse: Purse
    ) -> Permit | Charge | None:
        if (
            not self.is_open
            or not self.terms.price
            or (root is not None and not self._shelf.is_cached(root))
        ):
            return None
        book, price = self._books.of(peer), self.price
        book.tab.on_day(self._day())
        credit, due = self._credit.get(peer, 0), self._due(book, purse, price)
        request = book.tab.admit(size_bytes, price, self.terms.free_bytes, due, credit)
        if isinstance(request, Admitted):
            return Permit(self, peer, request)
        if due is None:
            self._say_refused(peer, price, book.tab.day)
            if root is not None:
                self._shelf.doubt(root)
        if self.account is None:
            return Charge(price)
        payee, domain = self.account.income.payee, self.account.domain
        is_known = due is not None
        return Charge(price, 0, request, payee, domain.chain_id, domain.contract, is_known)

    def served(self, peer: PeerId, request: Admitted) -> Charge | None:
        """An admitted request is answered with data."""
        book = self._books.of(peer)
        charged = book.tab.serve(request, self.terms.free_bytes)
        self._demand.note(request.size_bytes, self._clock.monotonic())
        self._books.changed(peer)
        if book.tab.unbilled >= cost(CREDIT_BYTES, request.price):
            self.worth_a_look.set()
        return Charge(request.price, charged) if charged else None

    def closed(self, peer: PeerId, request: Admitted, was_served: bool, was_sent: bool) -> None:
        """What has become of an admitted request."""
        tab = self._books.of(peer).tab
        if not was_served:
            tab.drop(request)
        elif not was_sent:
            tab.take_back(request)
            self._books.changed(peer)

    def sent(self, peer: PeerId, root: bytes, start: int, count: int) -> None:
        self._shelf.asked(peer, root, start, count)

    def line_ended(self, peer: PeerId) -> None:
        book = self._books.find(peer)
        if book is not None:
            book.tab.line_broke(self.price)
            self._books.changed(peer)

    # ---- asked by us ----

    def offer(self, peer: PeerId) -> Purse:
        return self._spender.purse(peer)

    def room(self, peer: PeerId) -> int:
        room = self._spender.room(peer)
        return UNLIMITED_BYTES if room is None else room

    def received(self, peer: PeerId, size_bytes: int, charge: Charge | None) -> None:
        if not self.is_open:
            return
        charged, price = (0, 0) if charge is None else (charge.charged, charge.price)
        if charged > size_bytes or (charged and price > self._spender.most):
            raise PeerLied(
                f"{peer} charges {charged} bytes at {price} tokens a MiB for {size_bytes} that it "
                f"sent, where {self._spender.most} was offered",
                peer=peer,
            )
        book = self._books.of(peer)
        book.tab.on_day(self._day())
        book.tab.took(size_bytes - charged)
        self._books.changed(peer)
        self._spender.came(peer, charged, price)

    async def pay(self, peer: PeerId, charge: Charge) -> str:
        return await self._spender.demanded(peer, charge)

    # ---- inside ----

    def _day(self) -> int:
        return int(self._clock.now() // DAY_SECONDS)

    def _due(self, book: Book, purse: Purse, price: int) -> int | None:
        """None while nobody pays for the peer, or not as much."""
        if self.account is None or not book.payer or purse.price < price:
            return None
        return self.account.income.due(book.payer)

    def _say_refused(self, peer: PeerId, price: int, day: int) -> None:
        """Once a day."""
        if self._refused.get(peer) != day:
            self._refused[peer] = day
            what = f"has had what is free today; more costs {price} tokens a MiB"
            self._tell(peer, f"{what}, and nobody pays for it")

    def _tell(self, peer: PeerId, what: str) -> None:
        self._events.publish("cache.refused", peer, f"{peer} {what}", peer=peer)


class Permit:
    """Implements `net.exchange.toll.Permit`."""

    __slots__ = ("_peer", "_request", "_toll", "_was_served")

    def __init__(self, toll: CacheToll, peer: PeerId, request: Admitted) -> None:
        self._toll = toll
        self._peer = peer
        self._request = request
        self._was_served = False

    def served(self) -> Charge | None:
        self._was_served = True
        return self._toll.served(self._peer, self._request)

    def closed(self, was_sent: bool) -> None:
        self._toll.closed(self._peer, self._request, self._was_served, was_sent)
