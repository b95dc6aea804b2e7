"""When each key is published, published again, or tried again. Pure.

The store is the durable record of what is held; this is only the timetable, filled again at every
start. A record at another node lives for a day or more; it is renewed much earlier.

New keys are published at once. Keys that were published before, in this run or an earlier one, are
in the background: they take turns at a steady rate, so that a node with tens of thousands of them
costs next to nothing, and each is renewed within `cycle_seconds` at the latest.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from random import Random

from quire.formats.cid import Cid


@dataclass(frozen=True, slots=True)
class AnnounceTiming:
    """Seconds."""

    renew_seconds: float = 1800.0  # as the reference has it; records live 24 h or more
    jitter: float = 0.1  # share of the renewal by which it is earlier, at random
    retry_first_seconds: float = 5.0
    retry_max_seconds: float = 300.0
    attempt_seconds: float = 60.0  # deadline of one publication
    concurrency: int = 10
    background_rate: float = 0.75  # keys a second, or as many as the cycle needs
    background_burst: float = 100.0  # keys that may go at once after a pause
    cycle_seconds: float = 12 * 3600.0  # in which every key has its turn


@dataclass(slots=True)
class Entry:
    """A key that is to be published, and how that goes."""

    cid: Cid
    state: str = "queued"  # queued, publishing, published, failed
    peers: int = 0  # that took the record last time
    next_at: float = 0.0  # monotonic
    failures: int = 0  # in a row
    problem: str = ""
    is_wanted: bool = True
    is_new: bool = True  # never published before, as far as we know


class AnnounceSchedule:
    """The timetable of all keys of one node."""

    def __init__(self, timing: AnnounceTiming, rng: Random) -> None:
        self._timing = timing
        self._rng = rng
        self._entries: dict[Cid, Entry] = {}
        self._new = _Queue()
        self._background = _Queue()
        self._allowance = timing.background_burst  # background keys that may go at once
        self._allowed_at = 0.0  # when the allowance was that

    def add(self, cid: Cid, now: float, *, is_new: bool = True) -> Entry:
        """Publish a key as soon as possible; nothing changes when it is there already.

        is_new  False: others may still have the record from an earlier run, so it can wait"""
        entry = self._entries.get(cid)
        if entry is None:
            entry = self._entries[cid] = Entry(cid, is_new=is_new)
            self._put(entry, now)
        return entry

    def remove(self, cid: Cid) -> Entry | None:
        """Do not publish a key any more; what is under way is finished by the caller."""
        entry = self._entries.pop(cid, None)
        if entry is not None:
            entry.is_wanted = False
        return entry

    def get(self, cid: Cid) -> Entry | None:
        return self._entries.get(cid)

    def next_at(self) -> float | None:
        """When the next key is due; None when there is none."""
        new, background = self._new.first(), self._background.first()
        times = [] if new is None else [new.next_at]
        if background is not None:
            wait = max(0.0, 1.0 - self._allowance) / self._rate()
            times.append(max(background.next_at, self._allowed_at + wait if wait else 0.0))
        return min(times, default=None)

    def take(self, now: float) -> Entry | None:
        """The next key that is due; it is `publishing` until `published` or `failed`."""
        self._earn(now)
        entry = self._new.take(now)
        if entry is None and self._allowance >= 1.0 - 1e-6:
            entry = self._background.take(now)
            self._allowance -= 1.0 if entry is not None else 0.0
        if entry is not None:
            entry.state = "publishing"
        return entry

    def published(self, entry: Entry, peers: int, now: float) -> None:
        entry.state, entry.peers, entry.failures, entry.problem = "published", peers, 0, ""
        entry.is_new = False
        early = self._rng.random() * self._timing.jitter
        self._put(entry, now + self._timing.renew_seconds * (1.0 - early))

    def failed(self, entry: Entry, problem: str, now: float) -> None:
        """Nobody took the record: again soon, then later and later."""
        entry.state, entry.problem = "failed", problem
        seconds = self._timing.retry_first_seconds * 2.0 ** min(entry.failures, 16)
        entry.failures += 1
        seconds = min(seconds, self._timing.retry_max_seconds)
        self._put(entry, now + seconds * (0.75 + 0.5 * self._rng.random()))

    def hurry(self, now: float) -> None:
        """Peers are there now: what failed before is due at once."""
        for entry in self._entries.values():
            if entry.state == "failed" and entry.next_at > now:
                entry.failures = 0
                self._put(entry, now)

    def renew(self, now: float) -> None:
        """What was published says something that is no longer true: all of it is due at once."""
        for entry in self._entries.values():
            if entry.state in ("published", "failed"):
                entry.failures = 0
                self._put(entry, now)

    def entries(self) -> list[Entry]:
        return list(self._entries.values())

    def _rate(self) -> float:
        """Background keys a second."""
        return max(self._timing.background_rate, len(self._entries) / self._timing.cycle_seconds)

    def _earn(self, now: float) -> None:
        earned = max(0.0, now - self._allowed_at) * self._rate()
        self._allowance = min(self._timing.background_burst, self._allowance + earned)
        self._allowed_at = now

    def _put(self, entry: Entry, at: float) -> None:
        if entry.is_wanted:
            entry.next_at = at
            (self._new if entry.is_new else self._background).put(entry)


class _Queue:
    """Entries by the time at which they are due. Rows that are out of date are skipped."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Entry]] = []
        self._serial = 0

    def put(self, entry: Entry) -> None:
        self._serial += 1
        heapq.heappush(self._due, (entry.next_at, self._serial, entry))

    def first(self) -> Entry | None:
        while self._due:
            at, _, entry = self._due[0]
            if entry.is_wanted and entry.next_at == at and entry.state != "publishing":
                return entry
            heapq.heappop(self._due)
        return None

    def take(self, now: float) -> Entry | None:
        entry = self.first()
        if entry is None or entry.next_at > now:
            return None
        heapq.heappop(self._due)
        return entry
