"""Who gets the slots: hosts of every kind race for the reservations of many requests.

A Monte-Carlo of market.md 3.6 in which time passes in blocks. The window is the production one;
only distances are drawn instead of hashed: they are uniform and independent of each other, so the
nearest of N hosts can be drawn without drawing the others, and 5000 hosts cost what 50 cost.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from quire.chain.dispersal import MOST_DISTANCE, Window

BLOCK_SECONDS = 12
RESERVATIONS = 3
FAST_SHARE = 0.1
# Seconds from least to most, of fast hosts and of the others
REACTION = ((3.0, 9.0), (15.0, 90.0))
DOWNLOAD = ((60.0, 120.0), (120.0, 900.0))
JITTER = 0.25  # of a host's reaction, from one time to the next
ATTACKER = -1  # an address that was made for one reservation, by search


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated. Shares are of the hosts, 0..1; seconds of the chain."""

    hosts: int
    h_bps: int
    requests: int = 300
    slots: int = 10
    window: int = 3600
    tail_bps: int = 500
    ttl: int = 10**9
    hold_limit: int = 0  # slots of one request that one host may have; 0: any number
    sybil_share: float = 0.0  # belong to one operator
    is_registered: bool = True  # hosts had to be there before the request
    lazy_share: float = 0.0  # reserve and never fill
    once_share: float = 0.0  # look once, when the request appears, as the reference does
    operator_hosts: int = 1  # so many hosts are one operator's


@dataclass(slots=True)
class Host:
    is_fast: bool
    reaction: float
    download: float
    is_lazy: bool
    looks_once: bool
    operator: int


@dataclass(slots=True)
class Tally:
    """What became of all requests: counts by host, seconds by slot."""

    reserved: list[int]
    filled: list[int]
    attacker_reserved: int = 0
    fillers: list[list[int]] = field(default_factory=list)  # by request: host of each filled slot
    first: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)
    eligible: list[int] = field(default_factory=list)
    filled_after: list[float] = field(default_factory=list)
    slots: int = 0


def make_hosts(setting: Setting, rng: random.Random) -> list[Host]:
    """The first of them are fast; every other trait falls on them at random."""
    hosts = []
    places = list(range(setting.hosts))
    rng.shuffle(places)
    fast = round(setting.hosts * FAST_SHARE)
    for number in range(setting.hosts):
        kind = 0 if number < fast else 1
        host = Host(
            is_fast=kind == 0,
            reaction=rng.uniform(*REACTION[kind]),
            download=rng.uniform(*DOWNLOAD[kind]),
            is_lazy=rng.random() < setting.lazy_share,
            looks_once=rng.random() < setting.once_share,
            operator=places[number] // setting.operator_hosts,
        )
        if rng.random() < setting.sybil_share:
            host.operator = ATTACKER
        hosts.append(host)
    return hosts


def simulate(setting: Setting, rng: random.Random) -> tuple[list[Host], Tally]:
    hosts = make_hosts(setting, rng)
    tally = Tally([0] * setting.hosts, [0] * setting.hosts)
    window = Window(0, setting.window, setting.h_bps, setting.tail_bps)
    reach = [window.reach(second) for second in range(window.tail_from)]
    by_reaction = sorted(range(setting.hosts), key=lambda n: hosts[n].reaction)
    for _ in range(setting.requests):
        race = _Race(setting, hosts, reach, by_reaction, rng, tally)
        tally.fillers.append([host for slot in race.slots if (host := race.run(slot)) is not None])
    return hosts, tally


@dataclass(slots=True)
class _Near:
    """The hosts in order of their distance to one place, drawn as far as they are asked for."""

    hosts: int
    rng: random.Random
    drawn: list[tuple[int, int]] = field(default_factory=list)  # (distance, host)
    _left: float = 1.0
    _seen: set[int] = field(default_factory=set)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        yield from self.drawn
        while len(self.drawn) < self.hosts:
            # The least of n uniform numbers that are left above the ones drawn already.
            count = self.hosts - len(self.drawn)
            self._left *= self.rng.random() ** (1 / count)
            host = self.rng.randrange(self.hosts)
            while host in self._seen:
                host = self.rng.randrange(self.hosts)
            self._seen.add(host)
            self.drawn.append((int((1 - self._left) * MOST_DISTANCE), host))
            yield self.drawn[-1]


@dataclass(slots=True)
class _Entry:
    host: int
    at: float


class _Slot:
    def __init__(self, setting: Setting, rng: random.Random) -> None:
        self.places = [_Near(setting.hosts, rng) for _ in range(RESERVATIONS)]
        self.entries: list[_Entry] = []


class _Race:
    """One request. Slots are raced for one after the other; only the limit on what one host may
    have ties them together."""

    def __init__(
        self,
        setting: Setting,
        hosts: list[Host],
        reach: list[int],
        by_reaction: list[int],
        rng: random.Random,
        tally: Tally,
    ) -> None:
        self.slots = [_Slot(setting, rng) for _ in range(setting.slots)]
        self._setting = setting
        self._hosts = hosts
        self._reach = reach
        self._by_reaction = by_reaction
        self._rng = rng
        self._tally = tally
        self._holds: dict[int, int] = {}

    def run(self, slot: _Slot) -> int | None:
        """Who fills the slot, if anybody does before the window ends."""
        now = 0.0
        tally = self._tally
        tally.slots += 1
        done: tuple[float, int] | None = None  # when and by whom it is filled as things stand
        while (index := self._next(slot, now)) is not None:
            number, free_from = index
            granted = self._grant(slot, number, max(now, free_from))
            if granted is None or granted.at > self._setting.window:
                break
            if done is not None and done[0] <= granted.at:
                break
            now = granted.at
            self._enter(slot, number, granted)
            ready = self._ready(granted)
            if ready is not None and (done is None or ready < done[0]):
                done = ready, granted.host
        if done is None or done[0] > self._setting.window:
            return None
        if done[1] != ATTACKER:
            tally.filled[done[1]] += 1
        tally.filled_after.append(done[0])
        return done[1]

    def _next(self, slot: _Slot, now: float) -> tuple[int, float] | None:
        """The number of the next reservation and from when on it is free."""
        if len(slot.entries) < RESERVATIONS:
            return len(slot.entries), now
        ends = [entry.at + self._setting.ttl for entry in slot.entries]
        oldest = min(range(RESERVATIONS), key=ends.__getitem__)
        return (oldest, ends[oldest] + 1) if ends[oldest] < self._setting.window else None

    def _enter(self, slot: _Slot, number: int, entry: _Entry) -> None:
        tally = self._tally
        if number < len(slot.entries):
            old = slot.entries[number]
            self._holds[old.host] = self._holds.get(old.host, 0) - 1
            slot.entries[number] = entry
        else:
            slot.entries.append(entry)
            if number == 0:
                tally.first.append(entry.at)
            elif number == RESERVATIONS - 1:
                tally.last.append(entry.at)
        self._holds[entry.host] = self._holds.get(entry.host, 0) + 1
        if entry.host == ATTACKER:
            tally.attacker_reserved += 1
        else:
            tally.reserved[entry.host] += 1

    def _ready(self, entry: _Entry) -> float | None:
        """When the host could fill the slot; None: never."""
        if entry.host == ATTACKER:
            return entry.at + DOWNLOAD[0][0]
        host = self._hosts[entry.host]
        return None if host.is_lazy else entry.at + host.download * self._jitter()

    def _jitter(self) -> float:
        return 1 + JITTER * (2 * self._rng.random() - 1)

    def _grant(self, slot: _Slot, number: int, since: float) -> _Entry | None:
        """Who takes the reservation, and in which block: the first transaction that arrives of a
        host that the window lets in."""
        if not self._setting.is_registered and self._setting.sybil_share > 0:
            return _Entry(ATTACKER, _block_after(max(since, 1.0) + REACTION[0][0]))
        best, arrival = None, float("inf")
        eligible = 0
        taken = {entry.host for entry in slot.entries}
        for opens, quickest, host in self._candidates(slot.places[number]):
            if max(opens, since) + quickest >= arrival:
                break
            eligible += 1
            if host in taken or not self._may_hold(host, opens):
                continue
            came = self._arrives(host, opens, since)
            if came < arrival:
                best, arrival = host, came
        if best is None:
            return None
        self._tally.eligible.append(eligible if self._reach else self._setting.hosts)
        return _Entry(best, _block_after(arrival))

    def _candidates(self, near: _Near) -> Iterator[tuple[float, float, int]]:
        """(second from which it is let in, least reaction of it and all later ones, host), in the
        order of what comes first."""
        if self._reach:
            for away, host in near:
                yield bisect_left(self._reach, away + 1), REACTION[0][0] * (1 - JITTER), host
        else:
            for host in self._by_reaction:
                yield 0, self._hosts[host].reaction * (1 - JITTER), host

    def _may_hold(self, host: int, opens: float) -> bool:
        limit = self._setting.hold_limit
        return limit == 0 or opens >= len(self._reach) or self._holds.get(host, 0) < limit

    def _arrives(self, number: int, opens: float, since: float) -> float:
        host = self._hosts[number]
        took = host.reaction * self._jitter()
        if not host.looks_once:
            return max(opens, since) + took
        return took if max(opens, since) <= took else float("inf")


def _block_after(second: float) -> float:
    return (second // BLOCK_SECONDS + 1) * BLOCK_SECONDS
