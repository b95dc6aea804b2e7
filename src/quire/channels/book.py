"""All that a node keeps of one peer for its cache: what it gave and took, is owed and owes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import msgspec

from quire.base.errors import BadEncoding
from quire.chain.values import ADDRESS_BYTES, Address
from quire.channels.owing import Owing
from quire.channels.tab import Tab

FORMAT = 1
_ENDLESS = 1 << 256
_SIGNED = ("ahead_bytes",)
_PASSING = ("pending_bytes", "pending_parts")  # of requests under way


@dataclass(slots=True)
class Book:
    """`payer` pays for the peer, `payee` is paid for what it gives; both empty until they are
    known. `bills`, `last_bill`: how many this node has sent, and the tokens of the last."""

    tab: Tab = field(default_factory=Tab)
    owing: Owing = field(default_factory=Owing)
    payer: Address = b""
    payee: Address = b""
    bills: int = 0
    last_bill: int = 0

    @property
    def has_money(self) -> bool:
        """Whether anything of it is worth keeping for ever."""
        return bool(self.tab.parts or self.tab.billed or self.owing.parts or self.owing.bills)


@dataclass(frozen=True, slots=True)
class _Record:
    format: int
    book: Book


def encode_book(book: Book) -> bytes:
    return msgspec.json.encode(_Record(FORMAT, book))


def decode_book(data: bytes) -> Book:
    """What `encode_book` was given, without requests under way. Raises BadEncoding."""
    try:
        record = msgspec.json.decode(data, type=_Record)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEncoding(f"the record of a peer cannot be read: {error}") from None
    book = record.book
    if record.format != FORMAT:
        raise BadEncoding(f"the record of a peer has format {record.format}, known is {FORMAT}")
    for address in (book.payer, book.payee):
        if len(address) not in (0, ADDRESS_BYTES):
            raise BadEncoding("the record of a peer names an account by another length")
    numbers = asdict(book.tab) | asdict(book.owing) | {"bills": book.bills, "last": book.last_bill}
    for name, value in numbers.items():
        if not (-_ENDLESS if name in _SIGNED else 0) <= value < _ENDLESS:
            raise BadEncoding(f"the record of a peer has {name} out of range")
    for name in _PASSING:
        setattr(book.tab, name, 0)
    return book
