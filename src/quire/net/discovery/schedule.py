"""When each key is published, published again, or tried again. Pure.

The store is the durable record of what is held; this is only the timetable, filled again at every
start. A record at another node lives `record_seconds`; it is renewed much earlier.
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


class AnnounceSchedule:
    """The timetable of all keys of one node."""

    def __init__(self, timing: AnnounceTiming, rng: Random) -> None:
        self._timing = timing
        self._rng = rng
        self._entries: dict[Cid, Entry] = {}
        self._due: list[tuple[float, int, Entry]] = []
        self._serial = 0

    def add(self, cid: Cid, now: float) -> Entry:
        """Publish a key as soon as possible; nothing changes when it is there already."""
        entry = self._entries.get(cid)
        if entry is None:
            entry = self._entries[cid] = Entry(cid)
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
        self._skip()
        return self._due[0][0] if self._due else None

    def take(self, now: float) -> Entry | None:
        """The next key that is due; it is `publishing` until `published` or `failed`."""
        self._skip()
        if not self._due or self._due[0][0] > now:
            return None
        _, _, entry = heapq.heappop(self._due)
        entry.state = "publishing"
        return entry

    def published(self, entry: Entry, peers: int, now: float) -> None:
        entry.state, entry.peers, entry.failures, entry.problem = "published", peers, 0, ""
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
            if entry.state == "failed":
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

    def _put(self, entry: Entry, at: float) -> None:
        if entry.is_wanted:
            entry.next_at = at
            self._serial += 1
            heapq.heappush(self._due, (at, self._serial, entry))

    def _skip(self) -> None:
        """Drop rows of the heap that are out of date."""
        while self._due:
            at, _, entry = self._due[0]
            if entry.is_wanted and entry.next_at == at and entry.state != "publishing":
                return
            heapq.heappop(self._due)
