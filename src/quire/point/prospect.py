"""A provider whose offer is verified, and why it does not suit a need, in words.

Source   point.md 5.2, 2
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from quire.base.units import format_duration, format_size
from quire.chain.abi import address_text
from quire.point.billing import cost
from quire.point.choice_port import Need
from quire.point.reputation import Reputation
from quire.point.values import Offer, SignedOffer


class Reason(Enum):
    """Why a provider does not suit, for counting."""

    EXPIRED = "expired"
    KEPT_AWAY = "kept-away"
    USED = "used"
    SPACE = "space"
    TERM = "term"
    PRICE = "price"
    PAYEE = "payee"
    OPERATOR = "operator"
    NETWORK = "network"
    ASN = "asn"


@dataclass(frozen=True, slots=True)
class Unfit:
    reason: Reason
    words: str


@dataclass(frozen=True, slots=True)
class Prospect:
    """`peer` as text, its raw bytes are in the offer. `rtt` in seconds. `networks` and `asns`: what
    its public addresses belong to; empty where they are not known."""

    peer: str
    addresses: tuple[str, ...]
    offer: SignedOffer
    reputation: Reputation
    rtt: float
    networks: tuple[str, ...] = ()
    asns: tuple[int, ...] = ()

    @property
    def terms(self) -> Offer:
        return self.offer.offer


def why_not(prospect: Prospect, need: Need, *, now: float, chain_now: float) -> Unfit | None:
    """Why a provider can have no replica of this chunk, whoever else has one."""
    terms = prospect.terms
    if terms.valid_until <= chain_now:
        ago = format_duration(chain_now - terms.valid_until)
        return Unfit(Reason.EXPIRED, f"its offer ended {ago} ago")
    if words := prospect.reputation.keeps_away(now):
        return Unfit(Reason.KEPT_AWAY, words)
    if prospect.peer in need.used:
        return Unfit(Reason.USED, "it has, or had, a replica of this chunk")
    if terms.free_bytes < need.sealed_bytes:
        free, wanted = format_size(terms.free_bytes), format_size(need.sealed_bytes)
        return Unfit(Reason.SPACE, f"it has {free} free, and {wanted} are needed")
    if terms.max_seconds < need.seconds:
        longest, wanted = format_duration(terms.max_seconds), format_duration(need.seconds)
        return Unfit(Reason.TERM, f"it keeps for {longest} at most, and {wanted} are wanted")
    price = cost(terms, need.sealed_bytes, need.seconds)
    if need.budget is not None and price > need.budget:
        return Unfit(Reason.PRICE, f"it wants {price} tokens, and {need.budget} may be spent")
    return None


class Company:
    """The providers of one chunk's live replicas: who may join them.

    `replicas`: how many there are to be; so many as half of them, rounded up, may be in one
    autonomous system.
    """

    def __init__(self, replicas: int) -> None:
        self._asn_most = (replicas + 1) // 2
        self._payees: dict[bytes, None] = {}
        self._operators: dict[bytes, None] = {}
        self._networks: dict[str, None] = {}
        self._asns: Counter[int] = Counter()

    def join(self, terms: Offer, networks: Sequence[str] = (), asns: Sequence[int] = ()) -> None:
        self._payees[terms.payee] = None
        if terms.operator:
            self._operators[terms.operator] = None
        self._networks.update(dict.fromkeys(networks))
        self._asns.update(asns)

    def refuses(self, prospect: Prospect) -> Unfit | None:
        """Why it cannot join those that are in."""
        terms = prospect.terms
        if terms.payee in self._payees:
            words = f"{address_text(terms.payee)}, whom it pays, has a replica of this chunk"
            return Unfit(Reason.PAYEE, words)
        if terms.operator in self._operators:
            return Unfit(Reason.OPERATOR, "who runs it has a replica of this chunk")
        for network in prospect.networks:
            if network in self._networks:
                return Unfit(Reason.NETWORK, f"a replica of this chunk is in {network} already")
        for asn in prospect.asns:
            if self._asns[asn] >= self._asn_most:
                held = self._asns[asn]
                return Unfit(Reason.ASN, f"{held} replicas of this chunk are in AS{asn} already")
        return None
