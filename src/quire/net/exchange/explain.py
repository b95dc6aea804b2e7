"""Why a fetch is where it is: whom it asked, what each said last, what is missing, what comes next.

Plain data, made on demand from the parts of a fetch; `node/why.py` puts it into words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from quire.net.transport import PeerId

ANSWERS_MAX = 64  # peers whose last answer is remembered for one fetch
RANGES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer said last. `at` is in monotonic seconds."""

    at: float
    text: str


class Answers:
    """The last answer of each peer, newest last."""

    def __init__(self) -> None:
        self._answers: dict[PeerId, Answer] = {}

    def note(self, peer: PeerId, text: str, now: float) -> None:
        self._answers.pop(peer, None)
        self._answers[peer] = Answer(now, text)
        if len(self._answers) > ANSWERS_MAX:
            del self._answers[next(iter(self._answers))]

    def of(self, peer: PeerId) -> Answer | None:
        return self._answers.get(peer)

    def __iter__(self) -> Iterator[tuple[PeerId, Answer]]:
        return iter(list(self._answers.items()))


@dataclass(frozen=True, slots=True)
class AskedPeer:
    """One peer of a fetch. `state`: helps, asking, resting, banned, useless."""

    peer: PeerId
    state: str
    has_blocks: int | None  # of this tree; None when not known
    asked_blocks: int  # that it is to deliver now
    received_bytes: int
    last_answer: str
    answered_ago_seconds: float | None
    next_in_seconds: float | None  # when it is asked again; None when it need not be, or never is


@dataclass(frozen=True, slots=True)
class Timer:
    """What happens by itself, and when."""

    what: str
    in_seconds: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The state of a fetch or of a search for one CID. Ranges are [start, stop) of blocks."""

    reason: str
    missing_blocks: int
    missing: list[tuple[int, int]]  # the first of them
    nowhere_blocks: int  # missing, and no peer that is known has them
    searches: int  # of the network for providers, so far
    peers: list[AskedPeer]
    timers: list[Timer]  # the next first
