"""The world of the model of links: time, a network that loses, repeats and reorders, a hub.

Everything happens at a time of its own, and what is drawn comes from one seed: a run can be
repeated.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from quire.chain.hub import HubChannel
from quire.formats.peer_id import encode_peer_id, peer_id_of
from quire.kernels.signing import address_of, public_key_of, sign, sign_recoverable
from quire.point.offer import sign_offer
from quire.point.values import Offer, SignedOffer
from support.link_kit import DAY, DOMAIN, NOW

ANSWER_SECONDS = 10.0  # until a question counts as unanswered


class Crash(Exception):
    """Whoever acts is killed here."""


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass(frozen=True)
class Faults:
    """Chances, of each message or each write."""

    loss: float = 0.0
    repeat: float = 0.0
    client_crash: float = 0.0
    provider_crash: float = 0.0

    @property
    def is_free(self) -> bool:
        return not (self.loss or self.client_crash or self.provider_crash)


@dataclass
class World:
    rng: random.Random
    faults: Faults
    wallet: int
    time: float = float(NOW)
    hub: dict[bytes, HubChannel] = field(default_factory=dict)
    steps: int = 0
    _queue: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    @property
    def now(self) -> int:
        """The chain's time."""
        return int(self.time)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.time + seconds, self._count, act))

    def step(self) -> bool:
        """Whatever is next; False when nothing is."""
        if not self._queue:
            return False
        self.time, _, act = heapq.heappop(self._queue)
        self.steps += 1
        act()
        return True

    @property
    def next_time(self) -> float:
        return self._queue[0][0] if self._queue else float("inf")

    def chance(self, share: float) -> bool:
        return share > 0 and self.rng.random() < share

    def latency(self) -> float:
        """Mostly short, seldom so long that others overtake."""
        return self.rng.random() * (5.0 if self.rng.random() < 0.05 else 0.3)

    def ask(
        self, handle: Callable[[Any], Any], message: Any, answered: Callable[[Any], None]
    ) -> None:
        """One question over the network; `answered(None)` when no answer came in time."""
        faults = self.faults
        unanswered = partial(answered, None)
        if self.chance(faults.loss):
            self.after(ANSWER_SECONDS, unanswered)
            if self.chance(0.3):  # it was only late
                self.after(self.rng.random() * 100, partial(handle, message))
            return

        def arrive() -> None:
            answer = handle(message)
            if self.chance(faults.repeat):
                self.after(self.rng.random() * 100, partial(handle, message))
            if answer is None or self.chance(faults.loss):
                self.after(ANSWER_SECONDS, unanswered)
            else:
                self.after(self.latency(), partial(answered, answer))

        self.after(self.latency(), arrive)

    def channel(self, payee: bytes) -> HubChannel:
        return self.hub.get(payee, HubChannel())


@dataclass(frozen=True)
class Identity:
    """A provider's keys."""

    peer_key: bytes
    payee_key: bytes
    peer_id: bytes
    peer: str
    payee: bytes

    def sign(self, digest: bytes) -> bytes:
        return sign_recoverable(self.payee_key, digest)


@lru_cache
def identity(index: int) -> Identity:
    peer_key, payee_key = bytes([index + 1]) * 32, bytes([index + 101]) * 32
    peer_id = peer_id_of(public_key_of(peer_key))
    return Identity(peer_key, payee_key, peer_id, encode_peer_id(peer_id), address_of(payee_key))


@lru_cache
def offer_of(index: int, price: int) -> SignedOffer:
    """Signed once for all runs."""
    who = identity(index)
    offer = Offer(
        peer_id=who.peer_id,
        payee=who.payee,
        chain_id=DOMAIN.chain_id,
        contract=DOMAIN.contract,
        price_byte_second=price,
        price_get_byte=0,
        fee_put_byte=5 * price,
        free_bytes=1 << 40,
        max_seconds=400 * DAY,
        credit_bytes=0,
        valid_until=NOW + 400 * DAY,
    )
    return sign_offer(offer, who.sign, partial(sign, who.peer_key))
