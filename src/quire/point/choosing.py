"""Which providers get the replicas of a chunk: weights, and a draw that a restart repeats.

    suitable ─► in reach of the replica? ─► weight Pq·R·L·A ─► largest u^(1/w), u = HMAC(secret, …)

Everything follows from the arguments: the same node, chunk and knowledge give the same choice. One
replica is drawn after the other, each with its own reach and its own numbers, so that two chunks,
and two replicas of one chunk, have nothing to do with each other.

Source   point.md 5.2, 3 and 4
"""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from quire.point.billing import cost
from quire.point.choice_port import Need
from quire.point.prospect import Company, Prospect, Reason, why_not

LATENCY_SECONDS = 0.2  # halves the weight
SPREAD_FIRST, SPREAD_SECONDS = 0.25, 5.0  # doubles every so often
NEWCOMERS_SHARE = 0.1
# Who has a replica, or is left alone for a while, still says what is usual to pay. Otherwise the
# dear ones would set the price as soon as some of the cheap ones are in use.
STILL_USUAL = (Reason.USED, Reason.KEPT_AWAY)
WHOLE = 1.0
_HASH_SPACE = 1 << 256
_UNIT_BITS = 52  # so many make a float that is never 0 nor 1


@dataclass(frozen=True, slots=True)
class Situation:
    """What the choice depends on besides need and prospects.

    secret     of this node: nobody else can tell, or arrange, whom it draws
    now        unix seconds of this machine; chain_now: of the chain
    spread     share of all peer ids that a replica may reach: 0.25, 0.5 or 1
    narrowest  the share that it begins with
    """

    secret: bytes
    now: float
    chain_now: float
    spread: float = WHOLE
    narrowest: float = SPREAD_FIRST


def spread_after(seconds: float) -> float:
    """How far a replica reaches after so many seconds of a search that found nobody."""
    doublings = min(int(max(0.0, seconds) / SPREAD_SECONDS), 8)
    return min(WHOLE, SPREAD_FIRST * (1 << doublings))


def choose(
    prospects: Sequence[Prospect], need: Need, count: int, company: Company, situation: Situation
) -> list[Prospect]:
    """At most `count` of them, in the order of the replicas; those that are chosen join `company`.

    Each replica reaches no farther than it has to: a quarter of all peers, a half, all.
    """
    now, chain_now = situation.now, situation.chain_now
    suitable: list[Prospect] = []
    prices: list[int] = []
    for prospect in prospects:
        unfit = why_not(prospect, need, now=now, chain_now=chain_now)
        if unfit is None:
            suitable.append(prospect)
        if unfit is None or unfit.reason in STILL_USUAL:
            prices.append(cost(prospect.terms, need.sealed_bytes, need.seconds))
    usual = median(prices) if prices else 0.0
    chosen: list[Prospect] = []
    for replica in range(len(need.used), len(need.used) + count):
        able = [p for p in suitable if company.refuses(p) is None]
        best = _nearest(able, need, replica, usual, situation)
        if best is not None:
            chosen.append(best)
            company.join(best.terms, best.networks, best.asns)
    return chosen


def _nearest(
    able: Sequence[Prospect], need: Need, replica: int, usual: float, situation: Situation
) -> Prospect | None:
    """Who gets a replica, from the narrowest reach in which somebody has a weight."""
    spread = situation.narrowest
    while spread <= situation.spread:
        near = [p for p in able if is_in_reach(need.seed, replica, p.terms.peer_id, spread)]
        weights = weigh(near, need, usual, situation.now)
        if any(weights) or spread >= WHOLE:  # the unwanted only where there is nobody else
            return _draw(near, weights, situation.secret, need.seed, replica)
        spread *= 2
    return None


def weigh(prospects: Sequence[Prospect], need: Need, usual: float, now: float) -> list[float]:
    """The weight of each, newcomers with their share. `usual`: the median price."""
    weights = [
        price_factor(cost(p.terms, need.sealed_bytes, need.seconds), usual)
        * p.reputation.bound(now)
        * latency_factor(p.rtt)
        * p.reputation.age_factor(now)
        for p in prospects
    ]
    return _with_newcomers([p.reputation.is_new(now) for p in prospects], weights)


def price_factor(price: float, usual: float) -> float:
    """1 up to the median, falling fast above it. Where most take nothing, whoever takes something
    is for the time when nobody else is left."""
    if price <= usual:
        return 1.0
    return math.exp(1.0 - price / usual) if usual > 0 else 0.0


def latency_factor(rtt: float) -> float:
    return 1.0 / (1.0 + max(0.0, rtt) / LATENCY_SECONDS)


def is_in_reach(seed: bytes, replica: int, peer_id: bytes, spread: float) -> bool:
    """Whether a peer is among the share of all that is near a replica."""
    if spread >= WHOLE:
        return True
    here = hashlib.sha256(seed + replica.to_bytes(4, "big")).digest()
    there = hashlib.sha256(peer_id).digest()
    away = int.from_bytes(here, "big") ^ int.from_bytes(there, "big")
    return away < int(_HASH_SPACE * spread)


def draw_number(secret: bytes, seed: bytes, replica: int, peer_id: bytes) -> float:
    """u of a peer for a replica: uniform in (0, 1), and the same whenever it is asked for."""
    message = seed + replica.to_bytes(4, "big") + peer_id
    digest = hmac.digest(secret, message, "sha256")
    whole = int.from_bytes(digest[:8], "big") >> (64 - _UNIT_BITS)
    return (whole + 0.5) / (1 << _UNIT_BITS)


def _with_newcomers(are_new: Sequence[bool], weights: Sequence[float]) -> list[float]:
    """Newcomers get a tenth of the whole together, where they have less."""
    new = _sum(weights, are_new, True)
    known = _sum(weights, are_new, False)
    if new <= 0 or new >= NEWCOMERS_SHARE * (new + known):
        return list(weights)
    more = NEWCOMERS_SHARE * known / ((1 - NEWCOMERS_SHARE) * new)
    return [w * more if is_new else w for w, is_new in zip(weights, are_new, strict=True)]


def _sum(weights: Sequence[float], are_new: Sequence[bool], which: bool) -> float:
    return math.fsum(w for w, is_new in zip(weights, are_new, strict=True) if is_new is which)


def _draw(
    able: Iterable[Prospect], weights: Iterable[float], secret: bytes, seed: bytes, replica: int
) -> Prospect | None:
    """The one with the largest u^(1/w); one without weight only where nobody has any."""
    best: Prospect | None = None
    best_key = (-math.inf, b"")
    for prospect, weight in zip(able, weights, strict=True):
        peer_id = prospect.terms.peer_id
        u = draw_number(secret, seed, replica, peer_id)
        key = (math.log(u) / weight if weight > 0 else -math.inf, peer_id)
        if best is None or key > best_key:
            best, best_key = prospect, key
    return best
