"""Provider choice of one node: who is there, what they offer, who gets the next replica.

    list, journal, DHT ─► offer asked and checked ─► book ─► point/choosing ─► candidates
                                    reports ─► reputation ─┘ (durable)

Looking for providers is shared by all that choose, and repeated when what is known is older than
ten minutes or not enough.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from quire.base.clock import Clock
from quire.base.errors import BadOffer, PeerError, PeerLied, PeerSilent, QuireError
from quire.base.events import EventBus
from quire.base.waits import Waits
from quire.chain.hub import HubDomain
from quire.chain.port import ChainClock
from quire.formats.peer_id import decode_peer_id, encode_peer_id
from quire.net.discovery.finder import Finder
from quire.net.known_peer import KnownPeer
from quire.net.single_flight import SingleFlight
from quire.net.transport import Address, PeerId, Transport
from quire.point.choice_port import Candidate, Need, Outcome
from quire.point.choosing import WHOLE, Situation, choose, spread_after
from quire.point.offer import check_offer
from quire.point.prospect import Company, Prospect, why_not
from quire.point.reputation import EXCLUDING
from quire.point.shards import SHARDS, shard_cid
from quire.point.values import SignedOffer
from quire.services.background import Background
from quire.services.retail.provider_book import OFFER_SECONDS, Known, ProviderBook
from quire.store.journal import Journal

CHOOSE_SECONDS = 30.0  # at most, for one choice
FIRST_LOOK_SECONDS = 5.0  # a choice waits so long for those that answer, when nothing is known yet
ASK_SECONDS = 10.0
SEARCH_SECONDS = 20.0  # of one key in the DHT
ASKED_AT_ONCE = 16
FAILED_SECONDS = 60.0  # a stranger that gave no good offer is not asked again for so long
RTT_PULL = 0.25  # of a slower answer

# An offer whose signatures are good. Raises PeerError (PeerLied: they are not), BadOffer.
AskOffer: TypeAlias = Callable[[PeerId, Sequence[Address], float], Awaitable[SignedOffer]]
AsnsOf: TypeAlias = Callable[[Sequence[Address]], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class ProviderPorts:
    """`domain`, `chain`: of the hub that this node pays through."""

    transport: Transport
    finder: Finder
    ask_offer: AskOffer
    domain: HubDomain
    chain: ChainClock
    journal: Journal
    clock: Clock
    events: EventBus
    waits: Waits


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
        self._flights: SingleFlight[PeerId, SignedOffer] = SingleFlight()
        self._places = asyncio.Semaphore(ASKED_AT_ONCE)
        self._search = Background("provider-search", self._run, ports.events)
        self._wanted = asyncio.Event()
        self._news = asyncio.Event()
        self._is_looking = False
        self._looked_at: float | None = None  # when the last look ended
        self.looks = 0
        self.asked: Counter[str] = Counter()  # offers asked for, by what came of it
        self.chosen: Counter[str] = Counter()  # replicas for which a provider was wanted

    async def start(self) -> None:
        """Raises StoreCorrupt."""
        await self.book.load()
        for each in self._listed:
            self.book.note(each.peer, each.addresses, is_listed=True)
        self._search.start()

    async def stop(self) -> None:
        await self._search.stop()

    # ---- Choice ----

    async def choose(self, need: Need, count: int) -> list[Candidate]:
        """As the port says. Waits for a search only while what is known is not enough."""
        began = self._ports.clock.monotonic()
        deadline = began + CHOOSE_SECONDS
        subject = need.seed.hex()
        with self._ports.waits.waiting(subject, "looking for providers", deadline) as wait:
            if self._is_stale():
                self._begin_look()
                await self._until_looked(began + FIRST_LOOK_SECONDS)
            looks = self.looks
            while True:
                passed = self._ports.clock.monotonic() - began
                spread = spread_after(passed) if self.is_looking else WHOLE
                chosen = self._draw(need, count, spread)
                if len(chosen) >= count or passed >= CHOOSE_SECONDS:
                    break
                if not self.is_looking:
                    if self.looks > looks:
                        break  # looked again for this choice: there are no more
                    self._begin_look()
                wait.reason = f"looking for providers: {len(chosen)} of {count} so far"
                await self._until_news(min(deadline, self._ports.clock.monotonic() + 1.0))
        self.chosen["yes"] += len(chosen)
        self.chosen["no"] += max(0, count - len(chosen))
        if len(chosen) < count:
            self._tell_short(need, count, chosen)
        return [Candidate(p.peer, p.addresses, p.offer) for p in chosen]

    async def offer(self, peer: str, addresses: tuple[str, ...] = ()) -> SignedOffer:
        known = self.book.note(peer, addresses)
        offer = known.fresh_offer(self._ports.clock.monotonic(), self._ports.chain.now())
        return offer or await self._ask(known)

    def forget_offer(self, peer: str) -> None:
        known = self.book.get(peer)
        if known is not None:
            known.offer = None

    async def report(self, peer: str, outcome: Outcome, why: str = "") -> None:
        """Raises DiskFull."""
        known = self.book.note(peer)
        before, now = known.reputation, self._ports.clock.now()
        known.reputation = before.after(outcome, now, why)
        said = f"{outcome.value}: {why}" if why else outcome.value
        await self.book.write(known, "" if outcome is Outcome.KEPT else said)
        if outcome is not Outcome.KEPT:
            away = known.reputation.keeps_away(now)
            kind = "provider.excluded" if outcome in EXCLUDING else "provider.failed"
            self._ports.events.publish(kind, peer, f"{said}; {away}", outcome=outcome.value)

    # ---- what is known ----

    @property
    def is_looking(self) -> bool:
        return self._is_looking or self._wanted.is_set()

    async def look(self, seconds: float) -> None:
        """Have the offers of now, as far as they come within so many seconds."""
        if self._is_stale():
            self._begin_look()
        await self._until_looked(self._ports.clock.monotonic() + seconds)

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
        wider = replace(need, used=[*need.used, *taken])
        reasons = Counter(self.why_not(known, wider) for known in self.book)
        reasons.pop("", None)
        listed = "; ".join(f"{words} ({n})" for words, n in reasons.most_common(6))
        self._ports.events.publish(
            "provider.short",
            need.seed.hex(),
            f"{len(chosen)} of {count} providers found among {len(self.book)} known; "
            f"of the others: {listed or 'nothing'}",
        )

    def _live(self, peer: PeerId) -> Sequence[Address]:
        return [each.address for each in self._ports.transport.connections() if each.peer == peer]

    # ---- offers ----

    async def _ask(self, known: Known) -> SignedOffer:
        """Raises PeerSilent, PeerGone, PeerRefused, BadOffer."""
        return await self._flights.run(known.peer, lambda: self._asked(known))

    async def _asked(self, known: Known) -> SignedOffer:
        try:
            async with self._places:
                offer = await self._ask_now(known)
        except QuireError as error:
            known.offer, known.problem = None, error.message
            known.retry_at = self._ports.clock.monotonic() + FAILED_SECONDS
            self.asked[error.code] += 1
            await self._blame(known, error)
            if isinstance(error, PeerLied):
                raise BadOffer(error.message) from None
            raise
        finally:
            self._tell_news()
        self.asked["ok"] += 1
        return offer

    async def _ask_now(self, known: Known) -> SignedOffer:
        ports = self._ports
        began = ports.clock.monotonic()
        offer = await ports.ask_offer(known.peer, known.addresses, began + ASK_SECONDS)
        took = ports.clock.monotonic() - began
        check_offer(offer, decode_peer_id(known.peer), ports.domain, ports.chain.now())
        is_first = not known.is_met
        known.offer, known.offer_at, known.problem = offer, ports.clock.monotonic(), ""
        usual = known.reputation.rtt
        is_quicker = usual == 0 or took < usual
        rtt = took if is_quicker else usual + RTT_PULL * (took - usual)
        known.reputation = replace(known.reputation, rtt=rtt)
        if is_first:
            terms = offer.offer
            await self.book.write(known, "met for the first time")
            ports.events.publish(
                "provider.met",
                known.peer,
                f"it offers {terms.free_bytes} bytes at {terms.price_byte_second} a byte-second",
                payee=f"0x{terms.payee.hex()}",
            )
        return offer

    async def _blame(self, known: Known, error: QuireError) -> None:
        """No answer is a failure, and a forged offer is worse; terms that do not suit are none.
        Of strangers nothing is written down: there is no end of them."""
        if isinstance(error, PeerLied):
            outcome = Outcome.BAD_SIGNATURE
        elif isinstance(error, PeerSilent):
            outcome = Outcome.SILENT
        else:
            return
        if known.is_met:
            await self.report(known.peer, outcome, error.message)
        else:
            now = self._ports.clock.now()
            known.reputation = known.reputation.after(outcome, now, error.message)

    # ---- looking ----

    def _is_stale(self) -> bool:
        monotonic = self._ports.clock.monotonic()
        return self._looked_at is None or monotonic - self._looked_at >= OFFER_SECONDS

    def _begin_look(self) -> None:
        self._wanted.set()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._is_looking = True
            self._wanted.clear()
            try:
                await self._look()
            finally:
                self._is_looking = False
                self._tell_news()

    async def _look(self) -> None:
        """Ask everybody whose offer is not fresh, while the DHT tells of more."""
        async with asyncio.TaskGroup() as group:
            for known in self.book:
                group.create_task(self._refresh(known))
            for shard in range(SHARDS):
                group.create_task(self._search_shard(shard, group))
        self._looked_at = self._ports.clock.monotonic()
        self.looks += 1

    async def _search_shard(self, shard: int, group: asyncio.TaskGroup) -> None:
        deadline = self._ports.clock.monotonic() + SEARCH_SECONDS
        async for record in self._ports.finder.find(shard_cid(shard), deadline):
            known = self.book.note(record.peer, record.addresses)
            group.create_task(self._refresh(known))

    async def _refresh(self, known: Known) -> None:
        ports = self._ports
        monotonic = ports.clock.monotonic()
        if known.peer == ports.transport.peer_id or known.retry_at > monotonic:
            return
        if known.reputation.keeps_away(ports.clock.now()):
            return
        if known.fresh_offer(monotonic, ports.chain.now()) is None:
            try:
                await self._ask(known)
            except (PeerError, BadOffer):
                return  # `problem` says it

    def _tell_news(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _until_news(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._news.wait()
        except TimeoutError:
            return

    async def _until_looked(self, deadline: float) -> None:
        while self.is_looking and self._ports.clock.monotonic() < deadline:
            await self._until_news(deadline)
