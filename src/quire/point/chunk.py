"""A chunk by its links: is it kept well enough, and how many links are to be opened at once.

All missing links are opened together, on providers that never had one of this chunk. A link that is
being renewed counts until half of its window is over; then another is opened beside it, so that
the old one may end without anybody missing it.

Source   point.md 6.5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from quire.point.link import At, LinkState
from quire.point.link_upkeep import window_seconds


class ChunkState(StrEnum):
    UPLOADING = "UPLOADING"
    UPLOADED = "UPLOADED"
    DEGRADED = "DEGRADED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the owner wants of each chunk of a file. `expires_at` in seconds of the chain."""

    redundancy: int
    expires_at: int
    is_autorenewed: bool

    def is_open(self, now: int) -> bool:
        """Whether links are still to be opened."""
        return self.is_autorenewed or now < self.expires_at


@dataclass(frozen=True, slots=True)
class ChunkView:
    """`signed`: replicas that are stored and paid; `missing`: links to be opened now;
    `look_at`: when it is to be looked at again though nothing happens, None: not before."""

    state: ChunkState
    signed: int
    missing: int
    look_at: int | None = None


def consider(
    links: Sequence[LinkState],
    wanted: Wanted,
    now: int,
    *,
    was_uploaded: bool = False,
    is_out_of_candidates: bool = False,
) -> ChunkView:
    """How a chunk stands at `now` (chain time).

    links                 all it ever had
    was_uploaded          it had enough signed replicas before
    is_out_of_candidates  the last search found no provider
    """
    signed = sum(link.is_held and now < link.expires_at for link in links)
    live = [link for link in links if link.is_live and not _is_leaving(link, now)]
    missing = max(0, wanted.redundancy - len(live)) if wanted.is_open(now) else 0
    turns = [_leaves_at(link) for link in links if link.at is At.RENEWING]
    look_at = min((turn for turn in turns if turn > now), default=None)
    is_stuck = missing > 0 and is_out_of_candidates and not any(not x.is_held for x in live)
    if signed >= wanted.redundancy:
        state = ChunkState.UPLOADED
    elif was_uploaded and (signed or not is_stuck):
        state = ChunkState.DEGRADED
    elif is_stuck or not wanted.is_open(now):
        state = ChunkState.FAILED
    else:
        state = ChunkState.UPLOADING
    return ChunkView(state, signed, missing, look_at)


def used_peers(links: Sequence[LinkState]) -> list[str]:
    """Providers that ever had a link of this chunk, failed ones too; none of them gets another."""
    return list(dict.fromkeys(link.order.peer for link in links))


def _leaves_at(link: LinkState) -> int:
    """From when on a link that is being renewed does not count any more: half of its window."""
    return link.expires_at - window_seconds(link.terms[-1].seconds) // 2


def _is_leaving(link: LinkState, now: int) -> bool:
    if link.at is not At.RENEWING or link.renewal is None or link.renewal.is_signed:
        return False
    return now >= _leaves_at(link)
