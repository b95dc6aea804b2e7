"""Finds providers and asks them for their offers.

    journal, list ─► book ─┐
    16 keys in the DHT ────┴─► asked at once, a few at a time ─► signatures, hub, time ─► book

One search serves all who wait for it.
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
from quire.formats.peer_id import decode_peer_id
from quire.net.discovery.finder import Finder
from quire.net.single_flight import SingleFlight
from quire.net.transport import Address, PeerId, Transport
from quire.point.choice_port import Outcome
from quire.point.offer import check_offer
from quire.point.shards import SHARDS, shard_cid
from quire.point.values import SignedOffer
from quire.services.background import Background
from quire.services.retail.provider_book import NEVER, OFFER_SECONDS, Known, ProviderBook
from quire.store.journal import Journal

ASK_SECONDS = 10.0
SEARCH_SECONDS = 20.0  # of one key in the DHT
ASKED_AT_ONCE = 16
FAILED_SECONDS = 60.0  # who gave no good offer is not asked again for so long
QUIET_SECONDS = 1.0  # without news: who has not answered by now is slow, or gone
RTT_PULL = 0.25  # of a slower answer

# An offer whose signatures are good. Raises PeerError (PeerLied: they are not).
AskOffer: TypeAlias = Callable[[PeerId, Sequence[Address], float], Awaitable[SignedOffer]]


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


class ProviderSearch:
    """`looks` have ended since the start; `asked`: offers asked for, by what came of it."""

    def __init__(self, ports: ProviderPorts, book: ProviderBook) -> None:
        self._ports = ports
        self._book = book
        self._flights: SingleFlight[PeerId, SignedOffer] = SingleFlight()
        self._places = asyncio.Semaphore(ASKED_AT_ONCE)
        self._task = Background("provider-search", self._run, ports.events)
        self._wanted = asyncio.Event()
        self._news = asyncio.Event()
        self._is_looking = False
        self._looked_at: float | None = None  # when the last look ended
        self._news_at = NEVER
        self._missed: dict[PeerId, QuireError] = {}  # in this look, so far
        self.looks = 0
        self.asked: Counter[str] = Counter()

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    # ---- looking ----

    @property
    def is_looking(self) -> bool:
        return self._is_looking or self._wanted.is_set()

    @property
    def is_settled(self) -> bool:
        """No look goes on, or none that still brings news."""
        return not self.is_looking or self._ports.clock.monotonic() >= self._quiet_at

    @property
    def _quiet_at(self) -> float:
        return self._news_at + QUIET_SECONDS

    @property
    def is_stale(self) -> bool:
        """Whether what is known is too old to go by."""
        monotonic = self._ports.clock.monotonic()
        return self._looked_at is None or monotonic - self._looked_at >= OFFER_SECONDS

    @property
    def misses_somebody(self) -> bool:
        """Whether a provider without an offer may be asked again."""
        return any(self._is_due(known) for known in self._book)

    def begin(self) -> None:
        """Look for providers; once, however many ask."""
        if not self.is_looking:
            self._news_at = self._ports.clock.monotonic()
        self._wanted.set()

    async def until_news(self, deadline: float) -> None:
        """Until an offer came, or failed to, or a look ended. `deadline` in monotonic seconds."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._news.wait()
        except TimeoutError:
            return

    async def until_settled(self, deadline: float) -> None:
        while not self.is_settled and self._ports.clock.monotonic() < deadline:
            await self.until_news(min(deadline, self._quiet_at))

    async def until_looked(self, deadline: float) -> None:
        while self.is_looking and self._ports.clock.monotonic() < deadline:
            await self.until_news(deadline)

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
        """Ask everybody whose offer is not fresh, while the DHT tells of more, and of those who
        have moved. Who is in vain asked where it was is not blamed before that is over."""
        self._missed.clear()
        async with asyncio.TaskGroup() as group:
            for known in self._book:
                group.create_task(self._refresh(known))
            for shard in range(SHARDS):
                group.create_task(self._search_shard(shard, group))
        for peer, error in self._missed.items():
            if (missed := self._book.get(peer)) is not None:
                await self._blame(missed, error)
        self._looked_at = self._ports.clock.monotonic()
        self.looks += 1

    async def _search_shard(self, shard: int, group: asyncio.TaskGroup) -> None:
        deadline = self._ports.clock.monotonic() + SEARCH_SECONDS
        async for record in self._ports.finder.find(shard_cid(shard), deadline):
            known = self._book.note(record.peer, record.addresses)
            group.create_task(self._refresh(known))

    async def _refresh(self, known: Known) -> None:
        if self._is_due(known):
            try:
                await self.ask(known)
            except (PeerError, BadOffer):
                return  # `problem` says it

    def _is_due(self, known: Known) -> bool:
        ports = self._ports
        monotonic = ports.clock.monotonic()
        if known.peer == ports.transport.peer_id or known.retry_at > monotonic:
            return False
        if known.reputation.keeps_away(ports.clock.now()):
            return False
        return known.fresh_offer(monotonic, ports.chain.now()) is None

    def _tell_news(self) -> None:
        self._news_at = self._ports.clock.monotonic()
        news, self._news = self._news, asyncio.Event()
        news.set()

    # ---- offers ----

    async def ask(self, known: Known) -> SignedOffer:
        """Its offer of now.

        Raises   PeerSilent, PeerGone, PeerRefused, ProtocolMismatch, BadOffer"""
        return await self._flights.run(known.peer, lambda: self._asked(known))

    async def _asked(self, known: Known) -> SignedOffer:
        try:
            async with self._places:
                offer = await self._ask_there(known)
        except QuireError as error:
            known.offer, known.problem = None, error.message
            known.retry_at = self._ports.clock.monotonic() + FAILED_SECONDS
            self.asked[error.code] += 1
            if self._is_looking and not isinstance(error, PeerLied):
                self._missed[known.peer] = error
            else:
                await self._blame(known, error)
            if isinstance(error, PeerLied):
                raise BadOffer(error.message) from None
            raise
        finally:
            self._tell_news()
        self._missed.pop(known.peer, None)
        self.asked["ok"] += 1
        return offer

    async def _ask_there(self, known: Known) -> SignedOffer:
        """Where it was, and where it is said to be by then, if that is elsewhere."""
        where = known.addresses
        try:
            return await self._ask_now(known)
        except PeerError as error:
            if known.addresses == where or isinstance(error, PeerLied):
                raise
            return await self._ask_now(known)

    async def _ask_now(self, known: Known) -> SignedOffer:
        ports = self._ports
        began = ports.clock.monotonic()
        deadline = began + ASK_SECONDS
        with ports.waits.waiting(known.peer, "asking a provider for its offer", deadline):
            offer = await ports.ask_offer(known.peer, known.addresses, deadline)
        took = ports.clock.monotonic() - began
        check_offer(offer, decode_peer_id(known.peer), ports.domain, ports.chain.now())
        known.offer, known.offer_at, known.problem = offer, ports.clock.monotonic(), ""
        known.met_at = self._book.where(known)
        usual = known.reputation.rtt
        is_quicker = usual == 0 or took < usual
        rtt = took if is_quicker else usual + RTT_PULL * (took - usual)
        known.reputation = replace(known.reputation, rtt=rtt)
        if known.is_met and known.addresses != known.reputation.addresses:
            await self._book.write(known, "it has moved")
        if not known.is_met:
            terms = offer.offer
            await self._book.write(known, "met for the first time")
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
            await self._book.report(known, outcome, error.message)
        else:
            now = self._ports.clock.now()
            known.reputation = known.reputation.after(outcome, now, error.message)
