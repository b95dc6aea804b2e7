"""Aggregators that a node knows, as data: what they do, at what price, what they have shown."""

from __future__ import annotations

import asyncio

from aiohttp import web

from quire.base.errors import InputError
from quire.base.units import parse_size
from quire.chain.abi import address_text
from quire.dataset.geometry import MAX_SLOTS_PROVABLE
from quire.faces.rest.inputs import block_size_of, whole_of
from quire.faces.rest.jobs import aggregation_of
from quire.faces.rest.providers import ReputationBody, reputation_body
from quire.faces.rest.reply import reply_json
from quire.faces.rest.shape import Shape
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Service
from quire.market.bid import NODES, TOLERANCE
from quire.net.transport import PeerId
from quire.node.aggregation_settings import via_of
from quire.node.node import Node
from quire.services.ordering.aggregator_book import KnownAggregator
from quire.services.ordering.aggregators import Aggregators, Candidate

SIZE = "1GiB"  # of which a price is asked where nothing is said


class ServiceOffer(Shape, frozen=True):
    """What an aggregator asks for: `price` of the whole, of it `priceFirst` once the result is
    checked, the rest when hosts have the blocks. `maxBytes`: the largest dataset (encode);
    `keyHash`: of the circuit (prove); `bond`: promised with each proof (submit); `seconds`: that
    it takes at most, by its own account; `validUntil`: unix seconds of the chain."""

    service: str
    payee: str
    price: str
    price_first: str
    max_bytes: int
    key_hash: str
    bond: str
    seconds: int
    valid_until: int


class AggregatorBody(Shape, frozen=True):
    """`offers`: for what the query asks; `problems`: by service, why it made none for that;
    `shunned`: why nothing is asked of it now; `listed`: the user named it."""

    peer_id: str
    addresses: list[str]
    services: list[str]
    offers: list[ServiceOffer]
    problems: dict[str, str]
    shunned: str
    listed: bool
    reputation: ReputationBody


class AggregatorList(Shape, frozen=True):
    """Those with offers first, the best of them before all. `size`, `nodes`, `tolerance`: of the
    coding that was asked about."""

    size: int
    nodes: int
    tolerance: int
    aggregators: list[AggregatorBody]


async def list_aggregators(request: web.Request, node: Node) -> web.Response:
    """Everybody who is known or found is asked what he takes for it."""
    aggregators = aggregation_of(node).aggregators
    query = request.query
    size = parse_size(query.get("size", SIZE))
    nodes, tolerance = rows_of(query.get("nodes", str(NODES)), query.get("tolerance"))
    services = _services(query.get("service", ""))
    via = via_of(query.getall("via", []), "via")
    quotes = [
        quote_of(service, size, nodes, tolerance, block_size_of(request, node))
        for service in services
    ]
    peers = () if via is None else via.peers
    found = await asyncio.gather(*(aggregators.find(quote, via=peers) for quote in quotes))
    order = list(dict.fromkeys(each.peer for candidates in found for each in candidates))
    offers = [each for candidates in found for each in candidates]
    known = sorted(aggregators.book, key=lambda each: _place(order, each.peer))
    now = node.clock.now()
    bodies = [_body(aggregators, each, offers, now) for each in known]
    return reply_json(AggregatorList(size, nodes, tolerance, bodies))


def quote_of(
    service: Service, size: int, nodes: int, tolerance: int, block_size: int
) -> QuoteRequest:
    """Sizes and rows are told for ENCODE only."""
    if service is not Service.ENCODE:
        return QuoteRequest(service)
    return QuoteRequest(service, size, block_size, nodes - tolerance, tolerance)


def rows_of(nodes: str, tolerance: str | None) -> tuple[int, int]:
    """Hosts, and how many of them may be lost. Raises InputError."""
    count = whole_of(nodes, "nodes", 2, MAX_SLOTS_PROVABLE)
    lost = whole_of(str(TOLERANCE) if tolerance is None else tolerance, "tolerance", 1, count - 1)
    return count, lost


def _services(name: str) -> list[Service]:
    """Raises InputError."""
    if not name:
        return list(Service)
    if name.upper() not in Service.__members__:
        known = ", ".join(service.name.lower() for service in Service)
        raise InputError(f"service={name[:40]} is none of {known}")
    return [Service[name.upper()]]


def _place(order: list[PeerId], peer: PeerId) -> tuple[int, PeerId]:
    return order.index(peer) if peer in order else len(order), peer


def _body(
    aggregators: Aggregators, known: KnownAggregator, found: list[Candidate], now: float
) -> AggregatorBody:
    offers = [_offer(each) for each in found if each.peer == known.peer]
    services = {offer.service: None for offer in offers}
    services |= {service.name.lower(): None for service in sorted(known.services)}
    return AggregatorBody(
        peer_id=known.peer,
        addresses=list(known.addresses),
        services=list(services),
        offers=offers,
        problems={service.name.lower(): text for service, text in sorted(known.problems.items())},
        shunned=aggregators.shuns(known.peer),
        listed=known.is_listed,
        reputation=reputation_body(known.reputation, now),
    )


def _offer(candidate: Candidate) -> ServiceOffer:
    offer = candidate.offer.offer
    return ServiceOffer(
        service=offer.service.name.lower(),
        payee=address_text(offer.payee),
        price=str(offer.price),
        price_first=str(offer.price_first),
        max_bytes=offer.max_bytes,
        key_hash=offer.key_hash.hex() if any(offer.key_hash) else "",
        bond=str(offer.bond),
        seconds=offer.seconds,
        valid_until=offer.valid_until,
    )
