"""Bills payers for what their peers were served, and writes the books now and then.

A bill is sent when the payer has promised more than was billed: what he pays for he has had, and
what a broken line may have lost is not billed before. The number of a bill and its amount are in
the book before it is sent, so that a crash between sends it once.
"""

from __future__ import annotations

from quire.base.events import EventBus
from quire.channels.book import Book
from quire.net.transport import PeerId
from quire.services.caching.books import KIND, Books
from quire.services.caching.terms import Account


class Biller:
    """One node as payee."""

    def __init__(self, books: Books, events: EventBus) -> None:
        self.account: Account | None = None
        self._books = books
        self._events = events

    async def start(self) -> None:
        """Send again what may not have been sent. Raises DiskFull."""
        if self.account is None:
            return
        for peer, book in self._books.all().items():
            if book.bills and book.payer:
                await self._send(self.account, peer, book)

    async def look(self) -> None:
        """Bill whoever has paid ahead of his bills, and write the books. Raises DiskFull."""
        if self.account is not None:
            for peer, book in self._books.all().items():
                if book.payer and (book.tab.unbilled > 0 or book.tab.doubtful_parts):
                    await self._bill(self.account, peer, book)
        await self._books.flush()

    async def _bill(self, account: Account, peer: PeerId, book: Book) -> None:
        due = account.income.due(book.payer)
        if due >= 0:
            return  # nothing was promised since
        amount = book.tab.paid(due)
        if not amount:
            return
        book.bills += 1
        book.last_bill = amount
        await self._books.write(peer, f"{amount} tokens earned")
        await self._send(account, peer, book)
        self._events.publish(
            "cache.earned",
            peer,
            f"{peer} has paid {amount} tokens for what it had of this node's cache",
            peer=peer,
            tokens=amount,
        )

    async def _send(self, account: Account, peer: PeerId, book: Book) -> None:
        bill = f"{KIND}/{peer}/{book.bills - 1}"
        await account.income.bill(book.payer, bill, book.last_bill)
