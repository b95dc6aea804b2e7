"""Finds aggregators and asks them for offers.

    named, listed, journal, DHT ─► quote, a few at a time ─► signatures, hub, quote, time ─► sorted

The cheapest is first, its price divided by what it has shown of its reliability. Offers for the
same quote are kept while they hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from quire.aggregation.keys import service_cid
from quire.aggregation.offer import check_offer, quote_hash
from quire.aggregation.values import Service, SignedOffer
from quire.base.clock import Clock
from quire.base.errors import BadOffer, PeerError, PeerLied, PeerSilent
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.hub import HubDomain
from quire.chain.port import ChainClock
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.peer_id import decode_peer_id
from quire.net.discovery.finder import Finder
from quire.net.known_peer import KnownPeer, parse_peer
from quire.net.transport import Address, PeerId
from quire.point.choice_port import Outcome
from quire.services.ordering.aggregator_book import AggregatorBook, KnownAggregator
from quire.services.ordering.aggregator_client import AggregatorClient
from quire.store.journal import Journal

ASK_SECONDS = 5.0
SEARCH_SECONDS = 10.0
QUIET_SECONDS = 1.0  # without news, once there is an offer
STALE_SECONDS = 600.0  # after which the DHT is asked again
ASKED_AT_ONCE = 16
HOLD_SECONDS = 30  # that an offer has to hold to be handed out again
OFFERS_MAX = 16  # kept of each
TOLD_MAX = 6  # of whom it is said why they make no offer
LEAST_BOUND = 0.02  # of a reliability: whoever has failed often is dear, not endlessly so


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who would do it."""

    peer: PeerId
    addresses: tuple[Address, ...]
    offer: SignedOffer


@dataclass(frozen=True, slots=True)
class AggregatorPorts:
    """`domain`, `chain`: of the hub that this node pays through; `own_peer`: this node."""

    own_peer: PeerId
    finder: Finder
    client: AggregatorClient
    domain: HubDomain
    chain: ChainClock
    journal: Journal
    clock: Clock
    events: EventBus
    waits: Waits


class Aggregators:
    """`listed`: those that the user named in the settings."""

    def __init__(self, ports: AggregatorPorts, *, listed: Sequence[KnownPeer] = ()) -> None:
        self._ports = ports
        self._listed = listed
        self.book = AggregatorBook(ports.journal, ports.clock, ports.events)
        self._places = asyncio.Semaphore(ASKED_AT_ONCE)
        self._searched: dict[Service, float] = {}

    async def start(self) -> None:
        """Raises StoreCorrupt."""
        await self.book.load()
        for each in self._listed:
            self.book.note(each.peer, each.addresses, is_listed=True)

    async def find(
        self,
        quote: QuoteRequest,
        *,
        via: Sequence[str] = (),
        subject: str = "",
        exclude: Collection[PeerId] = (),
    ) -> list[Candidate]:
        """Who would do it, best first.

        via      peers that alone are asked, as ids or addresses; none: everybody who can be found
        subject  what events and waits are about
        exclude  peers that are not wanted
        Raises   BadConfig  a peer in `via` that is none
        """
        named = [parse_peer(text) for text in via]
        for each in named:
            self.book.note(each.peer, each.addresses)
        only = {each.peer: None for each in named}
        reason = "asking aggregators for offers"
        key = quote_hash(quote)
        for is_again in (False, True):  # then the DHT once more, and whoever was silent of late
            deadline = self._ports.clock.monotonic() + SEARCH_SECONDS
            with self._ports.waits.waiting(subject, reason, deadline):
                await self._ask_all(quote, only, exclude, deadline, is_again=is_again)
            found = [
                (self._rank(each, offer), each.peer, Candidate(each.peer, each.addresses, offer))
                for each in self._wanted(only, exclude, is_again=is_again)
                if (offer := self._kept(each, key, self._ports.chain.now())) is not None
            ]
            if found or only:
                break
        if not found:
            self._tell_none(quote, subject, only)
        return [candidate for _, _, candidate in sorted(found, key=lambda each: each[:2])]

    def why_none(self, service: Service, via: Sequence[str] = ()) -> str:
        """What those who were asked last said instead of an offer; "": nobody was. Raises
        BadConfig."""
        return self._why_none(service, {parse_peer(text).peer: None for text in via})

    async def report(self, peer: PeerId, outcome: Outcome, why: str = "") -> None:
        """What it turned out to be, durable. Raises DiskFull."""
        if outcome is Outcome.REFUSED:
            self.renew(peer)
        await self.book.report(peer, outcome, why)

    def renew(self, peer: PeerId) -> None:
        """After its restart it knows earlier offers no more, however long they were to hold."""
        known = self.book.get(peer)
        if known is not None:
            known.offers.clear()

    def shuns(self, peer: PeerId) -> str:
        """Why nothing is asked of this peer now, in words; empty when it may be."""
        known = self.book.get(peer)
        return "" if known is None else known.reputation.keeps_away(self._ports.clock.now())

    # ---- inside ----

    def _wanted(
        self, only: Collection[PeerId], exclude: Collection[PeerId], *, is_again: bool = False
    ) -> list[KnownAggregator]:
        """Who is asked: those named, or all that are not shunned; again: all but the excluded."""
        now = self._ports.clock.now()
        return [
            known
            for known in self.book
            if known.peer not in exclude
            and known.peer != self._ports.own_peer
            and (
                known.peer in only
                if only
                else now >= known.reputation.excluded_until
                and (is_again or not self.shuns(known.peer))
            )
        ]

    def _kept(self, known: KnownAggregator, key: bytes, now: float) -> SignedOffer | None:
        offer = known.offers.get(key)
        return offer if offer and offer.offer.valid_until >= now + HOLD_SECONDS else None

    def _rank(self, known: KnownAggregator, offer: SignedOffer) -> float:
        bound = known.reputation.bound(self._ports.clock.now())
        return (offer.offer.price + 1) / max(LEAST_BOUND, bound)

    async def _ask_all(
        self,
        quote: QuoteRequest,
        only: Collection[PeerId],
        exclude: Collection[PeerId],
        deadline: float,
        *,
        is_again: bool,
    ) -> None:
        """Until all have answered; with an offer in hand, until nobody has for a second."""
        key, now = quote_hash(quote), self._ports.chain.now()
        tasks = {
            asyncio.ensure_future(self._ask(known, quote, deadline)): None
            for known in self._wanted(only, exclude, is_again=is_again)
            if self._kept(known, key, now) is None
        }
        has_offer = any(self._kept(each, key, now) for each in self._wanted(only, exclude))
        if not only and (is_again or self._is_stale(quote.service)):
            search = self._search(quote, exclude, deadline)
            tasks[asyncio.ensure_future(search)] = None
        try:
            while tasks:
                left = deadline - self._ports.clock.monotonic()
                done, _ = await asyncio.wait(
                    list(tasks),
                    timeout=max(0.0, min(left, QUIET_SECONDS) if has_offer else left),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not done:
                    return
                for task in done:
                    del tasks[task]
                    has_offer |= bool(task.result())
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(list(tasks))

    def _is_stale(self, service: Service) -> bool:
        searched = self._searched.get(service)
        return searched is None or self._ports.clock.monotonic() - searched >= STALE_SECONDS

    async def _search(
        self, quote: QuoteRequest, exclude: Collection[PeerId], deadline: float
    ) -> bool:
        """Ask everybody of whom the DHT tells; whether somebody made an offer."""
        asked: dict[PeerId, asyncio.Task[bool]] = {}
        before = {known.peer: None for known in self._wanted((), exclude)}
        async with asyncio.TaskGroup() as group:
            async for record in self._ports.finder.find(service_cid(quote.service), deadline):
                if record.peer in exclude or record.peer == self._ports.own_peer:
                    continue
                known = self.book.note(record.peer, record.addresses)
                known.services[quote.service] = None
                if record.peer not in before and record.peer not in asked:
                    asking = self._ask(known, quote, deadline)
                    asked[record.peer] = group.create_task(asking)
        if any(task.result() for task in asked.values()) or before:
            self._searched[quote.service] = self._ports.clock.monotonic()
        return any(task.result() for task in asked.values())

    async def _ask(self, known: KnownAggregator, quote: QuoteRequest, deadline: float) -> bool:
        """Whether it makes an offer; `problem` says why not."""
        ports = self._ports
        excluded_until = known.reputation.excluded_until
        if ports.clock.monotonic() >= deadline or ports.clock.now() < excluded_until:
            return False
        until = min(deadline, ports.clock.monotonic() + ASK_SECONDS)
        try:
            async with self._places:
                offer = await ports.client.quote(known.peer, quote, until, known.addresses)
            peer_id = decode_peer_id(known.peer)
            check_offer(offer, peer_id, quote, ports.domain, ports.chain.now())
        except (PeerError, BadOffer) as error:
            known.problems[quote.service] = error.message
            known.offers.pop(quote_hash(quote), None)
            await self._blame(known, error)
            return False
        known.problems.pop(quote.service, None)
        known.services[quote.service] = None
        known.offers[quote_hash(quote)] = offer
        while len(known.offers) > OFFERS_MAX:
            del known.offers[next(iter(known.offers))]
        return True

    async def _blame(self, known: KnownAggregator, error: PeerError | BadOffer) -> None:
        """No answer is a failure, a forged offer is worse, no offer is none. Of strangers nothing
        is written down: there is no end of them."""
        if isinstance(error, PeerLied):
            outcome = Outcome.BAD_SIGNATURE
        elif isinstance(error, PeerSilent):
            outcome = Outcome.SILENT
        else:
            return
        if known.is_met:
            await self.book.report(known.peer, outcome, error.message)
        else:
            now = self._ports.clock.now()
            known.reputation = known.reputation.after(outcome, now, error.message)

    def _tell_none(self, quote: QuoteRequest, subject: str, only: Collection[PeerId]) -> None:
        why = self._why_none(quote.service, only)
        name = quote.service.name.lower()
        words = f"no aggregator makes an offer to {name}" + (f": {why}" if why else "")
        self._ports.events.publish("aggregator.none", subject, words)

    def _why_none(self, service: Service, only: Collection[PeerId]) -> str:
        known = [each for each in self.book if each.peer in only] if only else list(self.book)
        return "; ".join(self._why_not(each, service) for each in known[:TOLD_MAX])

    def _why_not(self, known: KnownAggregator, service: Service) -> str:
        if away := self.shuns(known.peer):
            return f"{known.peer}: {away}"
        return known.problems.get(service) or f"{known.peer} was tried already"
