"""Provider choice of one node: who is there, what they offer, who gets the next replica.

    list, journal, DHT ─► offer asked and checked ─► book ─► point/choosing ─► candidates
                                    reports ─► reputation ─┘ (durable)

Looking for providers is shared by all that choose, and repeated when what is known is older than
ten minutes or not enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from quire.formats.peer_id import encode_peer_id
from quire.net.known_peer import KnownPeer
from quire.net.transport import Address, PeerId
from quire.point.choice_port import Candidate, Need, Outcome
from quire.point.choosing import WHOLE, Situation, choose, spread_after
from quire.point.prospect import Company, Prospect, why_not
from quire.point.values import SignedOffer
from quire.services.retail.provider_book import Known, ProviderBook
from quire.services.retail.provider_search import ProviderPorts, ProviderSearch

CHOOSE_SECONDS = 30.0  # at most, for one choice
FIRST_LOOK_SECONDS = 5.0  # a choice waits so long for those that answer, when nothing is known yet

AsnsOf: TypeAlias = Callable[[Sequence[Address]], tuple[int, ...]]


class Providers:
    """Implements `Choice`. `secret`: 32 bytes of this node; `listed`: providers its user named."""

    def __init__(
        self,
        ports: ProviderPorts,
        secret: bytes,
        *,
        listed: Sequence[KnownPeer] = (),
        asns_of: AsnsOf | None = None,
    ) -> None:
        self._ports = ports
        self._secret = secret
        self._listed = listed
        self.book = ProviderBook(
            ports.journal, ports.clock, ports.events, live=self._live, asns_of=asns_of
        )
        self.search = ProviderSearch(ports, self.book)
        self.chosen: Counter[str] = Counter()  # replicas for which a provider was wanted

    async def start(self) -> None:
        """Raises StoreCorrupt."""
        await self.book.load()
        for each in self._listed:
            self.book.note(each.peer, each.addresses, is_listed=True)
        self.search.start()

    async def stop(self) -> None:
        await self.search.stop()

    # ---- Choice ----

    async def choose(self, need: Need, count: int) -> list[Candidate]:
        """As the port says. Waits for a search only while what is known is not enough."""
        began = self._ports.clock.monotonic()
        deadline = began + CHOOSE_SECONDS
        with self._ports.waits.waiting(need.subject, "looking for providers", deadline) as wait:
            if self.search.is_stale:
                self.search.begin()
                await self.search.until_settled(began + FIRST_LOOK_SECONDS)
            looks = self.search.looks
            while True:
                passed = self._ports.clock.monotonic() - began
                spread = WHOLE if self.search.is_settled else spread_after(passed)
                chosen = self._draw(need, count, spread)
                if len(chosen) >= count or passed >= CHOOSE_SECONDS:
                    break
                if not self.search.is_looking:
                    if self.search.looks > looks:
                        break  # looked again for this choice: there are no more
                    self.search.begin()
                wait.reason = f"looking for providers: {len(chosen)} of {count} so far"
                await self.search.until_news(min(deadline, self._ports.clock.monotonic() + 1.0))
        self.chosen["yes"] += len(chosen)
        self.chosen["no"] += max(0, count - len(chosen))
        if len(chosen) < count:
            self._tell_short(need, count, chosen)
        return [Candidate(p.peer, p.addresses, p.offer) for p in chosen]

    async def offer(self, peer: str, addresses: tuple[str, ...] = ()) -> SignedOffer:
        known = self.book.note(peer, addresses)
        offer = known.fresh_offer(self._ports.clock.monotonic(), self._ports.chain.now())
        return offer or await self.search.ask(known)

    def forget_offer(self, peer: str) -> None:
        known = self.book.get(peer)
        if known is not None:
            known.offer = None

    def shuns(self, peer: str) -> str:
        known = self.book.get(peer)
        return "" if known is None else known.reputation.keeps_away(self._ports.clock.now())

    async def report(self, peer: str, outcome: Outcome, why: str = "") -> None:
        """Raises DiskFull."""
        await self.book.report(self.book.note(peer), outcome, why)

    # ---- what is known ----

    async def look(self, seconds: float) -> None:
        """Have the offers of now, as far as they come within so many seconds."""
        if self.search.is_stale or self.search.misses_somebody:
            self.search.begin()
        await self.search.until_looked(self._ports.clock.monotonic() + seconds)

    def company(self, need: Need, count: int) -> Company:
        """Who has replicas of this chunk."""
        company = Company(len(need.sharing) + count)
        for signed in need.sharing:
            known = self.book.get(encode_peer_id(signed.offer.peer_id))
            if known is None:
                company.join(signed.offer)
            else:
                prospect = self.book.prospect(known, signed)
                company.join(signed.offer, prospect.networks, prospect.asns)
        return company

    def why_not(self, known: Known, need: Need) -> str:
        """Why a provider would get no replica now, in words; empty when it may."""
        ports = self._ports
        if away := known.reputation.keeps_away(ports.clock.now()):
            return away
        offer = known.fresh_offer(ports.clock.monotonic(), ports.chain.now())
        if offer is None:
            if known.offer is not None:
                return "its offer is too old, and it has not been asked again since"
            return known.problem or "it has not been asked for its offer yet"
        prospect = self.book.prospect(known, offer)
        unfit = why_not(
            prospect, need, now=ports.clock.now(), chain_now=ports.chain.now()
        ) or self.company(need, 1).refuses(prospect)
        return "" if unfit is None else unfit.words

    def _draw(self, need: Need, count: int, spread: float) -> list[Prospect]:
        ports = self._ports
        chain_now = ports.chain.now()
        situation = Situation(self._secret, ports.clock.now(), chain_now, spread)
        prospects = self.book.prospects(chain_now)
        return choose(prospects, need, count, self.company(need, count), situation)

    def _tell_short(self, need: Need, count: int, chosen: Sequence[Prospect]) -> None:
        taken = [p.peer for p in chosen]
        beside = replace(need, sharing=(*need.sharing, *(p.offer for p in chosen)))
        others = [known for known in self.book if known.peer not in taken]
        reasons = Counter(self.why_not(known, beside) for known in others)
        reasons.pop("", None)
        listed = "; ".join(f"{words} ({n})" for words, n in reasons.most_common(6))
        self._ports.events.publish(
            "provider.short",
            need.subject,
            f"{len(chosen)} of {count} providers found among {len(self.book)} known; "
            f"of the others: {listed or 'nothing'}",
        )

    def _live(self) -> dict[PeerId, list[Address]]:
        found: dict[PeerId, list[Address]] = {}
        for each in self._ports.transport.connections():
            found.setdefault(each.peer, []).append(each.address)
        return found
