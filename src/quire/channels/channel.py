"""A payment channel as its payer sees it: what he has promised, and what the hub has for it.

    open ─► topping-up ─► open                 sums run on for ever: a channel that was released
      └─► closing ─► challenge ─► releasing ─► released       and is topped up goes on where it was

Source   point.md 4.2, 6.5 (ESTABLISH_PAYMENT_CHANNEL, PAYING)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from quire.chain.hub import HubChannel
from quire.chain.values import Address

NOTHING = HubChannel()


class At(StrEnum):
    OPEN = "open"
    TOPPING_UP = "topping-up"
    CLOSING = "closing"
    CHALLENGE = "challenge"
    RELEASING = "releasing"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Bill:
    """One debt: the voucher whose sum reaches `sum` pays it."""

    key: str
    payee: Address
    amount: int
    sum: int


@dataclass(frozen=True, slots=True)
class Channel:
    """Sums in the smallest unit of the token, since ever.

    promised    the highest sum that was, or may have been, signed
    taken_over  of it, what this journal has no bills for: it was promised before the journal was
                lost or set back, as the payee or the hub has shown
    seen        what the hub said last
    least, want the deposit that is to be reached: at least, and if there is money for it
    newest      the bill that was promised last
    trouble     why the last act at the hub came to nothing
    """

    payee: Address
    at: At = At.OPEN
    promised: int = 0
    taken_over: int = 0
    seen: HubChannel = NOTHING
    least: int = 0
    want: int = 0
    newest: Bill | None = None
    trouble: str = ""

    @property
    def room(self) -> int:
        """What can still be promised now. Below 0 when the hub lost blocks with a deposit."""
        if self.at in (At.OPEN, At.TOPPING_UP) and not self.seen.close_at:
            return self.seen.deposit - self.promised
        return 0

    def lacks(self, cumulative: int) -> bool:
        """Whether a payee is right who does not take a voucher over so much, by the hub."""
        return self.seen.deposit < cumulative or self.seen.close_at > 0


# ---- events ----


@dataclass(frozen=True, slots=True)
class Promise:
    """A new bill is to be paid. Nothing happens where there is no room for it. `covered`: of the
    amount, by what was taken over."""

    bill: str
    amount: int
    covered: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """The payee has shown a voucher of ours over this sum."""

    sum: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What the hub says of the channel."""

    channel: HubChannel


@dataclass(frozen=True, slots=True)
class Fund:
    """Have room for `least`, and for `wish` if there is money for it."""

    least: int
    wish: int


@dataclass(frozen=True, slots=True)
class Close:
    """What is left shall come back."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The challenge is over, as far as this node knows: take what is left."""


ChannelEvent: TypeAlias = Promise | Shown | Seen | Fund | Close | Finish


# ---- effects; each reads the hub first and does what is not done yet. All lead to Seen ----


@dataclass(frozen=True, slots=True)
class TopUp:
    """Bring the deposit to `least` or more, up to `want`, and end a close."""


@dataclass(frozen=True, slots=True)
class RequestClose:
    """Ask the hub for what is left."""


@dataclass(frozen=True, slots=True)
class Release:
    """Take what is left after the challenge."""


@dataclass(frozen=True, slots=True)
class Look:
    """Read the hub."""


ChannelEffect: TypeAlias = TopUp | RequestClose | Release | Look
