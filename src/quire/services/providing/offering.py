"""The offers of this node: signed, handed out, and known again when somebody names one.

An offer holds for an hour and is made anew every ten minutes, or when the free space has changed
much. After a restart earlier offers are not known any more: who names one is told that the price
has changed, and asks again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from quire.chain.hub import Hub
from quire.formats.peer_id import decode_peer_id
from quire.net.identity import Identity
from quire.point.offer import sign_offer
from quire.point.values import Offer, SignedOffer
from quire.services.providing.settings import ProviderSettings

VALID_SECONDS = 3600
FRESH_SECONDS = 600
CHANGE_SECONDS = 15  # at least between two offers that differ in the free space alone
CHANGE_SHARE = 16  # free space that differs by more than one part in so many


@dataclass(slots=True)
class _Made:
    signed: SignedOffer
    at: float  # chain time


class Offering:
    """`sign` a digest with the account's key; `free_bytes` of now."""

    def __init__(
        self,
        settings: ProviderSettings,
        hub: Hub,
        sign: Callable[[bytes], bytes],
        identity: Identity,
        free_bytes: Callable[[], int],
    ) -> None:
        self.settings = settings
        self._hub = hub
        self._sign = sign
        self._identity = identity
        self._peer_id = decode_peer_id(identity.peer_id)
        self._free_bytes = free_bytes
        self._newest: _Made | None = None
        self._known: dict[bytes, SignedOffer] = {}

    def current(self) -> SignedOffer:
        """The offer of now."""
        now, free = self._hub.clock.now(), self._free_bytes()
        if self._newest is None or not self._is_fresh(self._newest, now, free):
            self._newest = _Made(self._make(now, free), now)
        return self._newest.signed

    def find(self, digest: bytes) -> SignedOffer | None:
        """An offer of this node that still holds."""
        offer = self._known.get(digest)
        if offer is None or offer.offer.valid_until < self._hub.clock.now():
            return None
        return offer

    def _is_fresh(self, made: _Made, now: float, free: int) -> bool:
        age, said = now - made.at, made.signed.offer.free_bytes
        if not 0 <= age < FRESH_SECONDS:
            return False
        return age < CHANGE_SECONDS or abs(free - said) * CHANGE_SHARE <= max(free, said)

    def _make(self, now: float, free: int) -> SignedOffer:
        settings, domain = self.settings, self._hub.domain
        offer = Offer(
            peer_id=self._peer_id,
            payee=self._hub.account,
            chain_id=domain.chain_id,
            contract=domain.contract,
            price_byte_second=settings.price_byte_second,
            price_get_byte=settings.price_get_byte,
            fee_put_byte=settings.fee_put_byte,
            free_bytes=free,
            max_seconds=settings.max_seconds,
            credit_bytes=settings.credit_bytes,
            valid_until=int(now) + VALID_SECONDS,
            operator=settings.operator,
        )
        signed = sign_offer(offer, self._sign, self._identity.sign)
        over = [d for d, known in self._known.items() if known.offer.valid_until < now]
        for digest in over:
            del self._known[digest]
        self._known[signed.digest] = signed
        return signed
