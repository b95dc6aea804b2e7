"""A year of keeping sealed replicas at providers of every kind, chosen in different ways.

The production choice (`point/choosing.py`) and the production reputation, beside the uniform draws
that it replaces; a day is one step. The providers are drawn from a seed; those that lie, refuse,
die or are many names of one operator are known to the simulation only.

    each day   some providers come, some are gone ─► replicas at these are lost
               audits find that ─► replaced, while a copy is left
               new chunks are put
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Protocol

from quire.formats.peer_id import encode_peer_id, peer_id_of
from quire.point.choice_port import Need, Outcome
from quire.point.choosing import SPREAD_FIRST, WHOLE, Situation, choose
from quire.point.prospect import Company, Prospect
from quire.point.reputation import Reputation
from quire.point.values import Offer, SignedOffer

DAYS = 365
DAY_SECONDS = 86400
START = 1_800_000_000
SEALED_BYTES = 1 << 24
USUAL_PRICE = 1000
ROUNDS_MAX = 12  # of asking other providers for one chunk, in one day
LOST_IN_A_YEAR = 0.02  # of the replicas at a good provider
NEVER = 10**9


class Kind(Enum):
    """What a provider is, which nobody can see."""

    BIG = "big"
    SMALL = "small"
    LATE = "late"  # small, and comes in the course of the year
    SLOW = "slow"
    DEAR = "dear"
    DYING = "dying"
    REFUSING = "refusing"
    FORGING = "forging"
    DROPPING = "dropping"
    ONE_PAYEE = "one payee"
    ONE_NETWORK = "one network"
    HIDDEN = "hidden"  # of one operator, and nothing shows it


HONEST = (Kind.BIG, Kind.SMALL, Kind.LATE)
SYBILS = (Kind.ONE_PAYEE, Kind.ONE_NETWORK, Kind.HIDDEN)


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated; `counts` of providers by kind. The Sybils behave well until `exit_day` and
    are gone then, all at once. `usual_rtt`: from least to most, of those that are neither big nor
    slow, in seconds."""

    counts: tuple[tuple[Kind, int], ...] = (
        (Kind.BIG, 6),
        (Kind.SMALL, 24),
        (Kind.LATE, 10),
        (Kind.SLOW, 8),
        (Kind.DEAR, 8),
        (Kind.DYING, 8),
        (Kind.REFUSING, 4),
        (Kind.FORGING, 3),
        (Kind.DROPPING, 3),
        (Kind.ONE_PAYEE, 10),
        (Kind.ONE_NETWORK, 10),
    )
    days: int = DAYS
    chunks_per_day: int = 2
    replicas: int = 3
    exit_day: int = 240
    usual_rtt: tuple[float, float] = (0.03, 0.15)


@dataclass(slots=True)
class Host:
    """`held`: replicas it was given and is paid for; `until`: the day on which it is gone."""

    kind: Kind
    operator: int
    terms: SignedOffer
    peer: str
    rtt: float
    networks: tuple[str, ...]
    capacity: int
    since: int = 0
    until: int = NEVER
    held: int = 0
    given: int = 0

    @property
    def price(self) -> int:
        return self.terms.offer.price_byte_second

    def is_there(self, day: int) -> bool:
        return self.since <= day < self.until


@dataclass(slots=True)
class Chunk:
    number: int
    holders: list[Host] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    is_lost: bool = False


@dataclass(slots=True)
class Tally:
    """What came of it. `price_days`, `rtt_days`: sums over `days`, the replica-days."""

    lost: int = 0  # chunks of which no copy is left
    refused: int = 0  # links that failed before they held anything
    broken: int = 0  # replicas that were lost later
    shared: int = 0  # chunks of which one operator was given two replicas or more
    short: int = 0  # times that replicas were missing at the end of a day
    price_days: float = 0.0
    rtt_days: float = 0.0
    days: int = 0
    largest: float = 0.0  # share of one operator in all replicas, at its greatest
    second_half: Counter[Kind] = field(default_factory=Counter)  # given when all have come


class Policy(Protocol):
    """How providers are chosen; `saw` tells what they then did."""

    def pick(self, chunk: Chunk, missing: int, hosts: Sequence[Host], now: float) -> list[Host]: ...

    def saw(self, host: Host, outcome: Outcome, now: float) -> None: ...


class Uniform:
    """Everybody alike. With replacement it is what the original did: from all that have ever been
    there, whoever has the chunk or has failed; without, from those that are there and had none."""

    def __init__(self, rng: random.Random, *, replaces: bool) -> None:
        self._rng = rng
        self._replaces = replaces

    def pick(self, chunk: Chunk, missing: int, hosts: Sequence[Host], now: float) -> list[Host]:
        day = _day(now)
        if self._replaces:
            known = [host for host in hosts if host.since <= day]
            return [self._rng.choice(known) for _ in range(missing)]
        able = [h for h in hosts if h.is_there(day) and h.peer not in chunk.used]
        return self._rng.sample(able, min(missing, len(able)))

    def saw(self, host: Host, outcome: Outcome, now: float) -> None:
        """It learns nothing."""


class Weighted:
    """The production choice. `sees_groups`: payee and network count; `narrowest`: of the reach."""

    def __init__(
        self, secret: bytes, *, sees_groups: bool = True, narrowest: float = SPREAD_FIRST
    ) -> None:
        self._secret = secret
        self._sees_groups = sees_groups
        self._narrowest = narrowest
        self._known: dict[str, Reputation] = {}

    def pick(self, chunk: Chunk, missing: int, hosts: Sequence[Host], now: float) -> list[Host]:
        day = _day(now)
        there = {host.peer: host for host in hosts if host.is_there(day)}
        need = Need(
            chunk.number.to_bytes(8, "big"), SEALED_BYTES, DAY_SECONDS, tuple(chunk.used), ()
        )
        company = Company(len(chunk.holders) + missing)
        for host in chunk.holders:
            shown = self._prospect(host, now)
            company.join(shown.terms, shown.networks)
        situation = Situation(self._secret, now, now, WHOLE, self._narrowest)
        prospects = [self._prospect(host, now) for host in there.values()]
        return [there[p.peer] for p in choose(prospects, need, missing, company, situation)]

    def saw(self, host: Host, outcome: Outcome, now: float) -> None:
        self._known[host.peer] = self._reputation(host, now).after(outcome, now)

    def _reputation(self, host: Host, now: float) -> Reputation:
        return self._known.setdefault(host.peer, Reputation(now, now))

    def _prospect(self, host: Host, now: float) -> Prospect:
        known = self._reputation(host, now)
        terms, networks = host.terms, host.networks
        if not self._sees_groups:
            alone = hashlib.sha256(terms.offer.peer_id).digest()[:20]
            terms, networks = replace(terms, offer=replace(terms.offer, payee=alone)), ()
        free = (host.capacity - host.held) * SEALED_BYTES
        terms = replace(terms, offer=replace(terms.offer, free_bytes=free))
        return Prospect(host.peer, (), terms, known, host.rtt, networks)


def make_hosts(setting: Setting, rng: random.Random) -> list[Host]:
    """Providers of every kind, in a random order, so that nothing follows from their numbers."""
    kinds = [kind for kind, count in setting.counts for _ in range(count)]
    hosts = [_make_host(number, kind, setting, rng) for number, kind in enumerate(kinds)]
    rng.shuffle(hosts)
    return hosts


def _make_host(number: int, kind: Kind, setting: Setting, rng: random.Random) -> Host:
    price = USUAL_PRICE * rng.uniform(0.7, 1.3)
    rtt = rng.uniform(*setting.usual_rtt)
    replicas = setting.days * setting.chunks_per_day * setting.replicas
    capacity = replicas // 8  # of a small one: any eight of them could have it all
    since, until, operator = 0, NEVER, number
    if kind is Kind.BIG:
        capacity, rtt = 10 * capacity, rng.uniform(0.01, 0.03)
    elif kind is Kind.LATE:
        since = rng.randrange(setting.days // 8, setting.days // 2)
    elif kind is Kind.SLOW:
        rtt = rng.uniform(0.6, 2.0)
    elif kind is Kind.DEAR:
        price = USUAL_PRICE * rng.uniform(2.0, 5.0)
    elif kind is Kind.DYING:
        until = rng.randrange(setting.days // 8, setting.days)
    elif kind in SYBILS:
        price, operator, until = USUAL_PRICE * 0.6, -1 - SYBILS.index(kind), setting.exit_day
    payee = operator if kind is Kind.ONE_PAYEE else number
    peer_id = peer_id_of(b"\x02" + rng.randbytes(32))
    offer = Offer(
        peer_id=peer_id,
        payee=hashlib.sha256(f"payee {payee}".encode()).digest()[:20],
        chain_id=1,
        contract=bytes(20),
        price_byte_second=round(price),
        price_get_byte=0,
        fee_put_byte=0,
        free_bytes=0,
        max_seconds=DAYS * DAY_SECONDS,
        credit_bytes=0,
        valid_until=NEVER * 10,
    )
    network = ("198.51.100.0/24",) if kind is Kind.ONE_NETWORK else (f"network {number}",)
    terms = SignedOffer(offer, b"", b"", b"", b"")
    return Host(
        kind, operator, terms, encode_peer_id(peer_id), rtt, network, capacity, since, until
    )


def simulate(
    setting: Setting, policy: Policy, rng: random.Random, hosts: list[Host]
) -> tuple[list[Chunk], Tally]:
    """`hosts` are changed: what they hold, and what they were given."""
    year = _Year(setting, policy, rng, hosts)
    for day in range(setting.days):
        year.pass_day(day)
    return year.chunks, year.tally


class _Year:
    def __init__(
        self, setting: Setting, policy: Policy, rng: random.Random, hosts: list[Host]
    ) -> None:
        self._setting = setting
        self._policy = policy
        self._rng = rng
        self._hosts = hosts
        self.chunks: list[Chunk] = []
        self.tally = Tally()
        self._now = float(START)

    def pass_day(self, day: int) -> None:
        self._now = float(START + day * DAY_SECONDS)
        for chunk in self.chunks:
            if not chunk.is_lost:
                self._audit(chunk, day)
        for _ in range(self._setting.chunks_per_day):
            chunk = Chunk(len(self.chunks))
            self.chunks.append(chunk)
            self._fill(chunk, day)
        self._count(day)

    def _audit(self, chunk: Chunk, day: int) -> None:
        """What a day of audits finds, and what is done about it."""
        lost = [h for h in chunk.holders if not h.is_there(day) or self._loses(h)]
        if not lost:
            return
        for host in lost:
            chunk.holders.remove(host)
            host.held -= 1
            self.tally.broken += 1
            outcome = Outcome.LOST if host.is_there(day) else Outcome.SILENT
            self._policy.saw(host, outcome, self._now)
        if not chunk.holders:
            chunk.is_lost = True
            self.tally.lost += 1
            return
        self._fill(chunk, day)

    def _loses(self, host: Host) -> bool:
        if host.kind is Kind.DROPPING:
            return True
        return self._rng.random() < LOST_IN_A_YEAR / DAYS

    def _fill(self, chunk: Chunk, day: int) -> None:
        """Ask providers until every replica is somewhere."""
        for _ in range(ROUNDS_MAX):
            missing = self._setting.replicas - len(chunk.holders)
            if not missing:
                return
            picked = self._policy.pick(chunk, missing, self._hosts, self._now)
            if not picked:
                break
            for host in picked:
                self._give(chunk, host, day)
            self._now += 10.0  # the next to be asked are asked later
        self.tally.short += len(chunk.holders) < self._setting.replicas

    def _give(self, chunk: Chunk, host: Host, day: int) -> None:
        chunk.used.append(host.peer)
        outcome = self._answer(host, day)
        self._policy.saw(host, outcome, self._now)
        if outcome is not Outcome.KEPT:
            self.tally.refused += 1
            return
        chunk.holders.append(host)
        host.held += 1
        host.given += 1
        if day >= self._setting.days // 2:
            self.tally.second_half[host.kind] += 1
        operators = Counter(holder.operator for holder in chunk.holders)
        if operators[host.operator] == 2:
            self.tally.shared += 1

    def _answer(self, host: Host, day: int) -> Outcome:
        silence = 0.08 if host.kind is Kind.SLOW else 0.01
        if not host.is_there(day) or self._rng.random() < silence:
            return Outcome.SILENT
        if host.kind is Kind.FORGING:
            return Outcome.BAD_SIGNATURE
        if host.held >= host.capacity:
            return Outcome.REFUSED
        if host.kind is Kind.REFUSING and self._rng.random() < 0.7:
            return Outcome.REFUSED
        return Outcome.KEPT

    def _count(self, day: int) -> None:
        """Good audits, prices and shares of the day."""
        operators: Counter[int] = Counter()
        for host in self._hosts:
            if not host.held:
                continue
            operators[host.operator] += host.held
            self.tally.days += host.held
            self.tally.price_days += host.held * host.price
            self.tally.rtt_days += host.held * host.rtt
            if host.is_there(day) and host.kind is not Kind.DROPPING:
                self._policy.saw(host, Outcome.KEPT, self._now)
        if day >= self._setting.days // 8 and operators:  # a share of few says nothing
            share = max(operators.values()) / operators.total()
            self.tally.largest = max(self.tally.largest, share)


def _day(now: float) -> int:
    return int(now - START) // DAY_SECONDS
