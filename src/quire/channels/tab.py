"""What one peer takes of a node's cache and gives back: what is free, what is owed. Pure.

    a byte that is asked for is free    while the peer has given as much as it took,
                             is free    while it is not further ahead than the day's allowance,
                             is charged otherwise

Charged bytes are served on credit of CREDIT_BYTES beyond what is promised. What was sent on a line
that broke is in doubt: the peer may never have had it, so it is not asked for, up to DOUBT_BYTES
a day; a payment that covers it brings it back. Amounts are kept in token-bytes (bytes times price
for a MiB), so that rounding happens once, in the sum.
Source   point.md 4.2, 6.2
"""

from __future__ import annotations

from dataclasses import dataclass

from quire.base.units import MIB

CREDIT_BYTES = MIB  # served beyond what is promised; and asked for ahead, of who is not known
DOUBT_BYTES = 16 * MIB  # of a day and peer, at the price of the moment
FREE_BYTES = 64 * MIB  # of a day and peer
DAY_SECONDS = 86_400


def cost(size_bytes: int, price: int) -> int:
    """Tokens for so many bytes at a price for a MiB, rounded up."""
    return tokens(size_bytes * price)


def tokens(parts: int) -> int:
    """Of token-bytes, rounded up."""
    return -(-parts // MIB)


@dataclass(slots=True)
class Admitted:
    """A request that may be served; `charged` of its bytes are not free, as far as one knew."""

    size_bytes: int
    charged: int
    price: int
    free: int = 0  # when it was served


@dataclass(slots=True)
class Tab:
    """Of one peer. Sums ever since, but for `ahead_bytes` and what begins with `pending`."""

    given_bytes: int = 0
    taken_bytes: int = 0  # what it gave, without what was paid for
    ahead_bytes: int = (
        0  # had for free more than it gave; what is left at the end of a day is a gift
    )
    day: int = 0
    charged_bytes: int = 0
    parts: int = 0  # charged, without what is in doubt; token-bytes
    doubtful_parts: int = 0
    forgiven_bytes: int = 0  # put in doubt today
    billed: int = 0  # tokens
    pending_bytes: int = 0
    pending_parts: int = 0

    @property
    def unbilled(self) -> int:
        """Tokens."""
        return tokens(self.parts) - self.billed

    def on_day(self, day: int) -> None:
        """A new day begins with the whole allowance; credit stays."""
        if day > self.day:
            self.day = day
            self.ahead_bytes = min(self.ahead_bytes, 0)
            self.forgiven_bytes = 0

    def free_left(self, free_bytes: int) -> int:
        """Bytes that the peer may have now without paying."""
        return max(0, free_bytes - self.ahead_bytes)

    def owed(self, due: int) -> int:
        """Tokens that are not promised yet; negative: paid ahead.

        due  what was billed and is not promised"""
        return due + self.unbilled

    def admit(
        self,
        size_bytes: int,
        price: int,
        free_bytes: int,
        due: int | None,
        credit_bytes: int = CREDIT_BYTES,
    ) -> Admitted | int:
        """A request, admitted and pending; or the tokens that must be promised before.

        due  as for `owed`; None for a peer whose payer is not known yet
        """
        left = self.free_left(free_bytes)
        charged = min(size_bytes, max(0, self.pending_bytes + size_bytes - left)) if price else 0
        if charged and due is None:
            return cost(min(charged, CREDIT_BYTES), price)
        if charged and due is not None:
            then = self.parts + self.pending_parts + charged * price
            short = due + tokens(then) - self.billed - cost(credit_bytes, price)
            if short > 0:
                return short
        self.pending_bytes += size_bytes
        self.pending_parts += charged * price
        return Admitted(size_bytes, charged, price)

    def serve(self, request: Admitted, free_bytes: int) -> int:
        """An admitted request is answered; bytes of it that are charged."""
        self.drop(request)
        left = self.free_left(free_bytes)
        request.free = min(request.size_bytes, left) if request.price else request.size_bytes
        request.charged = request.size_bytes - request.free
        self.given_bytes += request.size_bytes
        self.ahead_bytes += request.free
        self.charged_bytes += request.charged
        self.parts += request.charged * request.price
        return request.charged

    def take_back(self, request: Admitted) -> None:
        """It was answered, but the answer never left this node."""
        self.given_bytes -= request.size_bytes
        self.ahead_bytes -= request.free
        self.charged_bytes -= request.charged
        parts = request.charged * request.price
        doubtful = min(parts, self.doubtful_parts)  # the line broke before that was known
        self.doubtful_parts -= doubtful
        self.parts -= parts - doubtful

    def drop(self, request: Admitted) -> None:
        """An admitted request is not answered with data."""
        self.pending_bytes -= request.size_bytes
        self.pending_parts -= request.charged * request.price

    def took(self, size_bytes: int) -> None:
        """The peer gave us so much, for nothing."""
        self.taken_bytes += size_bytes
        self.ahead_bytes -= size_bytes

    def line_broke(self, price: int) -> None:
        """What is not billed may not have come: it is in doubt."""
        left = max(0, DOUBT_BYTES - self.forgiven_bytes) * price
        doubtful = min(max(0, self.parts - self.billed * MIB), left)
        if doubtful:
            self.forgiven_bytes += doubtful // price
            self.parts -= doubtful
            self.doubtful_parts += doubtful

    def paid(self, due: int) -> int:
        """The peer has promised more, `due` is what is left of its bills; tokens to bill now: all
        that it has not been billed for, and what was in doubt as far as its promise covers it."""
        ahead = -self.owed(due)
        if ahead > 0:
            back = min(self.doubtful_parts, ahead * MIB)
            self.doubtful_parts -= back
            self.parts += back
        bill = self.unbilled
        self.billed += bill
        return bill
