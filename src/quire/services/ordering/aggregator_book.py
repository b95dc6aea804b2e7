"""The aggregators that this node knows: where they are, and what they have shown to be.

Reputations are in the journal and count as those of providers do (point/reputation.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from quire.aggregation.values import Service, SignedOffer
from quire.base.clock import Clock
from quire.base.errors import BadEncoding
from quire.base.events import EventBus
from quire.net.transport import Address, PeerId
from quire.point.choice_port import Outcome
from quire.point.reputation import (
    EXCLUDING,
    MAX_ADDRESSES,
    Reputation,
    decode_reputation,
    encode_reputation,
)
from quire.store.journal import Journal, Record

KIND = "aggregator"
KNOWN_MAX = 512


@dataclass(slots=True)
class KnownAggregator:
    """`offers`: the newest by the hash of its quote. `services`: those it was found under or has
    made offers for; `problems`: why it made none for a service, in words; `is_met`: it is in the
    journal."""

    peer: PeerId
    reputation: Reputation
    addresses: tuple[Address, ...] = ()
    offers: dict[bytes, SignedOffer] = field(default_factory=dict)
    services: dict[Service, None] = field(default_factory=dict)
    problems: dict[Service, str] = field(default_factory=dict)
    is_met: bool = False
    is_listed: bool = False


class AggregatorBook:
    def __init__(self, journal: Journal, clock: Clock, events: EventBus) -> None:
        self._journal = journal
        self._clock = clock
        self._events = events
        self._known: dict[PeerId, KnownAggregator] = {}

    async def load(self) -> None:
        """Those of earlier runs. Raises StoreCorrupt."""
        for peer, data in (await self._journal.read(KIND)).items():
            try:
                reputation = decode_reputation(data)
            except BadEncoding as error:
                self._events.publish("aggregator.unreadable", peer, error.message)
                continue
            known = KnownAggregator(peer, reputation, reputation.addresses, is_met=True)
            self._known[peer] = known

    def __iter__(self) -> Iterator[KnownAggregator]:
        return iter(list(self._known.values()))

    def __len__(self) -> int:
        return len(self._known)

    def get(self, peer: PeerId) -> KnownAggregator | None:
        return self._known.get(peer)

    def note(
        self, peer: PeerId, addresses: Sequence[Address] = (), *, is_listed: bool = False
    ) -> KnownAggregator:
        """One that somebody speaks of; new addresses take the place of the old ones."""
        known = self._known.get(peer)
        if known is None:
            if len(self._known) >= KNOWN_MAX:
                self._forget_one()
            now = self._clock.now()
            known = self._known[peer] = KnownAggregator(peer, Reputation(now, now))
        if addresses:
            known.addresses = tuple(addresses[:MAX_ADDRESSES])
        known.is_listed |= is_listed
        return known

    async def report(self, peer: PeerId, outcome: Outcome, why: str) -> None:
        """What one turned out to be, durable. Raises DiskFull."""
        known, now = self.note(peer), self._clock.now()
        reputation = known.reputation.after(outcome, now, why)
        known.reputation = replace(reputation, addresses=known.addresses)
        known.is_met = True
        said = f"{outcome.value}: {why}" if why else outcome.value
        note = "" if outcome is Outcome.KEPT else said
        await self._journal.write([Record(KIND, peer, encode_reputation(known.reputation), note)])
        if outcome is not Outcome.KEPT:
            kind = "aggregator.excluded" if outcome in EXCLUDING else "aggregator.failed"
            away = known.reputation.keeps_away(now)
            self._events.publish(kind, peer, f"{said}; {away}", outcome=outcome.value)

    def _forget_one(self) -> None:
        """Who has shown the least makes room; his record stays in the journal, if he has one."""
        now = self._clock.now()

        def shown(known: KnownAggregator) -> float:
            faded = known.reputation.faded(now)
            return faded.successes + faded.failures + known.is_listed * KNOWN_MAX

        del self._known[min(self._known.values(), key=shown).peer]
