"""Fuzz `decode_book`: what is accepted survives encoding."""

from quire.base.errors import BadEncoding
from quire.channels.book import Book, decode_book, encode_book
from quire.channels.owing import Owing
from quire.channels.tab import Tab

VECTORS = ()
SEEDS = (
    encode_book(Book()),
    encode_book(Book(Tab(1, 2, -3, 4), Owing(5, 6, 7), bytes(20), bytes(range(20)), 8, 9)),
)


def check(data: bytes) -> None:
    try:
        book = decode_book(data)
    except BadEncoding:
        return
    assert decode_book(encode_book(book)) == book


if __name__ == "__main__":
    from harness import main

    main(check, VECTORS, SEEDS)
