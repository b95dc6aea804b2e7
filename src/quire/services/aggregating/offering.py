"""The offers of this aggregator: one for each quote, signed, and known again when it is accepted.

    quote ─► within the limits? ─► its service: does it do this? ─► price ─► signed ─► remembered

An offer holds for ten minutes. After a restart earlier offers are not known any more: who accepts
one is told so, and asks for another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quire.aggregation.offer import quote_hash, sign_offer
from quire.aggregation.values import Offer, SignedOffer
from quire.base.units import GIB, format_size
from quire.chain.hub import Hub
from quire.formats.aggregator import AggregatorAnswer
from quire.formats.aggregator_asking import QuoteRequest
from quire.formats.aggregator_codes import Code, Service
from quire.formats.peer_id import decode_peer_id
from quire.formats.signed_offer import OfferAnswer
from quire.net.identity import Identity
from quire.services.aggregating.doer import Doer
from quire.services.aggregating.settings import AggregatorSettings

VALID_SECONDS = 600
FRESH_SECONDS = 300  # a quote that is asked again gets the same offer for so long
KNOWN_MAX = 4096


@dataclass(frozen=True, slots=True)
class Offered:
    """`at`: chain time when it was made."""

    signed: SignedOffer
    quote: QuoteRequest
    at: float


class Offering:
    """`sign` a digest with the account's key."""

    def __init__(
        self,
        settings: AggregatorSettings,
        doers: Mapping[Service, Doer],
        hub: Hub,
        sign: Callable[[bytes], bytes],
        identity: Identity,
    ) -> None:
        self.settings = settings
        self._doers = doers
        self._hub = hub
        self._sign = sign
        self._identity = identity
        self._peer_id = decode_peer_id(identity.peer_id)
        self._known: dict[bytes, Offered] = {}  # by digest, oldest first
        self._newest: dict[QuoteRequest, bytes] = {}

    @property
    def services(self) -> list[Service]:
        """What is offered: what the settings say, as far as there is who does it."""
        return [service for service in self.settings.services if service in self._doers]

    def quote(self, quote: QuoteRequest) -> AggregatorAnswer:
        """The offer, or why there is none, with the numbers that would work."""
        if quote.service not in self.services:
            offered = ", ".join(service.name for service in self.services) or "nothing"
            text = f"{quote.service.name} is not offered here; offered: {offered}"
            return AggregatorAnswer(Code.NOT_OFFERED, text)
        doer = self._doers[quote.service]
        most = self.settings.max_bytes
        if quote.service is Service.ENCODE and quote.dataset_size > most:
            text = f"{format_size(quote.dataset_size)} are too large; at most {format_size(most)}"
            return AggregatorAnswer(Code.NOT_OFFERED, f"{text} ({most} bytes) are coded here")
        problem = doer.offer_problem(quote)
        if problem:
            return AggregatorAnswer(Code.NOT_OFFERED, problem)
        now, seconds = self._hub.clock.now(), doer.terms(quote).seconds
        if quote.deadline and quote.deadline < now + seconds:
            text = f"it takes up to {seconds} s; the deadline would have to be {int(now) + seconds}"
            return AggregatorAnswer(Code.NOT_OFFERED, f"{text} (chain time) or later")
        signed = self._offer(quote, now)
        return AggregatorAnswer(
            Code.OK, "", OfferAnswer(signed.data, signed.sig_payee, signed.sig_peer)
        )

    def find(self, digest: bytes) -> Offered | None:
        """An offer of this run that still holds."""
        found = self._known.get(digest)
        if found is None or found.signed.offer.valid_until < self._hub.clock.now():
            return None
        return found

    def price(self, quote: QuoteRequest) -> tuple[int, int]:
        """(the whole, of it what is due as soon as the result is checked)."""
        settings = self.settings
        match quote.service:
            case Service.ENCODE:
                whole = _up(settings.encode_price * quote.dataset_size, GIB)
                return whole, _up(whole * settings.first_percent, 100)
            case Service.PROVE:
                return settings.prove_price, settings.prove_price
            case Service.SUBMIT:
                return settings.submit_price, settings.submit_price

    # ---- inside ----

    def _offer(self, quote: QuoteRequest, now: float) -> SignedOffer:
        known = self._known.get(self._newest.get(quote, b""))
        if known is not None and 0 <= now - known.at < FRESH_SECONDS:
            return known.signed
        signed = sign_offer(self._made(quote, now), self._sign, self._identity.sign)
        self._forget(now)
        self._known.pop(signed.digest, None)
        self._known[signed.digest] = Offered(signed, quote, now)
        self._newest[quote] = signed.digest
        return signed

    def _made(self, quote: QuoteRequest, now: float) -> Offer:
        settings, domain = self.settings, self._hub.domain
        terms = self._doers[quote.service].terms(quote)
        price, first = self.price(quote)
        return Offer(
            peer_id=self._peer_id,
            payee=self._hub.account,
            chain_id=domain.chain_id,
            contract=domain.contract,
            service=quote.service,
            quote_hash=quote_hash(quote),
            price=price,
            price_first=first,
            max_bytes=settings.max_bytes if quote.service is Service.ENCODE else 0,
            key_hash=terms.key_hash,
            bond=settings.bond if quote.service is Service.SUBMIT else 0,
            seconds=terms.seconds,
            valid_until=int(now) + VALID_SECONDS,
        )

    def _forget(self, now: float) -> None:
        """What does not hold any more, and the oldest of too many: anybody can ask for offers."""
        over = [
            digest for digest, each in self._known.items() if each.signed.offer.valid_until < now
        ]
        over += list(self._known)[: max(0, len(self._known) - KNOWN_MAX + 1)]
        for digest in over:
            offered = self._known.pop(digest, None)
            if offered is not None and self._newest.get(offered.quote) == digest:
                del self._newest[offered.quote]


def _up(number: int, unit: int) -> int:
    """Divided, rounded up: work is never for nothing by rounding."""
    return -(-number // unit)
