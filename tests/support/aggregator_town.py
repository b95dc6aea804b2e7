"""Aggregators on a network in memory that do nothing but make offers, and a node that asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from quire.aggregation.keys import service_cid
from quire.aggregation.offer import quote_hash, sign_offer
from quire.aggregation.values import Offer, Service, SignedOffer
from quire.base.rng import seeded_rng
from quire.base.waits import Waits
from quire.formats.aggregator import MAX_MESSAGE_BYTES, AggregatorAnswer, decode_request
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Code
from quire.formats.peer_id import decode_peer_id
from quire.formats.signed_offer import OfferAnswer
from quire.kernels.signing import address_of, sign_recoverable
from quire.net.answering import serve_requests
from quire.net.discovery import Finder
from quire.net.identity import Identity
from quire.net.known_peer import KnownPeer
from quire.net.memory import MemoryTransport
from quire.net.requests import Requests
from quire.services.ordering.aggregator_client import AggregatorClient
from quire.services.ordering.aggregators import AggregatorPorts, Aggregators
from quire.sim.loop import SimLoop, run
from support.offering import DOMAIN, Town, key_of

PROTOCOL = "/quire/aggregator/1.0.0"
ENCODE = QuoteRequest(Service.ENCODE, 1 << 30, 65536, 4, 2)


class Office:
    """An aggregator as far as its offers go. Attributes may be changed at any time."""

    def __init__(self, town: Town, number: int, **terms: Any) -> None:
        self._town = town
        self.identity = Identity.of(key_of(f"aggregator {number}"))
        self.payee_key = key_of(f"payee {number}")
        self.address = f"/memory/aggregator{number}"
        self.terms = terms
        self.code = Code.OK
        self.is_silent = False
        self.asked = 0
        self.forge: Callable[[OfferAnswer], OfferAnswer] = lambda answer: answer
        self.transport = MemoryTransport(town.network, self.identity.peer_id, self.address)

    @property
    def peer(self) -> str:
        return self.identity.peer_id

    @property
    def known(self) -> KnownPeer:
        return KnownPeer(self.peer, (self.address,))

    def offer(self, quote: QuoteRequest) -> SignedOffer:
        usual = Offer(
            peer_id=decode_peer_id(self.peer),
            payee=address_of(self.payee_key),
            chain_id=DOMAIN.chain_id,
            contract=DOMAIN.contract,
            service=quote.service,
            quote_hash=quote_hash(quote),
            price=1000,
            price_first=600,
            max_bytes=1 << 40,
            key_hash=bytes(32),
            bond=0,
            seconds=60,
            valid_until=int(self._town.chain.now()) + 600,
        )
        return sign_offer(
            replace(usual, **self.terms),
            lambda digest: sign_recoverable(self.payee_key, digest),
            self.identity.sign,
        )

    async def open(self, *, announces: bool = True) -> None:
        serve_requests(
            self.transport,
            PROTOCOL,
            self._answer,
            self._town.events,
            max_message_bytes=MAX_MESSAGE_BYTES,
        )
        await self.transport.start()
        await self._town.meet(self.transport)
        if announces:
            deadline = self._town.clock.monotonic() + 10
            await self.transport.provide(service_cid(Service.ENCODE).encode(), deadline)

    async def _answer(self, peer: str, payload: memoryview) -> Sequence[bytes]:
        request = decode_request(payload)
        assert isinstance(request.body, QuoteRequest)
        self.asked += 1
        if self.is_silent:
            await asyncio.sleep(1000)
        if self.code is not Code.OK:
            return [bytes(s) for s in AggregatorAnswer(self.code, "not today").segments()]
        signed = self.offer(request.body)
        body = OfferAnswer(signed.data, signed.sig_payee, signed.sig_peer)
        answer = AggregatorAnswer(Code.OK, body=self.forge(body))
        return [bytes(segment) for segment in answer.segments()]


async def customer(town: Town, listed: Sequence[Office] = ()) -> Aggregators:
    """A node that has just started; the same node each time."""
    town.starts += 1
    identity = Identity.of(key_of("customer"))
    transport = MemoryTransport(town.network, identity.peer_id, f"/memory/customer{town.starts}")
    await transport.start()
    await town.meet(transport)
    waits = Waits(town.clock)
    ports = AggregatorPorts(
        own_peer=identity.peer_id,
        finder=Finder(transport, town.clock, seeded_rng(1), town.events, waits=waits),
        client=AggregatorClient(Requests(transport), PROTOCOL, town.clock),
        domain=DOMAIN,
        chain=town.chain,
        journal=town.journal,
        clock=town.clock,
        events=town.events,
        waits=waits,
    )
    aggregators = Aggregators(ports, listed=[office.known for office in listed])
    await aggregators.start()
    return aggregators


async def offices(town: Town, *prices: int) -> list[Office]:
    """Announced ones, each with its price."""
    found = [Office(town, number, price=price) for number, price in enumerate(prices)]
    for office in found:
        office.terms["price_first"] = office.terms["price"] // 2
        await office.open()
    return found


def play(scene: Callable[[Town], Coroutine[Any, Any, None]]) -> None:
    """A scene in virtual time."""
    loop = SimLoop(seeded_rng(1))

    async def whole() -> None:
        await scene(Town(loop))

    run(loop, whole())
