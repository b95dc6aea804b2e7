"""What an upload asks of the choice of providers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from quire.point.values import SignedOffer


@dataclass(frozen=True, slots=True)
class Need:
    """What one replica of one chunk wants.

    seed        names the chunk for the draw: its root or id, the same after a restart
    used        peers (text) that ever had a link of this chunk, failed ones too
    sharing     signed offers of the live links of this chunk, for diversity
    budget      most that the whole term may cost; None: whatever the price
    subject     what events and waits of the choice are about: the upload's id
    """

    seed: bytes
    sealed_bytes: int
    seconds: int
    used: Collection[str]
    sharing: Collection[SignedOffer]
    budget: int | None = None
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    peer: str
    addresses: tuple[str, ...]
    offer: SignedOffer


class Outcome(Enum):
    """What a provider turned out to be (point.md 5.2, 5)."""

    KEPT = "kept"  # a link signed, an audit passed, a block served
    SILENT = "silent"
    REFUSED = "refused"
    LOST = "lost"  # it does not have what it was paid for
    BAD_DATA = "bad-data"
    BAD_SIGNATURE = "bad-signature"


class Choice(Protocol):
    """Offers, filters, weights, draw and reputation of one node."""

    async def choose(self, need: Need, count: int) -> list[Candidate]:
        """At most `count` providers, no two that share a payee, operator or network; fewer, or
        none, when there are no more. Looks for new ones when those known are not enough."""

    async def offer(self, peer: str, addresses: tuple[str, ...] = ()) -> SignedOffer:
        """The peer's offer of now, verified; at most 10 minutes old unless it was asked for again
        by `forget_offer`. Raises PeerSilent, PeerGone, PeerRefused, BadOffer."""

    def forget_offer(self, peer: str) -> None:
        """It said that its price has changed."""

    def shuns(self, peer: str) -> str:
        """Why nothing is asked of this peer now if others can be asked, in words; empty: it is
        not shunned."""

    async def report(self, peer: str, outcome: Outcome, why: str = "") -> None:
        """Durable before it returns."""
