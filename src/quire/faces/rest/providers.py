"""Providers of sealed replicas that a node knows, as data."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from quire.base.errors import Busy, InputError
from quire.base.units import DURATION_MAX_SECONDS, SIZE_MAX, parse_duration, parse_size
from quire.chain.abi import address_text
from quire.faces.rest.data_routes import TIMEOUT
from quire.faces.rest.inputs import timeout_of
from quire.faces.rest.reply import JSON, reply_json
from quire.faces.rest.route import Answer, Param, Route
from quire.faces.rest.shape import Shape
from quire.node.node import Node
from quire.point.choice_port import Need
from quire.point.networks import networks_of
from quire.point.reputation import Reputation
from quire.services.retail.provider_book import Known
from quire.services.retail.providers import Providers

NO_RETAIL = "this node has no hub of payment channels to pay providers through"
MAX_BUDGET_DIGITS = 78


class OfferBody(Shape, frozen=True):
    """What a provider asks for: tokens for a byte and second, a byte read, a byte written.
    `validUntil`: unix seconds of the chain. `operator`: who runs it, by its own account."""

    payee: str
    operator: str
    price_byte_second: str
    price_get_byte: str
    fee_put_byte: str
    free_bytes: int
    max_seconds: int
    credit_bytes: int
    valid_until: int


class ReputationBody(Shape, frozen=True):
    """Successes and failures as they count now: a half of each after 30 days. `reliability`: the
    lower bound that weighs, 0..1. Times in unix seconds of this machine, 0: never."""

    first_seen: float
    successes: float
    failures: float
    reliability: float
    newcomer: bool
    backoff_until: float
    excluded_until: float
    why: str


class ProviderBody(Shape, frozen=True):
    """`eligible`: it may get a replica now, as far as the query says what is wanted; else `whyNot`
    says in words why not. `rttMs`: of its latest offers. `listed`: the user named it."""

    peer_id: str
    addresses: list[str]
    networks: list[str]
    rtt_ms: float
    listed: bool
    eligible: bool
    why_not: str
    offer: OfferBody | None
    reputation: ReputationBody


class ProviderList(Shape, frozen=True):
    """`looking`: a search is under way, there may be more soon."""

    looking: bool
    providers: list[ProviderBody]


def choice_of(node: Node) -> Providers:
    """Raises Busy."""
    if node.retail is None or node.retail.choice is None:
        raise Busy(NO_RETAIL)
    return node.retail.choice


async def list_providers(request: web.Request, node: Node) -> web.Response:
    """Offers are asked for again when they are old, as far as there is time."""
    choice, need = choice_of(node), _need_of(request)
    await choice.look(timeout_of(request, node))
    found = [_provider_body(choice, known, need, node) for known in choice.book]
    found.sort(key=lambda body: (not body.eligible, -body.reputation.reliability, body.peer_id))
    return reply_json(ProviderList(choice.search.is_looking, found))


def _need_of(request: web.Request) -> Need:
    """What `?bytes=`, `?for=` and `?budget=` want. Raises InputError."""
    query = request.query
    need = Need(b"", 0, 0, (), ())
    if text := query.get("bytes"):
        need = replace(need, sealed_bytes=min(parse_size(text), SIZE_MAX))
    if text := query.get("for"):
        need = replace(need, seconds=int(min(parse_duration(text), DURATION_MAX_SECONDS)))
    if text := query.get("budget"):
        if not (text.isascii() and text.isdigit() and len(text) <= MAX_BUDGET_DIGITS):
            raise InputError(f"budget={text[:80]} is not a whole number of the smallest unit")
        need = replace(need, budget=int(text))
    return need


def _provider_body(choice: Providers, known: Known, need: Need, node: Node) -> ProviderBody:
    why_not = choice.why_not(known, need)
    return ProviderBody(
        peer_id=known.peer,
        addresses=list(known.addresses),
        networks=list(networks_of(choice.book.where(known))),
        rtt_ms=round(known.reputation.rtt * 1000, 1),
        listed=known.is_listed,
        eligible=not why_not,
        why_not=why_not,
        offer=_offer_body(known),
        reputation=reputation_body(known.reputation, node.clock.now()),
    )


def _offer_body(known: Known) -> OfferBody | None:
    if known.offer is None:
        return None
    offer = known.offer.offer
    return OfferBody(
        payee=address_text(offer.payee),
        operator=offer.operator.decode("utf-8", "replace"),
        price_byte_second=str(offer.price_byte_second),
        price_get_byte=str(offer.price_get_byte),
        fee_put_byte=str(offer.fee_put_byte),
        free_bytes=offer.free_bytes,
        max_seconds=offer.max_seconds,
        credit_bytes=offer.credit_bytes,
        valid_until=offer.valid_until,
    )


def reputation_body(reputation: Reputation, now: float) -> ReputationBody:
    known = reputation.faded(now)
    return ReputationBody(
        first_seen=known.first_seen,
        successes=round(known.successes, 3),
        failures=round(known.failures, 3),
        reliability=round(known.bound(now), 4),
        newcomer=known.is_new(now),
        backoff_until=known.backoff_until,
        excluded_until=known.excluded_until,
        why=known.why,
    )


def provider_routes() -> list[Route]:
    """Part of the table of routes."""
    params = (
        Param("bytes", "say who could take so many, such as 16m"),
        Param("for", "and keep them for so long, such as 30d"),
        Param("budget", "and ask for so many tokens at most, in the smallest unit"),
        TIMEOUT,
    )
    answers = {
        200: Answer("providers, those that may be chosen first", JSON, ProviderList),
        400: Answer("a bad size, duration, budget or timeout"),
        503: Answer("this node has no hub to pay them through"),
    }
    return [
        Route("GET", "/providers", list_providers, "Providers of sealed replicas, and why not",
              answers, tag="retail", bases="quire", params=params),
    ]  # fmt: skip
