"""The providers that this node knows: where they are, what they offer, what they have shown to be.

Offers live in memory for ten minutes; reputations are in the journal, so that neither a restart nor
a provider that is away for a while makes them forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from quire.base.clock import Clock
from quire.base.errors import BadEncoding
from quire.base.events import EventBus
from quire.net.transport import Address, PeerId
from quire.point.choice_port import Outcome
from quire.point.networks import networks_of
from quire.point.prospect import Prospect
from quire.point.reputation import (
    EXCLUDING,
    MAX_ADDRESSES,
    Reputation,
    decode_reputation,
    encode_reputation,
)
from quire.point.values import SignedOffer
from quire.store.journal import Journal, Record

KIND = "reputation"
OFFER_SECONDS = 600.0  # how long an offer is taken for the present one
KNOWN_MAX = 2048
NEVER = -math.inf


@dataclass(slots=True)
class Known:
    """One provider. `addresses`: where it says it is; `met_at`: where it was when it gave its
    offer. `offer_at` and `retry_at` in monotonic seconds; `problem`: why there is no offer of it,
    in words; `is_met`: it has given a good offer once, so it is in the journal."""

    peer: PeerId
    reputation: Reputation
    addresses: tuple[Address, ...] = ()
    met_at: Sequence[Address] = ()
    offer: SignedOffer | None = None
    offer_at: float = NEVER
    retry_at: float = NEVER
    problem: str = ""
    is_met: bool = False
    is_listed: bool = False

    def fresh_offer(self, monotonic: float, chain_now: float) -> SignedOffer | None:
        """Its offer, unless it is too old or has ended."""
        if self.offer is None or monotonic - self.offer_at >= OFFER_SECONDS:
            return None
        return self.offer if self.offer.offer.valid_until > chain_now else None


class ProviderBook:
    """`live`: the addresses of all connections now, by peer; `asns_of`: the autonomous systems of
    addresses, where there is a table of them."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        events: EventBus,
        *,
        live: Callable[[], Mapping[PeerId, Sequence[Address]]],
        asns_of: Callable[[Sequence[Address]], tuple[int, ...]] | None = None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._events = events
        self._live = live
        self._asns_of = asns_of
        self._known: dict[PeerId, Known] = {}

    async def load(self) -> None:
        """Those of earlier runs. Raises StoreCorrupt."""
        for peer, data in (await self._journal.read(KIND)).items():
            try:
                reputation = decode_reputation(data)
            except BadEncoding as error:
                self._events.publish("provider.unreadable", peer, error.message)
                continue
            self._known[peer] = Known(peer, reputation, reputation.addresses, is_met=True)

    def __iter__(self) -> Iterator[Known]:
        return iter(list(self._known.values()))

    def __len__(self) -> int:
        return len(self._known)

    def get(self, peer: PeerId) -> Known | None:
        return self._known.get(peer)

    def note(
        self, peer: PeerId, addresses: Sequence[Address] = (), *, is_listed: bool = False
    ) -> Known:
        """A provider that somebody speaks of; new addresses take the place of the old ones, and
        are tried however lately the old ones were."""
        known = self._known.get(peer)
        if known is None:
            if len(self._known) >= KNOWN_MAX:
                self._forget_one()
            now = self._clock.now()
            known = self._known[peer] = Known(peer, Reputation(now, now))
        said = tuple(addresses[:MAX_ADDRESSES])
        if said and said != known.addresses:
            known.addresses, known.retry_at = said, NEVER
        known.is_listed |= is_listed
        return known

    async def write(self, known: Known, note: str = "") -> None:
        """Make what is known of it durable. Raises DiskFull."""
        known.is_met = True
        known.reputation = replace(known.reputation, addresses=known.addresses)
        value = encode_reputation(known.reputation)
        await self._journal.write([Record(KIND, known.peer, value, note)])

    async def report(self, known: Known, outcome: Outcome, why: str) -> None:
        """What a provider turned out to be, durable. Raises DiskFull."""
        now = self._clock.now()
        known.reputation = known.reputation.after(outcome, now, why)
        said = f"{outcome.value}: {why}" if why else outcome.value
        await self.write(known, "" if outcome is Outcome.KEPT else said)
        if outcome is not Outcome.KEPT:
            kind = "provider.excluded" if outcome in EXCLUDING else "provider.failed"
            away = known.reputation.keeps_away(now)
            self._events.publish(kind, known.peer, f"{said}; {away}", outcome=outcome.value)

    def prospect(self, known: Known, offer: SignedOffer) -> Prospect:
        return self._prospect(known, offer, self.where(known))

    def _prospect(self, known: Known, offer: SignedOffer, where: Sequence[Address]) -> Prospect:
        asns = () if self._asns_of is None else self._asns_of(where)
        rtt = known.reputation.rtt
        return Prospect(
            known.peer, known.addresses, offer, known.reputation, rtt, networks_of(where), asns
        )

    def prospects(self, chain_now: float) -> list[Prospect]:
        """Everybody of whom there is a fresh offer."""
        monotonic, live = self._clock.monotonic(), self._live()
        return [
            self._prospect(known, offer, live.get(known.peer) or known.met_at or known.addresses)
            for known in self._known.values()
            if (offer := known.fresh_offer(monotonic, chain_now)) is not None
        ]

    def where(self, known: Known) -> Sequence[Address]:
        """Where it is, or was when it gave its offer, which it cannot make up; where it says it is,
        when it was not met since the start."""
        return self._live().get(known.peer) or known.met_at or known.addresses

    def _forget_one(self) -> None:
        """Who has shown the least, and was heard of first, makes room. His record in the journal
        stays, if he has one."""
        now = self._clock.now()

        def shown(known: Known) -> float:
            faded = known.reputation.faded(now)
            return faded.successes + faded.failures + known.is_listed * KNOWN_MAX

        del self._known[min(self._known.values(), key=shown).peer]
