"""The books of all peers of one node, and their place in the journal.

What concerns money is written before it is sent (`write`); bytes are written now and then
(`flush`), so a crash may forget some that were given or taken.
"""

from __future__ import annotations

from quire.base.errors import BadEncoding
from quire.base.events import EventBus
from quire.channels.book import Book, decode_book, encode_book
from quire.net.transport import PeerId
from quire.store.journal import Journal, Record

KIND = "cache"
BOOKS_MAX = 10_000  # of peers without money; the one that was opened first is closed then


class Books:
    """In memory alone until they have a journal."""

    def __init__(self, events: EventBus) -> None:
        self._journal: Journal | None = None
        self._events = events
        self._filed = KIND
        self._books: dict[PeerId, Book] = {}
        self._dirty: dict[PeerId, None] = {}

    def attach(self, journal: Journal, place: str) -> None:
        """`place`: the contract that the sums are of."""
        self._journal, self._filed = journal, f"{KIND} {place}"

    async def start(self) -> None:
        """Raises StoreCorrupt."""
        if self._journal is None:
            return
        for peer, data in (await self._journal.read(self._filed)).items():
            try:
                self._books[peer] = decode_book(data)
            except BadEncoding as error:
                self._events.publish("cache.unreadable", peer, error.message)

    def of(self, peer: PeerId) -> Book:
        """To be changed; say `changed` then."""
        book = self._books.get(peer)
        if book is None:
            self._make_room()
            book = self._books[peer] = Book()
        return book

    def find(self, peer: PeerId) -> Book | None:
        return self._books.get(peer)

    def all(self) -> dict[PeerId, Book]:
        """Oldest first."""
        return dict(self._books)

    def changed(self, peer: PeerId) -> None:
        self._dirty[peer] = None

    async def write(self, peer: PeerId, note: str = "") -> None:
        """What is in the book of a peer is durable on return. Raises DiskFull."""
        if self._journal is not None:
            book = self.of(peer)
            await self._journal.write([Record(self._filed, peer, encode_book(book), note)])

    async def flush(self) -> None:
        """All that has changed is durable on return. Raises DiskFull."""
        dirty, self._dirty = self._dirty, {}
        if self._journal is None or not dirty:
            return
        books = [(peer, self._books.get(peer)) for peer in dirty]
        try:
            await self._journal.write(
                [
                    Record(self._filed, peer, None if book is None else encode_book(book))
                    for peer, book in books
                ]
            )
        except BaseException:
            self._dirty = dirty | self._dirty
            raise

    def _make_room(self) -> None:
        if len(self._books) < BOOKS_MAX:
            return
        for peer, book in self._books.items():
            if not book.has_money and not book.tab.pending_bytes:
                del self._books[peer]
                self._dirty[peer] = None
                return
